"""Box by box: which finding is taken for which, with the background for what was missed or made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from chestlib.findings import BACKGROUND
from chestlib.metrics.intervals import rates
from chestlib.metrics.matching import IOU, Pool, Predictions, Truth, match_all, names_of, pooled, pooled_detections


def confusion_matrix(
    truth: Truth, predictions: Predictions, thresholds: Mapping[str, float], iou: float = IOU
) -> np.ndarray:
    """Count true boxes (rows) by what was detected there (columns), int64; id 0 is the background.

    Detections that reach their finding's threshold are matched to true boxes of the same finding first; what is then
    left over on both sides is matched whatever the finding. Row 0 holds false alarms, column 0 missed boxes.
    """
    _, row, column = box_pairs(truth, predictions, thresholds, iou)
    counts = np.zeros((len(names_of(truth)) + 1,) * 2, np.int64)
    np.add.at(counts, (row, column), 1)
    return counts


def box_pairs(
    truth: Truth, predictions: Predictions, thresholds: Mapping[str, float], iou: float = IOU
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List what :func:`confusion_matrix` counts: image, row and column of each pair; (n,) int64 each."""
    limit = np.array([0.0, *(thresholds[name] for name in names_of(truth))])
    true, found = pooled(truth), pooled_detections(truth, predictions)
    found = found[found.scores >= limit[found.labels]]
    same = match_all(true, found, iou)
    missed, left = true[~same.found], found[~same.hit]
    # One label for all: the overlap alone decides.
    other = match_all(_unlabelled(missed), _unlabelled(left), iou)
    hits, mixed = found[same.hit], left[other.hit]
    unseen, invented = missed[~other.found], left[~other.hit]
    parts = [
        (hits.image, hits.labels, hits.labels),
        (mixed.image, missed.labels[other.truth[other.hit]], mixed.labels),
        (unseen.image, unseen.labels, np.full(len(unseen), BACKGROUND)),
        (invented.image, np.full(len(invented), BACKGROUND), invented.labels),
    ]
    image, row, column = (np.concatenate(list(cells)) for cells in zip(*parts, strict=True))
    return image, row, column


def _unlabelled(boxes: Pool) -> Pool:
    return replace(boxes, labels=np.ones_like(boxes.labels))


def box_scores(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Recall, precision and f1 of each finding, (findings,) each, from a :func:`confusion_matrix`.

    NaN for a finding that the truth lacks. Precision is 0 where the finding is never detected.
    """
    boxes = counts.sum(1)
    scores = rates(counts.diagonal(), boxes, counts.sum(0))
    return {name: np.where(boxes > 0, value, np.nan)[1:] for name, value in scores.items()}
