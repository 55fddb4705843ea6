"""Random truths and predictions, and what pycocotools says of them."""

import contextlib
import io

import numpy as np

from chestlib.data import Record
from chestlib.detections import Detections
from chestlib.findings import ID


def random_case(seed, images=25, findings=4, whole=True):
    """Truth and predictions on few findings: jittered true boxes, duplicates, inventions, images without either."""
    rng = np.random.default_rng(seed)
    truth, predictions = [], {}
    for i in range(images):
        count = rng.integers(0, 5)
        corner, labels = rng.integers(0, 300, (count, 2)), rng.integers(1, findings + 1, count)
        boxes = np.hstack([corner, corner + rng.choice([20, 60, 150], (count, 1)) + rng.integers(1, 20, (count, 2))])
        copies = rng.integers(0, count, rng.integers(0, 8)) if count else np.zeros(0, int)
        corner = rng.integers(0, 300, (rng.integers(0, 4), 2))
        invented = np.hstack([corner, corner + rng.integers(10, 150, corner.shape)])
        jitter = rng.integers(-8, 9, (len(copies), 4)) if whole else rng.normal(0, 6, (len(copies), 4))
        found = np.vstack([boxes[copies] + jitter, invented]).reshape(-1, 4)
        classes = np.append(labels[copies], rng.integers(1, findings + 2, len(invented))).astype(int)
        truth.append(Record(f"{i}.png", boxes, labels, patient=f"p{i // 2}"))
        predictions[f"{i}.png"] = Detections(found, classes, rng.random(len(found)))
    return truth, predictions


def pycoco(truth, predictions, **params):
    """The twelve figures of pycocotools, and its precision table; `params` change its own."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def boxes(of):
        found = of.boxes.astype(float)
        return np.hstack([found[:, :2], found[:, 2:] - found[:, :2]]).tolist()

    true = [(i, c, b) for i, r in enumerate(truth, 1) for c, b in zip(r.labels.tolist(), boxes(r), strict=True)]
    found = [
        {"image_id": i, "category_id": c, "bbox": b, "score": s}
        for i, d in enumerate((predictions[r.file_name] for r in truth), 1)
        for c, b, s in zip(d.labels.tolist(), boxes(d), d.scores.tolist(), strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = {
            "images": [{"id": i} for i in range(1, len(truth) + 1)],
            "categories": [{"id": i} for i in ID.values()],
            "annotations": [
                {"id": n, "image_id": i, "category_id": c, "bbox": b, "area": b[2] * b[3], "iscrowd": 0}
                for n, (i, c, b) in enumerate(true, 1)
            ],
        }
        reference.createIndex()
        evaluator = COCOeval(reference, reference.loadRes(found), "bbox")
        for name, value in params.items():
            setattr(evaluator.params, name, value)
        evaluator.evaluate()
        evaluator.accumulate()
        if not params:
            evaluator.summarize()
    return evaluator.stats, evaluator.eval["precision"]
