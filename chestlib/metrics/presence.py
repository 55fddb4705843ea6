"""Is the finding there? Each image's multi-label call: a finding is present when its best box reaches a threshold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chestlib.metrics.binary import ranking
from chestlib.metrics.intervals import rates, ratio
from chestlib.metrics.matching import Predictions, Truth, names_of, pooled, pooled_detections

DEFAULT_THRESHOLD = 0.5
"""Where no validation part has chosen one."""


def present(truth: Truth) -> np.ndarray:
    """Which findings each image holds; (images, findings) bool."""
    there, true = np.zeros((len(truth), len(names_of(truth))), bool), pooled(truth)
    there[true.image, true.labels - 1] = True
    return there


def best_scores(truth: Truth, predictions: Predictions) -> np.ndarray:
    """Score of the best box per image and finding, -1 without one; (images, findings)."""
    best, found = np.full((len(truth), len(names_of(truth))), -1.0), pooled_detections(truth, predictions)
    np.maximum.at(best, (found.image, found.labels - 1), found.scores)
    return best


def choose_thresholds(truth: Truth, predictions: Predictions) -> dict[str, float]:
    """Choose the threshold of each finding with the best image-level F1, on a validation part.

    Only thresholds that call at most twice as many images as hold the finding: where a detector knows nothing, the best
    F1 is that of calling everyone. A finding without a true or a predicted box there, or without such a threshold,
    keeps `DEFAULT_THRESHOLD`.
    """
    chosen = {}
    for name, y, score in zip(names_of(truth), present(truth).T, best_scores(truth, predictions).T, strict=True):
        chosen[name] = DEFAULT_THRESHOLD
        if y.any() and (score >= 0).any():
            thresholds, true, false = ranking(y, score, np.ones((1, len(y))))
            calls = true[0] + false[0]
            f1 = np.where((thresholds >= 0) & (calls <= 2 * y.sum()), 2 * true[0] / (calls + y.sum()), 0)
            if f1.any():
                chosen[name] = float(thresholds[f1.argmax()])
    return chosen


def called(truth: Truth, predictions: Predictions, thresholds: Mapping[str, float]) -> np.ndarray:
    """Which findings are called present in each image; (images, findings) bool."""
    return best_scores(truth, predictions) >= [thresholds[name] for name in names_of(truth)]


def presence_scores(
    truth: np.ndarray, call: np.ndarray, weights: np.ndarray, looked: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Accuracy, recall, precision and f1 of each finding for every row of weights (r, images); (r, findings) each.

    NaN for a finding that the (weighted) truth lacks. Precision is 0 where the finding is never called.

    Parameters
    ----------
    truth, call : (images, findings) bool
    looked : (images, findings) bool, optional
        Where somebody looked for the finding (:func:`looked_for`); others count for nothing. Default: everywhere.
    """
    looked = np.ones_like(truth) if looked is None else looked
    cells = ((truth == call) & looked, truth & call & looked, truth & looked, call & looked, looked)
    right, hits, true, calls, all_ = (weights @ cell for cell in cells)
    scores = {"accuracy": ratio(right, all_), **rates(hits, true, calls)}
    return {name: np.where(true > 0, value, np.nan) for name, value in scores.items()}
