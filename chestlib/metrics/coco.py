"""Average precision as COCO defines it: over IoU .50 to .95, at .50 and .75, by box size and per finding.

Equal to pycocotools (tests compare them): 101-point interpolation, at most 100 detections per image and finding, true
boxes outside a size range neither asked for nor counted against. A finding without a true box has no value. Every box
is one to find, COCO's crowds too; sizes are those of boxes, not `area`; coordinates and scores are float32.

Source: Lin et al., "Microsoft COCO", 2014; cocoeval.py in github.com/cocodataset/cocoapi.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chestlib.data import images
from chestlib.errors import ChestlibError
from chestlib.files import plain
from chestlib.metrics.intervals import mean_present, ratio
from chestlib.metrics.matching import (
    IOU,
    Criterion,
    Pool,
    Predictions,
    Ranked,
    Truth,
    fitting,
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
SHARES = {"small": (0, 0.01), "medium": (0.01, 0.05), "large": (0.05, 1.0)}
"""Shares of the film's area: each holds about a third of ChestX-Det10's boxes."""
MOST = (1, 10, MAX_DETECTIONS)
"""Detections an image and finding, of average recall."""


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
    ranks = (_by_area(true, found, i, looked) for i in range(1, len(names) + 1))  # one by one: they are large
    table = np.array([[[average_precision(rank, everyone)[0] for rank in row] for row in rows] for rows in ranks])
    mean = mean_present(np.moveaxis(table, 0, -1))  # of findings: areas, thresholds
    sizes = {f"AP_{name}": row.mean() for name, row in zip(AREAS, mean, strict=True) if name != "all"}
    per_finding = {name: _summary(rows[0]) for name, rows in zip(names, table, strict=True)}
    return dict(plain({**_summary(mean[0]), **sizes, "per_finding": per_finding}))


def _summary(by_threshold: np.ndarray) -> dict[str, float]:
    return {"AP": by_threshold.mean(), "AP50": by_threshold[0], "AP75": by_threshold[5]}


def average_precision(ranked: Ranked, weights: np.ndarray) -> np.ndarray:
    """Area under the interpolated precision-recall curve, one a row of weights (r, images); (r,), NaN without a box."""
    hits, before, _, boxes = ranked.at_hits(weights)
    hits = np.cumsum(hits, axis=1)
    precision = np.nan_to_num(ratio(hits, hits + before))
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    # How many of the 101 recalls each hit is the first to reach; what is never recalled counts 0.
    reached = np.searchsorted(RECALLS, ratio(hits, boxes[:, None]), side="right")
    area = (np.diff(reached, axis=1, prepend=0) * precision).sum(1) / len(RECALLS)
    return np.where(boxes > 0, area, np.nan)


def average_recall(truth: Truth, predictions: Predictions) -> dict[str, float | None]:
    """COCO's AR@1, 10 and 100: recall with so many detections an image and finding, over IoU .50 to .95 and findings.

    Returns
    -------
    dict
        {"1", "10", "100"}; None where the truth holds no box.
    """
    true, found = pooled(truth), pooled_detections(truth, predictions)
    recalls = []
    for label in range(1, len(names_of(truth)) + 1):
        own, said = true[true.labels == label], _best(found[found.labels == label])
        hit = _judge(said, own, tuple(THRESHOLDS), *_anywhere(said, own))[0][0] > 0
        at_most = [hit[:, _place(said.image) < most].sum() / len(THRESHOLDS) for most in MOST]
        recalls.append(ratio(np.array(at_most), np.array(len(own))))
    return dict(plain(dict(zip(map(str, MOST), mean_present(np.stack(recalls, axis=1)), strict=True))))


def share_scores(truth: Truth, predictions: Predictions) -> dict[str, dict[str, Any]] | None:
    """AP50 and number of boxes by their share of the film's area; None where no size of a film is known.

    Returns
    -------
    dict
        {"small": {"AP50", "boxes"}, "medium", "large"}: below 1 %, to 5 %, and above. As with COCO's sizes, boxes of
        other sizes are neither asked for nor counted against.
    """
    films = film_areas(truth)
    if films is None:
        return None
    true, found, looked = pooled(truth), pooled_detections(truth, predictions), looked_for(truth)
    limits, everyone = list(SHARES.values()), np.ones((1, len(truth)))
    rows = []
    for label in range(1, len(names_of(truth)) + 1):
        own, said = true[true.labels == label], _best(found[found.labels == label])
        outside = (_outside(pool.boxes, limits, films[pool.image]) for pool in (said, own))
        ranks = _ranks(own, said, (IOU,), looked[:, label - 1], *outside)
        rows.append([average_precision(ranked, everyone)[0] for (ranked,) in ranks])
    boxes = (~_outside(true.boxes, limits, films[true.image])).sum(1)
    values = zip(SHARES, mean_present(np.transpose(rows)), boxes, strict=True)
    return dict(plain({name: {"AP50": value, "boxes": n} for name, value, n in values}))


def film_areas(truth: Truth) -> np.ndarray | None:
    """Give the area of each film in square pixels, (images,); None if one of them is not known."""
    areas = []
    for record in truth:
        try:
            size = record.size or (images.size(record.path) if record.path else None)
        except ChestlibError:
            size = None
        if size is None:
            return None
        areas.append(float(size[0] * size[1]))
    return np.array(areas)


def coco_ranks(truth: Truth, predictions: Predictions, finding: str) -> list[list[Ranked]]:
    """One finding's detections over all images, one ranking an area (in the order of AREAS) and IoU threshold."""
    label = names_of(truth).index(finding) + 1
    return _by_area(pooled(truth), pooled_detections(truth, predictions), label, looked_for(truth))


def _by_area(true: Pool, found: Pool, label: int, looked: np.ndarray) -> list[list[Ranked]]:
    true, found = true[true.labels == label], _best(found[found.labels == label])
    outside = (_outside(pool.boxes, list(AREAS.values())) for pool in (found, true))
    return _ranks(true, found, tuple(THRESHOLDS), looked[:, label - 1], *outside)


def ranks_by(
    truth: Truth, predictions: Predictions, criteria: Sequence[Criterion], finding: str | None = None
) -> list[list[Ranked]]:
    """Each finding's detections, or one's, one ranking a criterion of a hit, matched as COCO does."""
    true, found, looked = pooled(truth), pooled_detections(truth, predictions), looked_for(truth)
    ranks = []
    for label, name in enumerate(names_of(truth), start=1):
        if finding in (None, name):
            own, said = true[true.labels == label], _best(found[found.labels == label])
            ranks.append(_ranks(own, said, criteria, looked[:, label - 1], *_anywhere(said, own))[0])
    return ranks


def _ranks(
    true: Pool,
    found: Pool,
    criteria: Sequence[Criterion],
    looked: np.ndarray,
    found_outside: np.ndarray,
    true_outside: np.ndarray,
) -> list[list[Ranked]]:
    """Rank the detections of one finding; a list an area, in it one ranking a criterion."""
    counts = [np.bincount(true.image[~outside], minlength=len(looked)) for outside in true_outside]
    verdict, _ = _judge(found, true, criteria, found_outside, true_outside)
    order = np.argsort(-found.scores, kind="stable")
    image, verdict = found.image[order], verdict[:, :, order]
    return [
        [Ranked(image[v != 0], v[v != 0] > 0, boxes, looked) for v in by_criterion]
        for by_criterion, boxes in zip(verdict, counts, strict=True)
    ]


def claims(found: Pool, true: Pool, criterion: Criterion = IOU) -> tuple[np.ndarray, np.ndarray]:
    """Match boxes of all findings: 1 for a hit, -1 for a false alarm, 0 beyond the first hundred; true boxes hit."""
    counts = np.zeros(len(found), bool)
    for label in np.unique(found.labels):
        rows = np.flatnonzero(found.labels == label)
        counts[rows[_place(found.image[rows]) < MAX_DETECTIONS]] = True
    verdict = np.zeros(len(found), np.int8)
    own, free = _judge(found[counts], true, [criterion], *_anywhere(found[counts], true))
    verdict[counts] = own[0, 0]
    return verdict, ~free[0, 0]


def _best(found: Pool) -> Pool:
    return found[_place(found.image) < MAX_DETECTIONS]


def _place(image: np.ndarray) -> np.ndarray:
    """Count boxes before each one in its own image, of images (n,) in ascending order; (n,)."""
    return np.arange(len(image)) - np.searchsorted(image, image)


def _anywhere(found: Pool, true: Pool) -> tuple[np.ndarray, np.ndarray]:
    """Tell that no box lies outside: one area, all sizes."""
    return np.zeros((1, len(found)), bool), np.zeros((1, len(true)), bool)


def _outside(boxes: np.ndarray, limits: Sequence[tuple[float, float]], whole: np.ndarray | float = 1.0) -> np.ndarray:
    """Tell which boxes (n, 4) lie outside which range of their area, as a part of the whole; (ranges, n) bool."""
    boxes = boxes.astype(float)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1) / whole
    low, high = np.array(limits).T[:, :, None]
    outside: np.ndarray = (area < low) | (area > high)
    return outside


def _judge(
    found: Pool, true: Pool, criteria: Sequence[Criterion], found_outside: np.ndarray, true_outside: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """1 for a hit, -1 for a false alarm, 0 for what does not count, (areas, criteria, n); and the true boxes left over.

    In order of score every box takes the free true box that it overlaps most, one inside the area range if it can; of
    equals the last, as pycocotools does. All images take their turns together: first the best box of each, then the
    second; boxes that are near no true box have none.
    """
    verdict = np.where(found_outside, 0, -1).astype(np.int8)[:, None].repeat(len(criteria), axis=1)
    row, column, iou = pairs(_exact(found), _exact(true))
    fits = [fitting(found, true, row, column, iou, criterion) for criterion in criteria]
    fit = np.stack([value >= limit for value, limit in fits])
    near = np.flatnonzero(fit.any(0))
    if not len(near):
        return verdict, np.ones((len(true_outside), len(criteria), len(true)), bool)
    near = near[np.lexsort((-column[near], -iou[near], row[near]))]  # each box's favourite first
    row, column, fit = row[near], column[near], fit[:, near]
    boxes, count = np.unique(row, return_counts=True)
    turn = np.repeat(_place(found.image[boxes]), count)
    free = np.ones((len(true_outside), len(criteria), len(true)), bool)
    order = np.argsort(turn, kind="stable")
    for own in np.split(order, np.cumsum(np.bincount(turn))[:-1]):
        d, t, n = row[own], column[own], len(own)
        able = free[:, :, t] & fit[:, own]
        rank = np.arange(n) + n * true_outside[:, None, t]  # inside the range comes before outside, then favourites
        start = np.flatnonzero(np.diff(d, prepend=-1))
        best = np.minimum.reduceat(np.where(able, rank, 2 * n), start, axis=2)
        area, criterion, which = (best < 2 * n).nonzero()
        chosen = best[area, criterion, which] % n
        free[area, criterion, t[chosen]] = False
        verdict[area, criterion, d[chosen]] = ~true_outside[area, t[chosen]]
    return verdict, free


def _exact(boxes: Pool) -> Pool:
    return replace(boxes, boxes=boxes.boxes.astype(float))
