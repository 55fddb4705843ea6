"""Do other tools load our export, and do they find the AP that we print?

    chestlib convert data/phantom coco --to coco
    chestlib evaluate coco runs/detector --coco results.json
    python benchmarks/peers.py coco results.json [--python OTHER/bin/python …]

Each tool is run in the first Python that has it: none needs to share an environment with chestlib. Exit status 1 if a
figure is off by more than TOLERANCE or a tool fails; one that is not installed is told. FiftyOne brings a MongoDB
server; where that does not start, FIFTYONE_DATABASE_URI names one that runs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

TOLERANCE = {"pycocotools": 1e-6, "supervision": 1e-6, "fiftyone": 1e-3}
"""Rounding alone; but of detections with the same score FiftyOne ranks the hits first (peers_cases.py: `ties`)."""


def chestlib(images: Path, truth: Path, results: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "chestlib", "evaluate", truth, results, "--json"]
    scores = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["coco"]
    document, said = json.loads(truth.read_text()), len(json.loads(results.read_text()))
    size = {"images": len(document["images"]), "boxes": len(document["annotations"]), "detections": said}
    return {"version": metadata.version("chestlib"), "AP50": scores["AP50"], "AP": scores["AP"], **size}


def pycocotools(images: Path, truth: Path, results: Path) -> tuple[float, float]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    reference = COCO(str(truth))
    evaluation = COCOeval(reference, reference.loadRes(str(results)), "bbox")
    for step in (evaluation.evaluate, evaluation.accumulate, evaluation.summarize):
        step()
    return evaluation.stats[1], evaluation.stats[0]


def supervision(images: Path, truth: Path, results: Path) -> tuple[float, float]:
    import numpy as np
    import supervision as sv
    from supervision.metrics import MeanAveragePrecision

    data, document = sv.DetectionDataset.from_coco(str(images), str(truth)), json.loads(truth.read_text())
    label = {category["id"]: data.classes.index(category["name"]) for category in document["categories"]}
    rows, metric = json.loads(results.read_text()), MeanAveragePrecision()
    for image in document["images"]:
        said = [row for row in rows if row["image_id"] == image["id"]]
        boxes = np.array([row["bbox"] for row in said], float).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        scores, labels = [row["score"] for row in said], [label[row["category_id"]] for row in said]
        found = sv.Detections(boxes, confidence=np.array(scores, float), class_id=np.array(labels, int))
        metric.update(found, data.annotations[str(images / image["file_name"])])
    scored = metric.compute()
    return scored.map50, scored.map50_95


def fiftyone(images: Path, truth: Path, results: Path) -> tuple[float, float]:
    import fiftyone as fo
    import fiftyone.utils.coco as fouc

    coco, places = fo.types.COCODetectionDataset, {"data_path": str(images), "labels_path": str(truth)}
    data = fo.Dataset.from_dir(dataset_type=coco, include_id=True, **places)
    fouc.add_coco_labels(data, "found", str(results), data.info["categories"], coco_id_field="coco_id")
    how = {"gt_field": "detections", "method": "coco", "compute_mAP": True}
    scored = [data.evaluate_detections("found", iou_threshs=at, **how).mAP() for at in ([0.5], None)]
    data.delete()
    return scored[0], scored[1]


TOOLS = {"pycocotools": pycocotools, "supervision": supervision, "fiftyone": fiftyone}


def ask(tool: str, pythons: list[str], files: list[Path]) -> dict[str, Any]:
    """Run one tool in the first Python that has it."""
    for python in pythons:
        done = subprocess.run([python, __file__, *files, "--tool", tool], capture_output=True, text=True)
        if done.returncode == 0:
            return dict(json.loads(done.stdout.splitlines()[-1]))
        if f"No module named '{tool}'" not in done.stderr:
            return {"failed": done.stderr.strip().splitlines()[-1]}
    return {"absent": "not installed"}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("truth", type=Path, help="folder of `chestlib convert DATA OUT --to coco`; its test part")
    parser.add_argument("results", type=Path, help="file of `chestlib evaluate OUT RUN --coco FILE`")
    parser.add_argument("--python", action="append", default=[], help="a Python that has some of the tools; repeatable")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--tool", choices=TOOLS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    images, truth = args.truth.resolve() / "images/test", args.truth.resolve() / "annotations/test.json"
    if args.tool:
        at_50, ap = map(float, TOOLS[args.tool](images, truth, args.results))
        return print(json.dumps({"version": metadata.version(args.tool), "AP50": at_50, "AP": ap}))
    ours = chestlib(images, truth, args.results)
    rows = {tool: ask(tool, [*args.python, sys.executable], [args.truth, args.results]) for tool in TOOLS}
    print("chestlib     {version:<11} AP50 {AP50:.6f}  AP {AP:.6f}  of {images} images, {boxes} boxes".format(**ours))
    bad = False
    for tool, row in rows.items():
        if "AP" in row:
            row["apart"] = max(abs(row[name] - ours[name]) for name in ("AP50", "AP"))
            print(f"{tool:<12}", "{version:<11} AP50 {AP50:.6f}  AP {AP:.6f}  apart {apart:.1e}".format(**row))
        else:
            print(f"{tool:<12}", *row.values())
        bad |= "failed" in row or row.get("apart", 0) > TOLERANCE[tool]
    if args.json:
        before = json.loads(args.json.read_text()) if args.json.is_file() else {}  # what it is of, and the cases
        args.json.write_text(json.dumps({**before, "chestlib": ours, **rows}, indent=2) + "\n")
    sys.exit(bad)


if __name__ == "__main__":
    main()
