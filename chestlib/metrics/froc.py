"""The challenge's FROC: recall at .05, .1 and .2 false positives an image, per finding and their mean.

Equal to the official program (eval.py in github.com/Deepwise-AILab/ChestX-Det10-Dataset): overlap of .5 with both
border pixels counted; the curve is read where it reaches a rate, before later hits at that rate; a curve that ends
earlier is read at its last false positive, or, without any, at its end. Images without a box count as ground for
false positives, but for findings that nobody looked for there. Two differences: a finding that the truth lacks is left
out (there: NaN), and the curve starts at recall 0 (there it is extrapolated to minus infinity where a hit follows a
false alarm that comes first and already exceeds the rate asked for).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chestlib.files import plain
from chestlib.metrics.intervals import mean_present, ratio
from chestlib.metrics.matching import (
    IOU,
    Criterion,
    Predictions,
    Ranked,
    Truth,
    first_claims,
    looked_for,
    match_all,
    names_of,
    pooled,
    pooled_detections,
)

RATES = (0.05, 0.1, 0.2)
"""False positives an image."""


def froc_scores(
    truth: Truth, predictions: Predictions, rates: Sequence[float] = RATES, criterion: Criterion = IOU
) -> dict[str, Any]:
    """Recall at each rate and their average: the mean over the findings present, and each finding.

    Parameters
    ----------
    criterion : float, or "centre"
        What a hit is: the least overlap with the true box, or that the detection's middle lies in it.

    Returns
    -------
    dict
        {"recall_at": {"0.05": ...}, "average", "per_finding": {finding: {"recall_at", "average"}, or None if absent}}

    Examples
    --------
    >>> from chestlib.data import Record
    >>> from chestlib.detections import Detections
    >>> truth = [Record("a.png", [[0, 0, 50, 50]], [8]), Record("b.png")]
    >>> said = {"a.png": Detections([[2, 0, 50, 50]], [8], [0.9])}
    >>> froc_scores(truth, said)["recall_at"]
    {'0.05': 1.0, '0.1': 1.0, '0.2': 1.0}
    """
    ranks, everyone = froc_ranks(truth, predictions, criterion), np.ones((1, len(truth)))
    mean = _summary(mean_recall(ranks, everyone, rates)[0], rates)
    own = {name: recall_at(ranked, everyone, rates)[0] for name, ranked in ranks.items()}
    per_finding = {name: None if np.isnan(row).any() else _summary(row, rates) for name, row in own.items()}
    return dict(plain({**mean, "per_finding": per_finding}))


def _summary(recalls: np.ndarray, rates: Sequence[float]) -> dict[str, Any]:
    return {"recall_at": {f"{r:g}": v for r, v in zip(rates, recalls, strict=True)}, "average": recalls.mean()}


def froc_ranks(truth: Truth, predictions: Predictions, criterion: Criterion = IOU) -> dict[str, Ranked]:
    """Each finding's detections over all images, in the order of the official program."""
    true, found, looked = pooled(truth), pooled_detections(truth, predictions), looked_for(truth)
    claim = match_all(true, found, criterion).truth
    ranks = {}
    for label, name in enumerate(names_of(truth), start=1):
        rows = np.flatnonzero(found.labels == label)
        # The official call, not a stable sort: tied scores fall here as they fall there, on the same machine.
        rows = rows[np.argsort(found.scores[rows])[::-1]]
        boxes = np.bincount(true.image[true.labels == label], minlength=len(truth))
        ranks[name] = Ranked(found.image[rows], first_claims(claim[rows]), boxes, looked[:, label - 1])
    return ranks


def froc_curves(truth: Truth, predictions: Predictions) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Trace false alarms an image and recall, from (0, 0), for each finding present; "mean" is read at every rate."""
    ranks, everyone = froc_ranks(truth, predictions), np.ones((1, len(truth)))
    curves = {}
    for name, ranked in ranks.items():
        if ranked.boxes.any():
            hits, alarms, boxes = ranked.cumulative(everyone)
            curves[name] = np.append(0, alarms[0] / ranked.looked.sum()), np.append(0, hits[0] / boxes)
    rates = np.unique(np.concatenate([[1 / len(truth)], *(false[false > 0] for false, _ in curves.values())]))
    return {**curves, "mean": (np.append(0, rates), np.append(0, mean_recall(ranks, everyone, rates)[0]))}


def froc_pooled(truth: Truth, predictions: Predictions, criterion: Criterion = IOU) -> tuple[np.ndarray, np.ndarray]:
    """Trace false marks a film and recall with all findings in one heap, from (0, 0), a step a detection, best first.

    This is the free-response curve as readers are told it, and what :class:`chestlib.viewer.BoxViewer` draws when
    somebody reads first. The challenge's mean over findings (:func:`froc_curves`) says little on ten films.

    Examples
    --------
    >>> from chestlib.data import Record
    >>> from chestlib.detections import Detections
    >>> truth = [Record("a.png", [[0, 0, 50, 50]], [8]), Record("b.png")]
    >>> said = {"a.png": Detections([[2, 0, 50, 50], [60, 60, 90, 90]], [8, 3], [0.9, 0.2])}
    >>> [line.tolist() for line in froc_pooled(truth, said)]
    [[0.0, 0.0, 0.5], [0.0, 1.0, 1.0]]
    """
    true, found = pooled(truth), pooled_detections(truth, predictions)
    hit = match_all(true, found, criterion).hit[np.argsort(-found.scores, kind="stable")]
    recall = np.cumsum(hit) / len(true) if len(true) else np.full(len(hit), np.nan)
    return np.append(0.0, np.cumsum(~hit) / len(truth)), np.append(0.0, recall)


def recall_at(ranked: Ranked, weights: np.ndarray, rates: Sequence[float] | np.ndarray = RATES) -> np.ndarray:
    """Recall of one finding at each rate, for every row of weights (r, images); (r, rates), NaN without a true box."""
    hits, before, alarms, boxes = ranked.at_hits(weights)
    ground = np.maximum(weights @ ranked.looked, 1)
    before, last = before / ground[:, None], alarms / ground
    read = [(hits * (before < np.minimum(rate, last)[:, None])).sum(1) for rate in rates]
    found = np.where(last[:, None] == 0, hits.sum(1, keepdims=True), np.stack(read, axis=1))
    return ratio(found, boxes[:, None])


def mean_recall(
    ranks: Mapping[str, Ranked], weights: np.ndarray, rates: Sequence[float] | np.ndarray = RATES
) -> np.ndarray:
    """Recall at each rate, averaged over the findings present; (r, rates)."""
    return mean_present(np.stack([recall_at(ranked, weights, rates) for ranked in ranks.values()], axis=2))
