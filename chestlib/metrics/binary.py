"""Stage 1: scores of a yes-or-no classifier, its operating point, curves and calibration.

An image is called diseased when its probability is at least the threshold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from chestlib.data import splits
from chestlib.errors import ChestlibError
from chestlib.metrics.intervals import Clusters, bootstrap_intervals, rates, ratio
from chestlib.metrics.matching import Truth, names_of
from chestlib.settings import SPECIFICITY_FLOOR


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold, with the sensitivity and specificity it had where it was chosen."""

    threshold: float
    sensitivity: float
    specificity: float


@dataclass(frozen=True, eq=False)
class Curves:
    """ROC and precision-recall curves, one point a distinct probability, from strict to lax; (k,) each."""

    threshold: np.ndarray
    sensitivity: np.ndarray
    specificity: np.ndarray
    precision: np.ndarray


@dataclass(frozen=True, eq=False)
class Reliability:
    """Reliability diagram: mean probability, diseased share and number of images per bin; NaN in an empty bin."""

    probability: np.ndarray
    frequency: np.ndarray
    count: np.ndarray
    expected_calibration_error: float


def ranking(y: np.ndarray, p: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count at each distinct score (k,), from the highest down, true and false positives (r, k) by weights (r, n)."""
    order = np.argsort(-p, kind="stable")
    last = np.flatnonzero(np.diff(p[order], append=np.nan) != 0)
    weights, positive = weights[:, order], y[order]
    true = np.cumsum(weights * positive, axis=1)[:, last]
    false = np.cumsum(weights * ~positive, axis=1)[:, last]
    return p[order][last], true, false


def threshold_at_floor(y: np.ndarray, p: np.ndarray, floor: float = SPECIFICITY_FLOOR) -> OperatingPoint:
    """Find the best sensitivity whose specificity is at least the floor; of equals, the most specific.

    When nothing else reaches the floor (a constant classifier), the threshold lies above every probability and the
    sensitivity is 0.

    Raises
    ------
    ChestlibError
        If the part holds one class only, or too few normal images for a single false positive to stay within the floor.

    Examples
    --------
    >>> diseased, p = np.array([1, 1, 1, 0, 0, 0, 0]), np.array([0.9, 0.6, 0.2, 0.5, 0.3, 0.1, 0.1])
    >>> threshold_at_floor(diseased, p, floor=0.75)  # one of four normal images may be called diseased
    OperatingPoint(threshold=0.6, sensitivity=0.6666666666666666, specificity=1.0)
    """
    y, p = checked(y, p)
    if not 0 <= floor <= 1:
        raise ChestlibError(f"specificity floor {floor}: expected a value from 0 to 1")
    normal = int((~y).sum())
    needed = splits.normals_for(floor)
    if normal < needed:
        raise ChestlibError(
            f"a specificity floor of {floor:g} needs at least {needed} normal images, this part has {normal}; "
            "enlarge the validation part or lower the floor"
        )
    found = curves(y, p)
    allowed = np.flatnonzero(found.specificity >= floor)
    if not allowed.size:
        return OperatingPoint(float(np.nextafter(p.max(), np.inf)), 0.0, 1.0)
    best = allowed[np.argmax(found.sensitivity[allowed])]
    return OperatingPoint(*(float(v[best]) for v in (found.threshold, found.sensitivity, found.specificity)))


def binary_scores(y: np.ndarray, p: np.ndarray, threshold: float) -> dict[str, float]:
    """Recall, precision, f1, accuracy, specificity, auroc and average_precision.

    Precision and F1 are 0 where nobody is called diseased; average precision is the step-wise sum, not interpolated.

    Raises
    ------
    ChestlibError
        If shapes differ, a probability is outside [0, 1] or only one class is present.
    """
    y, p = checked(y, p)
    return {name: float(value[0]) for name, value in weighted_scores(y, p, threshold, np.ones((1, len(y)))).items()}


def binary_intervals(
    y: np.ndarray, p: np.ndarray, threshold: float, clusters: Clusters, resamples: int = 2000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % bootstrap interval of each of :func:`binary_scores`; `clusters` are the patients, one an image."""
    y, p = checked(y, p)
    return bootstrap_intervals(lambda weights: weighted_scores(y, p, threshold, weights), clusters, resamples, seed)


def weighted_scores(y: np.ndarray, p: np.ndarray, threshold: float, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Compute :func:`binary_scores` for every row of weights (r, n); NaN in a row that holds one class only."""
    called = p >= threshold
    right, hits, sick, calls = (weights @ cell for cell in (y == called, y & called, y, called))
    everyone = weights.sum(1)
    _, true, false = ranking(y, p, weights)
    true, false = (np.pad(count, ((0, 0), (1, 0))) for count in (true, false))
    area = (np.diff(false) * (true[:, 1:] + true[:, :-1]) / 2).sum(1)
    precision = np.nan_to_num(ratio(true, true + false))
    return {
        **rates(hits, sick, calls),
        "accuracy": ratio(right, everyone),
        "specificity": ratio(right - hits, everyone - sick),
        "auroc": ratio(area, sick * (everyone - sick)),
        "average_precision": ratio((np.diff(true) * precision[:, 1:]).sum(1), sick),
    }


def confusion_counts(y: np.ndarray, p: np.ndarray, threshold: float) -> np.ndarray:
    """Count [[true negatives, false positives], [false negatives, true positives]]; (2, 2) int64, rows truth."""
    y, p = checked(y, p)
    return np.bincount(2 * y + (p >= threshold), minlength=4).reshape(2, 2)


def curves(y: np.ndarray, p: np.ndarray) -> Curves:
    """Sensitivity, specificity and precision at every distinct probability."""
    y, p = checked(y, p)
    threshold, (true,), (false,) = ranking(y, p, np.ones((1, len(y))))
    normal = (~y).sum()
    return Curves(threshold, true / y.sum(), (normal - false) / normal, true / (true + false))


def reliability(y: np.ndarray, p: np.ndarray, bins: int = 10) -> Reliability:
    """Reliability diagram in equal-width bins, and the expected calibration error.

    Source: Guo et al., "On calibration of modern neural networks", 2017, equation 3, on the probability of disease.
    """
    y, p = checked(y, p)
    index = np.minimum((p * bins).astype(int), bins - 1)
    count = np.bincount(index, minlength=bins)
    probability = ratio(np.bincount(index, p, bins), count)
    frequency = ratio(np.bincount(index, y, bins), count)
    error = np.nansum(count * np.abs(probability - frequency)) / len(y)
    return Reliability(probability, frequency, count, float(error))


def recall_by_finding(truth: Truth, p: np.ndarray, threshold: float) -> dict[str, tuple[float | None, int]]:
    """For each finding, the share of its images that are called diseased (None without any), and their number."""
    called = np.asarray(p) >= threshold
    holders = {name: [i for i, r in enumerate(truth) if name in r.findings] for name in names_of(truth)}
    return {name: (float(called[rows].mean()) if rows else None, len(rows)) for name, rows in holders.items()}


def recall_by_size(
    truth: Truth, p: np.ndarray, threshold: float
) -> list[tuple[tuple[float, float], float | None, int]]:
    """Recall over the images with a box in three equal groups by their largest box.

    Returns
    -------
    list
        Small, medium, large: ((least, greatest) square root of the box area in pixels, recall, number of images).
    """
    rows = [i for i, r in enumerate(truth) if len(r.labels)]
    side = np.array([math.sqrt(np.prod(truth[i].boxes[:, 2:] - truth[i].boxes[:, :2], axis=1).max()) for i in rows])
    called = np.asarray(p)[rows] >= threshold
    return [
        ((float(side[part].min()), float(side[part].max())), float(called[part].mean()), len(part))
        if len(part)
        else ((math.nan, math.nan), None, 0)
        for part in np.array_split(np.argsort(side, kind="stable"), 3)
    ]


def checked(y: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give truth and probabilities (n,) as bool and float; errors as of :func:`binary_scores`."""
    y, p = np.asarray(y).astype(bool), np.asarray(p, float)
    if y.ndim != 1 or y.shape != p.shape:
        raise ChestlibError(f"expected truth (n,) and probabilities (n,); got {y.shape} and {p.shape}")
    if wrong := p[~((p >= 0) & (p <= 1))].tolist():  # NaN too
        raise ChestlibError(f"probabilities lie in [0, 1]; got {wrong[0]}")
    if y.all() or not y.any():
        only = "no images" if not len(y) else "only diseased images" if y.any() else "only normal images"
        raise ChestlibError(f"this part holds {only}; sensitivity and specificity need both, normal and diseased")
    return y, p
