"""Average precision as COCO defines it: over IoU .50 to .95, at .50 and .75, by box size and per finding.

Equal to pycocotools (tests compare them): 101-point interpolation, at most 100 detections per image and finding, true
boxes outside a size range neither asked for nor counted against. A finding without a true box has no value. Every box
is one to find, COCO's crowds too; sizes are those of boxes, not `area`; coordinates and scores are float32.

Source: Lin et al., "Microsoft COCO", 2014; cocoeval.py in github.com/cocodataset/cocoapi.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from chestlib.files import plain
from chestlib.metrics.intervals import mean_present, ratio
from chestlib.metrics.matching import (
    Pool,
    Predictions,
    Ranked,
    Truth,
    looked_for,
    names_of,
    pairs,
    pooled,
    pooled_detections,
)

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
MAX_DETECTIONS = 100
AREAS = {"all": (0, 1e10), "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}
"""Square pixels of the original image."""


def coco_scores(truth: Truth, predictions: Predictions) -> dict[str, Any]:
    """Every COCO average precision; None where the truth holds no such box.

    Returns
    -------
    dict
        {"AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large", "per_finding": {finding: {"AP", "AP50", "AP75"}}}
    """
    everyone = np.ones((1, len(truth)))
    true, found = pooled(truth), pooled_detections(truth, predictions)
    names, looked = names_of(truth), looked_for(truth)
    ranks = (_ranks(true, found, i, looked) for i in range(1, len(names) + 1))  # one by one: they are large
    table = np.array([[[average_precision(rank, everyone)[0] for rank in row] for row in rows] for rows in ranks])
    mean = mean_present(np.moveaxis(table, 0, -1))  # of findings: areas, thresholds
    sizes = {f"AP_{name}": row.mean() for name, row in zip(AREAS, mean, strict=True) if name != "all"}
    per_finding = {name: _summary(rows[0]) for name, rows in zip(names, table, strict=True)}
    return dict(plain({**_summary(mean[0]), **sizes, "per_finding": per_finding}))


def _summary(by_threshold: np.ndarray) -> dict[str, float]:
    return {"AP": by_threshold.mean(), "AP50": by_threshold[0], "AP75": by_threshold[5]}


def average_precision(ranked: Ranked, weights: np.ndarray) -> np.ndarray:
    """Area under the interpolated precision-recall curve, one a row of weights (r, images); (r,), NaN without a box."""
    hits, alarms, boxes = ranked.cumulative(weights)
    recall = ratio(hits, boxes[:, None])
    precision = np.nan_to_num(ratio(hits, hits + alarms))
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    precision = np.pad(precision, ((0, 0), (0, 1)))  # what is never recalled counts 0
    at = np.stack([np.searchsorted(row, RECALLS) for row in recall])
    return np.where(boxes > 0, np.take_along_axis(precision, at, axis=1).mean(1), np.nan)


def coco_ranks(truth: Truth, predictions: Predictions, finding: str) -> list[list[Ranked]]:
    """One finding's detections over all images, one ranking an area (in the order of AREAS) and IoU threshold."""
    label = names_of(truth).index(finding) + 1
    return _ranks(pooled(truth), pooled_detections(truth, predictions), label, looked_for(truth))


def _ranks(true: Pool, found: Pool, label: int, looked: np.ndarray) -> list[list[Ranked]]:
    true, found = true[true.labels == label], found[found.labels == label]
    found = found[_place(found.image) < MAX_DETECTIONS]
    counts = [np.bincount(true.image[~outside], minlength=len(looked)) for outside in _outside(true.boxes)]
    verdict = _judge(found, true)
    order = np.argsort(-found.scores, kind="stable")
    image, verdict = found.image[order], verdict[:, :, order]
    return [
        [Ranked(image[v != 0], v[v != 0] > 0, boxes, looked[:, label - 1]) for v in by_iou]
        for by_iou, boxes in zip(verdict, counts, strict=True)
    ]


def _place(image: np.ndarray) -> np.ndarray:
    """Count boxes before each one in its own image, of images (n,) in ascending order; (n,)."""
    return np.arange(len(image)) - np.searchsorted(image, image)


def _outside(boxes: np.ndarray) -> np.ndarray:
    """Tell which boxes (n, 4) lie outside which area range; (areas, n) bool."""
    boxes = boxes.astype(float)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    low, high = np.array(list(AREAS.values())).T[:, :, None]
    outside: np.ndarray = (area < low) | (area > high)
    return outside


def _judge(found: Pool, true: Pool) -> np.ndarray:
    """1 for a hit, -1 for a false alarm, 0 for what does not count; (areas, thresholds, n) for n boxes of one finding.

    In order of score every box takes the free true box that it overlaps most, one inside the area range if it can; of
    equals the last, as pycocotools does. All images take their turns together: first the best box of each, then the
    second; boxes that are near no true box have none.
    """
    verdict = np.where(_outside(found.boxes), 0, -1).astype(np.int8)[:, None].repeat(len(THRESHOLDS), axis=1)
    row, column, iou = pairs(_exact(found), _exact(true))
    near = np.flatnonzero(iou >= THRESHOLDS[0])
    if not len(near):
        return verdict
    near = near[np.lexsort((-column[near], -iou[near], row[near]))]  # each box's favourite first
    row, column, iou = row[near], column[near], iou[near]
    boxes, count = np.unique(row, return_counts=True)
    turn = np.repeat(_place(found.image[boxes]), count)
    outside, free = _outside(true.boxes), np.ones((len(AREAS), len(THRESHOLDS), len(true)), bool)
    order = np.argsort(turn, kind="stable")
    for own in np.split(order, np.cumsum(np.bincount(turn))[:-1]):
        d, t, n = row[own], column[own], len(own)
        able = free[:, :, t] & (iou[own] >= THRESHOLDS[:, None])
        rank = np.arange(n) + n * outside[:, None, t]  # inside the range comes before outside, then favourites
        start = np.flatnonzero(np.diff(d, prepend=-1))
        best = np.minimum.reduceat(np.where(able, rank, 2 * n), start, axis=2)
        area, threshold, which = (best < 2 * n).nonzero()
        chosen = best[area, threshold, which] % n
        free[area, threshold, t[chosen]] = False
        verdict[area, threshold, d[chosen]] = ~outside[area, t[chosen]]
    return verdict


def _exact(boxes: Pool) -> Pool:
    return replace(boxes, boxes=boxes.boxes.astype(float))
