"""Linear heads in closed form on the maps of a trunk that does not learn: seconds where descent takes hours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch


def pooled(maps: Sequence[torch.Tensor]) -> torch.Tensor:
    """Mean and maximum of each map (b, c, h, w), one after the other; (b, 2 * all channels) float32."""
    # The mean sees the whole chest, the maximum a single small lesion.
    return torch.cat([part for m in maps for part in (m.float().mean((2, 3)), m.float().amax((2, 3)))], 1)


def balanced(truth: np.ndarray, sources: Sequence[str], shares: dict[str, float]) -> np.ndarray:
    """Weigh films so that within each source both answers weigh the same, and a film as its source's share on average.

    Parameters
    ----------
    truth : (n,) bool
    sources : (n,) sequence of str
        Where each film is from.
    shares : dict
        Source to what one of its films weighs on average.

    Returns
    -------
    (n,) float64

    Notes
    -----
    Where nearly all films of one answer come from one source, a model learns the source. The balance takes that away
    from the two means at least.
    """
    weights, named = np.zeros(len(truth)), np.asarray(sources)
    for source, share in shares.items():
        own = named == source
        for answer in (True, False):
            part = own & (truth == answer)
            weights[part] = share * own.sum() / max(1, part.sum()) / 2
    return weights


def ridge(
    features: np.ndarray, targets: np.ndarray, weights: np.ndarray, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    """Fit targets by weighted least squares with a penalty on the squared slopes of standardised features.

    Parameters
    ----------
    features : (n, d)
    targets : (n, k)
    weights : (n,)
        Of the rows, 0 or more.
    strength : float
        Of the penalty, per row: 1 halves the slope of a feature that is uncorrelated with all others.

    Returns
    -------
    slopes : (d, k) float64
    offsets : (k,) float64
        So that `features @ slopes + offsets` are the fitted values.

    Source: Hoerl and Kennard, Technometrics 12 (1970).
    """
    x, y = np.asarray(features, float), np.asarray(targets, float)
    w = np.asarray(weights, float)[:, None] / np.sum(weights)
    centre, mean = (w * x).sum(0), (w * y).sum(0)
    spread = np.sqrt((w * (x - centre) ** 2).sum(0))
    spread[spread < 1e-6 * (1 + np.abs(centre))] = np.inf  # a constant feature says nothing
    z = (x - centre) / spread
    slopes = np.linalg.solve(z.T @ (w * z) + strength * np.eye(x.shape[1]), z.T @ (w * (y - mean))) / spread[:, None]
    return slopes, mean - centre @ slopes
