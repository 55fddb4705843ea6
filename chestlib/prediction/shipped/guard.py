"""The guard: is it a frontal chest X-ray at all, and upright? A model answers to whatever it is shown.

What a trunk says of films lies in one cloud, of films turned or inverted in others of about the same shape. So the
guard keeps a centre for each pose and one covariance for all: the nearest centre tells the pose, the distance to it
whether it is a film.

Sources: Lee et al., arXiv:1807.03888 (distance to the nearest of several centres with one covariance); Tipping and
Bishop, J. R. Stat. Soc. B 61 (1999) (a covariance of few axes and one variance for the rest).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

POSES = {
    "upright": "",
    "left": "lies on its side; turn it by a quarter clockwise",
    "down": "stands on its head; turn it by half",
    "right": "lies on its side; turn it by a quarter anticlockwise",
    "inverted": "is inverted, air is bright; make it a negative",
}
"""Where the head of a film points, or that black is white; and what is said of it. A mirrored film counts as upright:
there are hearts on the right."""

AXES = 64
"""Of the covariance; more tell no more apart, and are more to ship."""

STRANGE = "looks like no frontal chest X-ray, or like a small or framed copy of one"


def posed(square: np.ndarray) -> dict[str, np.ndarray]:
    """Give an upright film (S, S) uint8 in each of :data:`POSES`."""
    turned = [np.ascontiguousarray(np.rot90(square, quarters)) for quarters in range(4)]  # anticlockwise
    return dict(zip(POSES, [*turned, 255 - square], strict=True))


def fit_guard(
    features: np.ndarray,
    poses: Sequence[str],
    patients: Sequence[str],
    kept: float = 0.99,
    folds: int = 5,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Learn from films in all poses how far from its kind a film may be.

    Parameters
    ----------
    features : (n, d)
        Of each picture, as :func:`chestlib.train.linear.pooled` gives them.
    poses : (n,) sequence of str
        Names in :data:`POSES`; each weighs the same, however many pictures it has.
    patients : (n,) sequence of str
    kept : float
        Share of upright films, of patients that the guard did not learn from, that shall pass.
    folds : int
        In which patients are left out to find that limit.
    seed : int
        Of the folds.

    Returns
    -------
    dict
        What :class:`Guard` takes, for a safetensors file: centres (5, d) float32, spread (d,) float32, axes (d, k)
        float16, variances (k + 1,) float32, the last for all that no axis holds.
    """
    x = np.asarray(features, float)
    pose = np.array([list(POSES).index(name) for name in poses])
    names, patient = np.unique(np.asarray(patients), return_inverse=True)
    fold = np.random.default_rng(seed).permutation(len(names))[patient] % folds
    far = np.zeros(len(x))
    for k in range(folds):
        left_out = fold == k
        guard = Guard(_fit(x[~left_out], pose[~left_out]))
        far[left_out] = guard.distances(x[left_out]).min(1)
    arrays = _fit(x, pose)
    limit = np.quantile(far[pose == 0], kept)
    return arrays | {"variances": (arrays["variances"] * limit**2).astype(np.float32)}


def _fit(x: np.ndarray, pose: np.ndarray) -> dict[str, np.ndarray]:
    """Centres and covariance; distances have no unit yet."""
    centres = np.stack([x[pose == i].mean(0) for i in range(len(POSES))])
    weights = 1 / np.bincount(pose)[pose] / len(POSES)
    off = x - centres[pose]
    spread = np.sqrt(weights @ off**2)
    spread[spread < 1e-6 * (1 + np.abs(centres).max(0))] = np.inf  # a constant feature says nothing
    off *= np.sqrt(weights)[:, None] / spread
    variances, axes = np.linalg.eigh(off.T @ off)
    k = min(AXES, min(x.shape) // 2)
    few, rest = variances[::-1][:k], variances[:-k].mean()
    return {
        "centres": centres.astype(np.float32),
        "spread": spread.astype(np.float32),
        "axes": np.ascontiguousarray(axes[:, ::-1][:, :k], np.float16),
        "variances": np.maximum([*few, rest], 1e-6).astype(np.float32),
    }


class Guard:
    """Says in one line what is wrong with a picture, or nothing.

    Parameters
    ----------
    arrays : dict
        As :func:`fit_guard` gave them.
    """

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.centres, self.spread, self.axes, self.variances = (
            np.asarray(arrays[name], float) for name in ("centres", "spread", "axes", "variances")
        )

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Give how far pictures (n, d) are from films in each of :data:`POSES`; (n, 5), 1 is the limit."""
        away = (np.asarray(features, float)[:, None] - self.centres) / self.spread
        along = away @ self.axes
        beside = np.maximum((away**2).sum(2) - (along**2).sum(2), 0)
        squares: np.ndarray = (along**2 / self.variances[:-1]).sum(2) + beside / self.variances[-1]
        return np.sqrt(squares)

    def __call__(self, features: np.ndarray) -> list[str]:
        """Give a line for each of the pictures (n, d), to be told behind the file's name; "" where nothing is wrong."""
        said = []
        for row in self.distances(features):
            pose = list(POSES.values())[int(row.argmin())]
            if not row.min() <= 1:  # nor is what is no number
                pose = f"{STRANGE} (distance {row.min():.3f}; 99 in 100 real films stay below 1)"
            said.append(f"{pose}; the answer means nothing" if pose else "")
        return said
