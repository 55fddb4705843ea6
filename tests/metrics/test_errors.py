"""What errors cost against TIDE's rules in plain loops, one image and one box after the other; causes by hand."""

from dataclasses import replace

import numpy as np
import pytest
from random_cases import random_case

from chestlib.data import Record
from chestlib.detections import Detections
from chestlib.findings import FINDINGS, ID
from chestlib.metrics import coco_scores, error_scores, evaluate, false_alarms, missed_boxes, table

HALF = dict.fromkeys(FINDINGS, 0.5)


def iou(one, other):
    wide, high = (max(min(one[k + 2], other[k + 2]) - max(one[k], other[k]), 0) for k in (0, 1))
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)]
    return wide * high / (sum(areas) - wide * high)


def judge_image(record, said):
    """TIDE on one image: rows [label, score, hit, kind, label when mended], and the labels of boxes missed for good."""
    true = [(int(c), [*map(float, b)]) for b, c in zip(record.boxes, record.labels, strict=True)]
    rows, owner, claimed = [], {}, {}
    for box, label, score in zip(said.boxes, said.labels, said.scores, strict=True):
        over = [iou([*map(float, box)], t) for _, t in true]
        free = [(o, j) for j, o in enumerate(over) if true[j][0] == label and j not in owner and o >= 0.5]
        if free:
            owner[max(free)[1]] = len(rows)
        rows.append([int(label), float(score), bool(free), None, None, over])
    for n, row in enumerate(rows):
        label, over = row[0], row[5]
        same = {j: o for j, o in enumerate(over) if true[j][0] == label}
        rest = {j: o for j, o in enumerate(over) if true[j][0] != label}
        near, else_ = max(same, key=same.get, default=None), max(rest, key=rest.get, default=None)
        if row[2]:
            continue
        aim = None
        if near is not None and 0.1 <= same[near] <= 0.5:
            row[3], aim = "localisation", near
        elif else_ is not None and rest[else_] >= 0.5:
            row[3], aim = "class", else_
        elif any(o >= 0.5 and j in owner for j, o in same.items()):
            row[3] = "duplicate"
        else:
            row[3] = "background" if max(over, default=0) <= 0.1 else "both"
        if aim is not None and aim not in owner:
            if aim not in claimed:
                row[4] = true[aim][0]
            claimed.setdefault(aim, n)
    return rows, [c for j, (c, _) in enumerate(true) if j not in owner and j not in claimed]


def plain_map(rows, boxes):
    """Mean of 101-point average precision over findings with a true box; 0 where none is left of them."""
    values = []
    for label, total in boxes.items():
        curve, hits = [], 0
        for n, (_, _, hit) in enumerate(sorted((r for r in rows if r[0] == label), key=lambda r: -r[1]), 1):
            hits += hit
            curve.append((hits / total if total else 0, hits / n))
        points = [max((p for r, p in curve if r >= at), default=0) for at in np.linspace(0, 1, 101)]
        values.append(sum(points) / 101 if total else 0)
    return np.mean(values)


@pytest.mark.parametrize("seed", range(6))
def test_what_errors_cost_equals_tide_in_plain_loops(seed):
    truth, predictions = random_case(seed, images=60, findings=3, whole=seed % 2 == 0)
    rows, missed = [], []
    for record in truth:
        own, unseen = judge_image(record, predictions[record.file_name])
        rows, missed = rows + own, missed + unseen
    labels = np.concatenate([r.labels for r in truth]).tolist()
    boxes = {label: labels.count(label) for label in sorted(set(labels))}
    base = plain_map([r[:3] for r in rows], boxes)
    told = error_scores(truth, predictions, HALF)
    assert base == pytest.approx(coco_scores(truth, predictions)["AP50"])
    assert {row[3] for row in rows if row[3]} >= set(told["false_alarms"]) - {"class"}, "nearly every kind is there"
    for kind in told["false_alarms"]:
        mended = [
            [row[4], row[1], True] if row[3] == kind else row[:3]
            for row in rows
            if row[3] != kind or row[4] is not None
        ]
        assert told["dAP"][kind] == pytest.approx(max(plain_map(mended, boxes) - base, 0), abs=1e-12), kind
        called = sum(row[3] == kind and row[1] >= 0.5 for row in rows)
        assert told["false_alarms"][kind] == called
    listed = [(a.kind, a.label, a.score) for a in false_alarms(truth, predictions, HALF)]
    due = [(row[3], row[0], row[1]) for row in rows if row[3] and row[1] >= 0.5]
    assert sorted(listed) == sorted(due) and [s for *_, s in listed] == sorted((s for *_, s in due), reverse=True)
    left = {label: n - missed.count(label) for label, n in boxes.items()}
    assert told["dAP"]["missed"] == pytest.approx(plain_map([r[:3] for r in rows], left) - base, abs=1e-12)


BOX = [100, 100, 400, 400]


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("class", [(BOX, "Nodule", 0.8)]),
        ("localisation", [([100, 100, 400, 200], "Mass", 0.8)]),
        ("both", [([100, 100, 400, 200], "Nodule", 0.8)]),
        ("duplicate", [(BOX, "Mass", 0.9), (BOX, "Mass", 0.8)]),
        ("background", [([600, 600, 700, 700], "Mass", 0.8)]),
    ],
)
def test_each_false_alarm_has_its_kind(kind, found):
    boxes, names, scores = zip(*found, strict=True)
    truth = [Record("a.png", [BOX], [ID["Mass"]])]
    said = {"a.png": Detections(boxes, [ID[name] for name in names], scores)}
    told = error_scores(truth, said, HALF)
    assert {name for name, n in told["false_alarms"].items() if n} == {kind}
    (alarm,) = false_alarms(truth, said, HALF)
    assert (alarm.file_name, alarm.kind, alarm.score) == ("a.png", kind, pytest.approx(0.8))
    assert alarm.label == ID[names[-1]] and alarm.box.tolist() == boxes[-1]
    if kind in ("class", "localisation"):
        assert told["dAP"][kind] == 1 and told["dAP"]["missed"] == 0, "one mended error is the whole"


@pytest.mark.parametrize(
    ("cause", "found"),
    [
        ("score too low", (BOX, "Mass", 0.3)),
        ("poor box", ([100, 100, 400, 200], "Mass", 0.8)),
        ("named otherwise", (BOX, "Nodule", 0.8)),
        ("not seen", ([600, 600, 700, 700], "Mass", 0.8)),
        ("not seen", (BOX, "Nodule", 0.3)),
        (None, (BOX, "Mass", 0.8)),
    ],
)
def test_each_missed_box_has_its_cause(cause, found):
    box, name, score = found
    truth = [Record("a.png", [BOX], [ID["Mass"]], size=(1000, 1000)), Record("b.png", size=(1000, 1000))]
    said = {"a.png": Detections([box], [ID[name]], [score])}
    misses = missed_boxes(truth, said, HALF)
    assert [(m.file_name, m.index, m.cause) for m in misses] == ([("a.png", 0, cause)] if cause else [])
    scores = evaluate(truth, said)
    assert scores["errors"]["misses_of"]["Mass"].get(cause, 0) == (cause is not None)
    assert (f"{cause} 1" in table(scores)) is (cause is not None)


def test_a_box_is_small_as_a_share_of_its_film():
    films = [Record(f"{side}.png", [[0, 0, 50, 50]], [8], size=(side, side)) for side in (400, 1000)]
    assert [m.cause for m in missed_boxes(films, {}, HALF)] == ["not seen", "too small"]
    unknown = [replace(r, size=None) for r in films]
    assert [m.cause for m in missed_boxes(unknown, {}, HALF)] == ["not seen", "not seen"], "COCO's 32 pixels"


def test_without_true_boxes_nothing_is_lost():
    told = error_scores([Record("a.png")], {"a.png": Detections([BOX], [8], [0.9])}, HALF)
    assert set(told["dAP"].values()) == {None} and told["false_alarms"]["background"] == 1
