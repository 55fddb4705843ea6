"""95 % intervals by resampling patients, not images: two films of one patient are not two independent cases.

A resample is a row of weights, one an image: how often its patient was drawn. Every metric of this package is a
function of such rows, its point value the row of ones, so that thousands of resamples are a few matrix operations.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile interval); Field and
Welsh, "Bootstrapping clustered data", J. R. Stat. Soc. B 69 (2007), for the clusters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from chestlib.errors import ChestlibError

Clusters: TypeAlias = Sequence[Any] | np.ndarray
"""The patient of each image."""

LEVEL = 0.95
CHUNK = 2**19
"""Weights held in memory at once, resamples times images: what a statistic makes of them is many times larger."""


def ratio(part: np.ndarray | float, whole: np.ndarray) -> np.ndarray:
    """`part / whole`, NaN where `whole` is 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, float), np.asarray(whole, float))
    out: np.ndarray = np.full(part.shape, np.nan)
    np.divide(part, whole, out=out, where=whole != 0)
    return out


def rates(hits: np.ndarray, true: np.ndarray, called: np.ndarray) -> dict[str, np.ndarray]:
    """Recall, precision (0 where nothing is called) and f1 of counts of one shape; NaN where they are not defined."""
    return {
        "recall": ratio(hits, true),
        "precision": np.nan_to_num(ratio(hits, called)),
        "f1": ratio(2 * hits, true + called),
    }


def mean_present(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of what is not NaN; NaN where nothing is."""
    return ratio(np.nansum(values, axis=-1), (~np.isnan(values)).sum(-1))


def patient_weights(clusters: Clusters, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """How often each image is drawn when its cluster is drawn with replacement; (resamples, images) float64.

    Examples
    --------
    >>> patient_weights(["a", "a", "b"], 3, np.random.default_rng(0)).tolist()  # both images of a come together
    [[0.0, 0.0, 2.0], [1.0, 1.0, 1.0], [2.0, 2.0, 0.0]]
    """
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    n = index.max() + 1
    drawn = rng.integers(n, size=(resamples, n)) + n * np.arange(resamples)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n)
    return counts[:, index].astype(float)


def resampled(
    statistic: Callable[[np.ndarray], Mapping[str, np.ndarray]],
    clusters: Clusters,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Compute a statistic on resamples of clusters; the same seed draws the same ones, so that two can be compared.

    Parameters
    ----------
    statistic : callable
        From weights (r, images) to named arrays (r, ...); NaN where a resample leaves it undefined.
    clusters : (images,) sequence
        The patient of each image.

    Returns
    -------
    dict
        Name to (resamples, ...).

    Raises
    ------
    ChestlibError
        Without images, or with no resample asked for.
    """
    if not len(clusters) or resamples < 1:
        raise ChestlibError(
            f"bootstrap: got {len(clusters)} images and {resamples} resamples; needs one of each at least"
        )
    rng = np.random.default_rng(seed)
    chunk = max(1, CHUNK // len(clusters))
    sizes = [min(chunk, resamples - start) for start in range(0, resamples, chunk)]
    parts = [statistic(patient_weights(clusters, size, rng)) for size in sizes]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def bootstrap_intervals(
    statistic: Callable[[np.ndarray], Mapping[str, np.ndarray]],
    clusters: Clusters,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of a statistic under resampling of clusters; parameters and errors of :func:`resampled`.

    Returns
    -------
    dict
        Name to (low, high), the central 95 %; NaN, NaN where no resample defines it.
    """
    return {name: interval(values) for name, values in resampled(statistic, clusters, resamples, seed).items()}


def interval(values: np.ndarray) -> tuple[float, float]:
    """Take the central 95 % of resamples (r,), NaN left out; NaN, NaN of nothing."""
    values = values[~np.isnan(values)]
    if not values.size:
        return np.nan, np.nan
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
