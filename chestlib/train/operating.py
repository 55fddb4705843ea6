"""What is chosen on validation: stage 1's threshold, stage 2's of each finding with its map of scores.

Stage 1's is as far above the specificity floor as above the mark for recall, each in its standard errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import logit, ndtr

from chestlib import metrics
from chestlib.data import Record
from chestlib.detections import Detections

RECALL_MARK = 0.90
"""Recall that an operating point shall keep on new images, where the classifier is good enough for both."""

LEAST_NORMALS = 8
"""Normal images from which a distribution can be fitted."""


def operating_point(truth: np.ndarray, probability: np.ndarray, floor: float) -> dict[str, Any]:
    """Choose the threshold on validation.

    A floor that validation just keeps is missed on new images every other time, and some dozens of normal images say
    little of where it lies. So their specificity is read off a normal distribution fitted to their logits, which moves
    less from sample to sample than a count (the binormal model of ROC analysis; Dorfman and Alf, J. Math. Psychol. 6,
    487, 1969); and the threshold divides what room there is: specificity is as many standard errors above its floor as
    recall above :data:`RECALL_MARK`. Where there is no room for both the floor comes first, by one standard error.

    Parameters
    ----------
    truth : (n,) bool
    probability : (n,) float
        Of disease, in [0, 1].
    floor : float
        Least specificity, counted on these images.
    """
    normals, diseased = int((~truth).sum()), int(truth.sum())
    error = max((floor * (1 - floor) / max(1, normals)) ** 0.5, 1e-9)
    aim = max(floor, min(floor + error, 1 - 1 / max(1, normals)))
    point = metrics.threshold_at_floor(truth, probability, aim)
    z = logit(np.clip(probability.astype(float), 1e-6, 1 - 1e-6))
    mean, spread = z[~truth].mean(), z[~truth].std()
    if normals >= LEAST_NORMALS and spread > 0:
        found = metrics.curves(truth, probability)
        fitted = ndtr((logit(np.clip(found.threshold, 1e-6, 1 - 1e-6)) - mean) / spread)
        recall_error = (RECALL_MARK * (1 - RECALL_MARK) / diseased) ** 0.5
        room = np.minimum((fitted - floor) / error, (found.sensitivity - RECALL_MARK) / recall_error)
        room[found.specificity < floor] = -np.inf
        best = int(np.argmax(room))
        if room[best] >= 0:
            chosen = (found.threshold, found.sensitivity, found.specificity)
            point, aim = metrics.OperatingPoint(*(float(v[best]) for v in chosen)), float(fitted[best])
    return {
        "threshold": point.threshold, "chosen_on": "val", "floor": floor, "aim": round(aim, 4),
        "sensitivity": point.sensitivity, "specificity": point.specificity,
    }  # fmt: skip


def finding_points(truth: Sequence[Record], found: Mapping[str, Detections]) -> dict[str, Any]:
    """Choose the threshold of each finding, and calibrate scores, on validation."""
    some = any(len(said) for said in found.values())
    calibration = metrics.calibrate(truth, found).to_json() if some else None
    return {"thresholds": metrics.choose_thresholds(truth, found), "calibration": calibration, "chosen_on": "val"}
