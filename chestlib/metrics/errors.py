"""What errors cost, and why boxes are missed: TIDE's six kinds of errors, and misses sorted as false alarms are.

A false alarm is of the first kind that fits: `localisation`, its finding is there and overlaps it by .1 to .5; `class`,
another finding overlaps it by .5; `duplicate`, its finding is there and was hit already; `background`, nothing overlaps
it by more than .1; `both`, the rest. `missed` are true boxes that no detection hit, nor would hit with another name or
a better box. What a kind costs, dAP, is what AP50 gains when an oracle mends all errors of that kind alone.

Source: Bolya, Foley, Hays, Hoffman, "TIDE: a general toolbox for identifying object detection errors", ECCV 2020,
arXiv:2008.08115, and github.com/dbolya/tide for what the paper leaves open (the order; of several errors that would
mend one true box the best-scored does, others fall away). Two differences: 100 detections an image *and finding*
count, as in COCO, and a finding that the truth lacks enters no mean. As in TIDE, a finding without a single hit stays
at 0 when its missed boxes are taken away: nothing is gained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chestlib.files import plain
from chestlib.metrics.coco import AREAS, SHARES, average_precision, claims, film_areas
from chestlib.metrics.intervals import mean_present
from chestlib.metrics.matching import (
    IOU,
    Pool,
    Predictions,
    Ranked,
    Truth,
    match_all,
    names_of,
    pairs,
    pooled,
    pooled_detections,
)

NEAR = 0.1
"""Overlap from which a box is taken to mean what it overlaps."""
KINDS = ("class", "localisation", "both", "duplicate", "background")
CAUSES = ("score too low", "poor box", "named otherwise", "too small", "not seen")


@dataclass(frozen=True)
class Missed:
    """A true box that no called detection hits, and why: the file, its index among the true boxes there, the cause."""

    file_name: str
    index: int
    cause: str


@dataclass(frozen=True, eq=False)
class Alarm:
    """A called detection that is wrong: the file, its label, box (4,) in pixels of the film and score, the kind."""

    file_name: str
    label: int
    box: np.ndarray
    score: float
    kind: str


def error_scores(truth: Truth, predictions: Predictions, thresholds: Mapping[str, float]) -> dict[str, Any]:
    """Tell what each kind of error costs, over all scores, and how many of each the thresholds leave.

    Returns
    -------
    dict
        dAP {class, localisation, both, duplicate, background, missed}, None without a true box; false_alarms {kind: n}
        among detections that reach their finding's threshold; misses {cause: n}, see :func:`missed_boxes`; and
        misses_of {finding: {cause: n}}.
    """
    true = pooled(truth)
    found, hit, used = _claimed(truth, predictions, true)
    kind, target = _kinds(found, true, hit, used)
    called = kind[found.scores >= _least(truth, thresholds)[found.labels]]
    missed, cause = _missed(truth, predictions, thresholds)
    counts = np.zeros((len(names_of(truth)), len(CAUSES)), int)
    np.add.at(counts, (missed.labels - 1, cause), 1)
    of = {name: dict(zip(CAUSES, row, strict=True)) for name, row in zip(names_of(truth), counts, strict=True)}
    return dict(
        plain(
            {
                "dAP": _costs(found, true, hit, used, kind, target, len(names_of(truth))),
                "false_alarms": {name: int((called == i).sum()) for i, name in enumerate(KINDS)},
                "misses": dict(zip(CAUSES, counts.sum(0), strict=True)),
                "misses_of": of,
            }
        )
    )


def false_alarms(truth: Truth, predictions: Predictions, thresholds: Mapping[str, float]) -> list[Alarm]:
    """List the false alarms that reach their finding's threshold, each with its kind, best score first."""
    true = pooled(truth)
    found, hit, used = _claimed(truth, predictions, true)
    kind, _ = _kinds(found, true, hit, used)
    called = np.flatnonzero((kind >= 0) & (found.scores >= _least(truth, thresholds)[found.labels]))
    return [
        Alarm(truth[found.image[i]].file_name, int(found.labels[i]), found.boxes[i], float(found.scores[i]), KINDS[k])
        for i, k in ((i, kind[i]) for i in called[np.argsort(-found.scores[called], kind="stable")])
    ]


def _claimed(truth: Truth, predictions: Predictions, true: Pool) -> tuple[Pool, np.ndarray, np.ndarray]:
    """Pool the detections that count; which of them hit, and which true boxes are hit."""
    found = pooled_detections(truth, predictions)
    hit, used = claims(found, true)
    return found[hit != 0], hit[hit != 0] > 0, used


def _least(truth: Truth, thresholds: Mapping[str, float]) -> np.ndarray:
    """Give the threshold of each label, from 0 on."""
    return np.array([0.0, *(thresholds[name] for name in names_of(truth))])


def _kinds(found: Pool, true: Pool, hit: np.ndarray, used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort detections: index of the kind (n,), -1 for hits; and the true box that a mended one would hit, or -1."""
    row, column, iou = pairs(_unlabelled(found), _unlabelled(true))
    same = found.labels[row] == true.labels[column]
    n = len(found)
    (own, mine), (other, theirs) = (_top(row[of], column[of], iou[of], n) for of in (same, ~same))
    (again, _), (any_, _) = (_top(row[of], column[of], iou[of], n) for of in (same & used[column], iou >= 0))
    tests = [(own >= NEAR) & (own <= IOU), other >= IOU, again >= IOU, any_ <= NEAR]
    kind = np.select(tests, [KINDS.index(k) for k in ("localisation", "class", "duplicate", "background")], 2)
    target = np.select(tests[:2], [mine, theirs], -1)
    return np.where(hit, -1, kind), np.where(hit, -1, target)


def _top(row: np.ndarray, column: np.ndarray, iou: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the best overlap of each of n detections, 0 without any, and with which true box: of equals the first."""
    best, which = np.zeros(n), np.full(n, -1)
    order = np.lexsort((column, -iou, row))
    row, column, iou = row[order], column[order], iou[order]
    first = np.flatnonzero(np.diff(row, prepend=-1))
    best[row[first]], which[row[first]] = iou[first], column[first]
    return best, which


def _costs(
    found: Pool, true: Pool, hit: np.ndarray, used: np.ndarray, kind: np.ndarray, target: np.ndarray, findings: int
) -> dict[str, float]:
    """Mend one kind at a time and tell what AP50 gains."""
    boxes = np.bincount(true.labels, minlength=findings + 1)[1:]
    there = boxes > 0
    base = _mean_ap(found, hit, boxes, there)
    mending = np.zeros(len(found), bool)
    aims = np.flatnonzero(target >= 0)
    aims = aims[~used[target[aims]]]
    mending[aims[np.unique(target[aims], return_index=True)[1]]] = True  # best first within an image
    costs = {}
    for i, name in enumerate(KINDS):
        mended = mending & (kind == i)
        now = replace(found, labels=np.where(mended, true.labels[target], found.labels)) if len(true) else found
        keep = (kind != i) | mended
        costs[name] = _mean_ap(now[keep], (hit | mended)[keep], boxes, there) - base
    missed = ~used
    missed[target[aims]] = False
    left = boxes - np.bincount(true.labels[missed], minlength=findings + 1)[1:]
    costs["missed"] = _mean_ap(found, hit, left, there) - base
    return {name: np.maximum(cost, 0) for name, cost in costs.items()}  # NaN stays


def _mean_ap(found: Pool, hit: np.ndarray, boxes: np.ndarray, there: np.ndarray) -> float:
    """AP50 over the findings that are there; one that has no box left counts 0, as in TIDE."""
    values, one = np.full(len(boxes), np.nan), np.ones((1, 1))
    order = np.argsort(-found.scores, kind="stable")
    for i in np.flatnonzero(there):
        own = hit[order[found.labels[order] == i + 1]]
        ranked = Ranked(np.zeros(len(own), np.int64), own, boxes[i : i + 1], np.ones(1, bool))
        values[i] = np.nan_to_num(average_precision(ranked, one)[0])
    return float(mean_present(values))


def missed_boxes(truth: Truth, predictions: Predictions, thresholds: Mapping[str, float]) -> list[Missed]:
    """List the true boxes that no called detection hits (challenge's rule, IoU .5), each with its first cause.

    `score too low`: its finding lies there (IoU .5) below the threshold; `poor box`: its finding is called and overlaps
    it by .1 or more; `named otherwise`: another finding is called there (IoU .5); `too small`: below 1 % of the film,
    or 32 x 32 pixels where the size of a film is unknown; `not seen`: the rest.
    """
    missed, cause = _missed(truth, predictions, thresholds)
    rows = zip(missed.image.tolist(), missed.scores.astype(int).tolist(), cause.tolist(), strict=True)
    return [Missed(truth[image].file_name, index, CAUSES[i]) for image, index, i in rows]


def _missed(truth: Truth, predictions: Predictions, thresholds: Mapping[str, float]) -> tuple[Pool, np.ndarray]:
    """Pool the missed boxes, with their index in their image for a score, and the index of their cause."""
    true, found = pooled(truth), pooled_detections(truth, predictions)
    called = found.scores >= _least(truth, thresholds)[found.labels]
    missed = ~match_all(true, found[called]).found
    row, column, iou = pairs(_unlabelled(found), _unlabelled(true))
    same = found.labels[row] == true.labels[column]

    def some(which: np.ndarray) -> np.ndarray:
        at = np.zeros(len(true), bool)
        at[column[which]] = True
        return at

    films = film_areas(truth)
    area = (true.boxes[:, 2:] - true.boxes[:, :2]).prod(1)
    small = area < (AREAS["small"][1] if films is None else SHARES["small"][1] * films[true.image])
    on = called[row]
    tests = [some(same & ~on & (iou >= IOU)), some(same & on & (iou >= NEAR)), some(~same & on & (iou >= IOU)), small]
    cause = np.select(tests, range(len(tests)), len(tests))
    place = np.arange(len(true)) - np.searchsorted(true.image, true.image)
    return replace(true, scores=place)[missed], cause[missed]


def _unlabelled(boxes: Pool) -> Pool:
    return replace(boxes, boxes=boxes.boxes.astype(float), labels=np.ones_like(boxes.labels))
