"""The vessels of the lungs: two trees that branch out from the hila."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chestlib.phantom.anatomy import Frame
from chestlib.phantom.drawing import blur, lines

_STEPS = 6  # straight pieces a vessel
_THINNEST = 1.2  # px


def vessels(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Attenuation of the vessels of both lungs, each about as thick as it is wide: (1024, 1024) float32."""
    strokes: dict[int, list[np.ndarray]] = {}
    for side in (-1, 1):
        for points, width in _tree(rng, hilum=(0.10, 0.43 if side < 0 else 0.40)):
            at = frame.lung_point(side, points[..., 0], points[..., 1])
            for w in np.unique(width):
                strokes.setdefault(int(w), []).extend(at[width == w])
    return 0.9 * blur(lines([(at, w, min(0.9, 0.05 + 0.035 * w)) for w, at in sorted(strokes.items())]), 0.7)


def _tree(rng: np.random.Generator, hilum: tuple[float, float]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draw generations of vessels, in lung coordinates: points (n, 7, 2) and width (n,) int, in px."""
    heading = np.concatenate([rng.uniform(-1.45, -0.5, 4), rng.uniform(-0.5, 0.5, 3), rng.uniform(0.5, 1.5, 6)])
    n = len(heading)
    at = hilum + rng.normal(0, 0.03, (n, 2))
    width, reach = rng.uniform(5, 13, n), rng.uniform(0.12, 0.2, n)
    while n:
        angle = heading[:, None] + 0.35 * rng.normal(0, 0.5, (n, _STEPS)).cumsum(1)
        steps = np.stack([np.cos(angle), 0.46 * np.sin(angle)], 2) * (reach / _STEPS)[:, None, None]
        points = np.concatenate([at[:, None], at[:, None] + steps.cumsum(1)], 1)
        yield points, np.maximum(np.rint(width), 1).astype(int)
        go = np.flatnonzero((width > _THINNEST) & (reach > 0.03) & (points[:, -1, 0] < 1.05))
        share = rng.uniform(0.2, 0.75, len(go))
        share = np.concatenate([share, 1 - share])
        sign = np.repeat([-1.0, 1.0], len(go))
        go = np.concatenate([go, go])
        n, at = len(go), points[go, -1]
        heading = 0.5 * (heading[go] + angle[go, -1]) + sign * (0.75 - 0.5 * share)
        width = width[go] * (0.58 + 0.28 * share)
        reach = reach[go] * rng.uniform(0.6, 1, n)
