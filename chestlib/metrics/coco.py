"""Average precision as COCO defines it: over IoU .50 to .95, at .50 and .75, by box size and per finding.

Equal to pycocotools (tests compare them): 101-point interpolation, at most 100 detections per image and finding, true
boxes outside a size range neither asked for nor counted against. A finding without a true box has no value.

Source: Lin et al., "Microsoft COCO", 2014; cocoeval.py in github.com/cocodataset/cocoapi.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chestlib.files import plain
from chestlib.findings import FINDINGS, ID
from chestlib.metrics.intervals import mean_present, ratio
from chestlib.metrics.matching import Predictions, Ranked, Truth, in_order, overlap

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
    ranks = [coco_ranks(truth, predictions, name) for name in FINDINGS]
    table = np.array([[[average_precision(rank, everyone)[0] for rank in row] for row in rows] for rows in ranks])
    mean = mean_present(np.moveaxis(table, 0, -1))  # of findings: areas, thresholds
    sizes = {f"AP_{name}": row.mean() for name, row in zip(AREAS, mean, strict=True) if name != "all"}
    per_finding = {name: _summary(rows[0]) for name, rows in zip(FINDINGS, table, strict=True)}
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
    found = in_order(truth, predictions)
    true = [r.boxes[r.labels == ID[finding]].astype(float) for r in truth]
    rows = [np.flatnonzero(d.labels == ID[finding])[:MAX_DETECTIONS] for d in found]
    verdicts = [_judge(d.boxes[own].astype(float), b) for d, own, b in zip(found, rows, true, strict=True)]
    boxes = np.stack([(~_outside(b)).sum(1) for b in true], axis=1)
    image = np.repeat(np.arange(len(truth)), [len(own) for own in rows])
    scores = np.concatenate([d.scores[own] for d, own in zip(found, rows, strict=True)])
    order = np.argsort(-scores, kind="stable")
    image, verdict = image[order], np.concatenate(verdicts, axis=2)[:, :, order]
    return [
        [Ranked(image[v != 0], v[v != 0] > 0, own) for v in by_iou] for by_iou, own in zip(verdict, boxes, strict=True)
    ]


def _outside(boxes: np.ndarray) -> np.ndarray:
    """Tell which boxes (n, 4) lie outside which area range; (areas, n) bool."""
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    low, high = np.array(list(AREAS.values())).T[:, :, None]
    outside: np.ndarray = (area < low) | (area > high)
    return outside


def _judge(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """1 for a hit, -1 for a false alarm, 0 for what does not count; (areas, thresholds, n) for n boxes, best first.

    In order of score every box takes the free true box that it overlaps most, one inside the area range if it can; of
    equals the last, as pycocotools does.
    """
    verdict = np.where(_outside(found), 0, -1)[:, None].repeat(len(THRESHOLDS), axis=1)
    if not len(true) or not len(found):
        return verdict
    pairs, outside = overlap(found, true), _outside(true)[:, None]
    free = np.ones((len(AREAS), len(THRESHOLDS), len(true)), bool)
    for d in np.flatnonzero(pairs.max(1) >= THRESHOLDS[0]):
        near = free & (pairs[d] >= THRESHOLDS[:, None])
        inside = near & ~outside
        near = np.where(inside.any(2, keepdims=True), inside, near)
        taken = len(true) - 1 - np.where(near, pairs[d], -1)[:, :, ::-1].argmax(2)
        area, threshold = near.any(2).nonzero()
        taken = taken[area, threshold]
        free[area, threshold, taken] = False
        verdict[area, threshold, d] = ~outside[area, 0, taken]
    return verdict
