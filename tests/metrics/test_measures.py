"""Figures of stage 2 with their n and interval, by what counts as a hit and by size: pycocotools and plain loops."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from random_cases import pycoco, random_case

from chestlib.data import Record
from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS, ID
from chestlib.metrics import average_recall, evaluate, froc_scores, match, share_scores, table
from chestlib.metrics.coco import SHARES
from chestlib.metrics.intervals import patient_weights
from chestlib.metrics.measures import FIGURES, Measures

HALF = dict.fromkeys(FINDINGS, 0.5)


def fits(box, true, criterion, edge=0):
    """Overlap of two boxes, None where the criterion is not met."""
    wide, high = (min(box[k + 2], true[k + 2]) - max(box[k], true[k]) + edge for k in (0, 1))
    common = max(wide, 0) * max(high, 0)
    one, other = ((b[2] - b[0] + edge) * (b[3] - b[1] + edge) for b in (box, true))
    iou = common / (one + other - common)
    if criterion == "centre":
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        return iou if true[0] <= x <= true[2] and true[1] <= y <= true[3] else None
    return iou if iou >= criterion else None


def plain_ap(truth, predictions, label, criterion):
    """Average precision of one finding in plain loops: greedy by score, 101 points."""
    said = []
    for i, record in enumerate(truth):
        found = predictions[record.file_name]
        own = found[found.labels == label]
        said += [(s, i, [*map(float, b)]) for s, b in zip(own.scores, own.boxes, strict=True)]
    true = [[[*map(float, b)] for b in r.boxes[r.labels == label]] for r in truth]
    taken, curve, hits = set(), [], 0
    for n, (_, i, box) in enumerate(sorted(said, key=lambda row: -row[0]), 1):
        free = [(iou, j) for j, t in enumerate(true[i]) if (i, j) not in taken and (iou := fits(box, t, criterion))]
        if free:
            taken.add((i, max(free)[1]))
            hits += 1
        curve.append((hits / sum(map(len, true)), hits / n))
    points = [max((p for r, p in curve if r >= at), default=0) for at in np.linspace(0, 1, 101)]
    return sum(points) / 101


def plain_froc(truth, predictions, label, criterion):
    """FROC average of one finding in plain loops: each box points at its best, border pixels counted."""
    said, true = [], [[[*map(float, b)] for b in r.boxes[r.labels == label]] for r in truth]
    for i, record in enumerate(truth):
        found = predictions[record.file_name]
        own = found[found.labels == label]
        said += [(s, i, [*map(float, b)]) for s, b in zip(own.scores, own.boxes, strict=True)]
    taken, hits, alarms, curve = set(), 0, 0, [(0.0, 0)]
    for _, i, box in sorted(said, key=lambda row: -row[0]):
        near = [(iou, j) for j, t in enumerate(true[i]) if (iou := fits(box, t, criterion, 1))]
        if near and (i, max(near)[1]) not in taken:
            taken.add((i, max(near)[1]))
            hits += 1
        else:
            alarms += 1
        curve.append((alarms / len(truth), hits))
    if not alarms:
        return hits / sum(map(len, true))
    at = [next(h for a, h in curve if a >= min(rate, curve[-1][0])) for rate in (0.05, 0.1, 0.2)]
    return sum(at) / 3 / sum(map(len, true))


@pytest.mark.parametrize("criterion", ["0.3", "0.5", "centre"])
@pytest.mark.parametrize("seed", range(3))
def test_each_criterion_of_a_hit_equals_plain_loops(seed, criterion):
    truth, predictions = random_case(seed, whole=False)
    told = evaluate(truth, predictions)["criteria"][criterion]
    limit = criterion if criterion == "centre" else float(criterion)
    rows = [[plain(truth, predictions, c, limit) for plain in (plain_ap, plain_froc)] for c in range(1, 5)]
    for name, (ap, froc) in zip(FINDINGS[:4], rows, strict=True):
        assert told["per_finding"][name] == pytest.approx({"AP": ap, "froc_average": froc}), name
    own = [row for row in told["per_finding"].values() if row["AP"] is not None]
    assert told["AP"] == pytest.approx(np.mean([row["AP"] for row in own])) and len(own) == 4
    assert told["froc_average"] == pytest.approx(froc_scores(truth, predictions, criterion=limit)["average"])


def test_a_lax_overlap_equals_pycocotools():
    truth, predictions = random_case(4)
    precision = pycoco(truth, predictions, iouThrs=np.array([0.3]))[1]
    told = evaluate(truth, predictions)["criteria"]["0.3"]["per_finding"]
    for k, name in enumerate(FINDINGS[:4]):
        assert told[name]["AP"] == pytest.approx(precision[0, :, k, 0, 2].mean(), abs=1e-12)


def test_the_centre_may_hit_where_the_overlap_does_not_and_the_other_way_round():
    true, small, slipped = [0, 0, 100, 100], [40, 40, 60, 60], [60, 0, 160, 100]
    found = Detections([small, slipped], [8, 8], [0.9, 0.8])
    for criterion, hits in (("centre", [True, False]), (0.2, [False, True]), (0.5, [False, False])):
        assert match(np.array([true]), np.array([8]), found, criterion).hit.tolist() == hits, criterion
    for wrong in (-0.1, 1.5, "edge"):
        with pytest.raises((ChestlibError, TypeError)):
            match(np.array([true]), np.array([8]), found, wrong)


@pytest.mark.parametrize("seed", range(3))
def test_average_recall_and_sizes_equal_pycocotools(seed):
    truth, predictions = random_case(seed, images=30)
    stats, _ = pycoco(truth, predictions)
    assert list(average_recall(truth, predictions).values()) == pytest.approx(list(stats[6:9]), abs=1e-12)
    assert share_scores(truth, predictions) is None, "no size is known"
    films = [replace(r, size=(900, 1000)) for r in truth]
    ranges = [[low * 9e5, high * 9e5] for low, high in SHARES.values()]
    precision = pycoco(truth, predictions, areaRng=ranges, areaRngLbl=list(SHARES))[1]
    for i, row in enumerate(share_scores(films, predictions).values()):
        own = precision[0, :, :, i, 2]
        assert row["AP50"] == (None if own.max() == -1 else pytest.approx(own[own > -1].mean(), abs=1e-12))
    assert sum(row["boxes"] for row in share_scores(films, predictions).values()) == sum(len(r.labels) for r in truth)


def test_every_figure_of_a_resample_is_that_of_the_resampled_part():
    truth, predictions = random_case(5)
    weights = patient_weights([r.patient for r in truth], 6, np.random.default_rng(0))
    drawn = Measures(truth, predictions, HALF, FIGURES)(weights)
    assert set(drawn) == set(FIGURES) and all(value.shape == (6, 10) for value in drawn.values())
    for i, row in enumerate(weights.astype(int)):
        copies = [(f"{copy} {r.file_name}", r) for r, n in zip(truth, row, strict=True) for copy in range(n)]
        part = [Record(name, r.boxes, r.labels) for name, r in copies]
        scores = evaluate(part, {name: predictions[r.file_name] for name, r in copies})
        for k, name in enumerate(FINDINGS):
            own = {**scores["coco"]["per_finding"][name], **scores["per_finding"][name]}
            own["froc"] = (scores["froc"]["per_finding"][name] or {"average": None})["average"]
            own |= {f"box_{key}": value for key, value in scores["boxes"]["per_finding"][name].items()}
            for c in ("0.3", "centre"):
                row_of = scores["criteria"][c]["per_finding"][name]
                own |= {f"AP@{c}": row_of["AP"], f"froc@{c}": row_of["froc_average"]}
            for figure in FIGURES:
                value = drawn[figure][i, k]
                assert (None if np.isnan(value) else pytest.approx(value)) == own[figure], (name, figure)


def test_few_boxes_are_marked_and_not_hidden():
    truth = [Record(f"{i}.png", [[0, 0, 50, 50]], [ID["Mass"] if i else ID["Nodule"]], f"p{i}") for i in range(12)]
    said = {r.file_name: Detections(r.boxes, r.labels, [0.9]) for r in truth}
    scores = json.loads(json.dumps(evaluate(truth, said, bootstrap=50), allow_nan=False))
    assert scores["counts"]["Mass"] == {"boxes": 11, "images": 11, "few": False}
    assert scores["counts"]["Nodule"] == {"boxes": 1, "images": 1, "few": True}
    of = scores["intervals_of_all"]["AP50"]
    assert of["per_finding"]["Mass"] == of["per_finding"]["Nodule"] == of["mean"] == [1, 1]
    assert of["per_finding"]["Fracture"] == [None, None]
    lines = table(scores).splitlines()
    (nodule,), (mass,) = ([i for i, line in enumerate(lines) if line.startswith(name)] for name in ("Nodule", "Mass"))
    assert lines[nodule].split()[:4] == ["Nodule*", "1", "1", "1.000"] and lines[mass].split()[0] == "Mass"
    assert lines[nodule + 1].split()[0] == "1.00-1.00" and any("fewer than ten boxes" in line for line in lines)


def test_intervals_of_all_hold_those_of_the_whole():
    truth, predictions = random_case(6)
    scores = evaluate(truth, predictions, bootstrap=40, seed=3)
    for name, figure in (("AP50", "AP50"), ("froc_average", "froc"), ("macro_f1", "f1")):
        assert scores["intervals"][name] == scores["intervals_of_all"][figure]["mean"]
    assert set(scores["intervals_of_all"]) == set(FIGURES)


def large_case(images=542, detections=25_000):
    """As many films, boxes and detections as the official test part has."""
    rng = np.random.default_rng(0)

    def boxes(n):
        corner, size = rng.uniform(0, 700, (n, 2)), rng.uniform(30, 300, (n, 2))
        return np.hstack([corner, corner + size])

    truth = [
        Record(f"{i}.png", boxes(n := rng.integers(0, 6)), rng.integers(1, 11, n), f"p{i // 2}", size=(1024, 1024))
        for i in range(images)
    ]
    said = {}
    for r in truth:
        near, far = r.boxes + rng.uniform(-14, 14, r.boxes.shape), boxes(detections // images - len(r.boxes))
        labels = np.append(r.labels, rng.integers(1, 11, len(far)))
        said[r.file_name] = Detections(np.vstack([near, far]), labels, rng.random(len(labels)))
    return truth, said


def test_thousands_of_resamples_are_matrix_products():
    """Processor time, not the clock's: whoever shares the machine does not count."""
    truth, said = large_case()
    start = time.process_time()
    evaluate(truth, said, bootstrap=2000)
    assert time.process_time() - start < 20
