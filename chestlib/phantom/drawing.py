"""Layers of a picture: filled outlines, strokes, rounded bodies, smooth noise. Coordinates are px at 1024."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import repeat

import cv2
import numpy as np

from chestlib.phantom.anatomy import SIZE

HALF = SIZE // 2
"""Organs are drawn at half the resolution and enlarged."""


def _fixed(points: np.ndarray, size: int) -> np.ndarray:
    return np.round((np.asarray(points) * (size / SIZE) - 0.5) * 16).astype(np.int32)  # 4 fractional bits


def fill(outlines: list[np.ndarray], size: int = HALF, values: Iterable[float] = repeat(1.0)) -> np.ndarray:
    """Polygons (n, 2), filled with values in [0, 1], later over earlier: (size, size) float32."""
    layer = np.zeros((size, size), np.uint8)
    for outline, value in zip(outlines, values, strict=False):
        cv2.fillPoly(layer, [_fixed(outline, size)], round(255 * value), cv2.LINE_AA, 4)
    return layer.astype(np.float32) / 255


def bands(curves: list[tuple[np.ndarray, float, float]]) -> np.ndarray:
    """Strokes (points (n, 2), width px, value in [0, 1]) of any width, later over earlier: (512, 512) float32."""
    outlines = []
    for points, width, _ in curves:
        along = np.gradient(points, axis=0)
        across = np.stack([-along[:, 1], along[:, 0]], 1) / (np.hypot(*along.T)[:, None] + 1e-6) * (width / 2)
        outlines.append(np.concatenate([points + across, (points - across)[::-1]]))
    return fill(outlines, values=[value for _, _, value in curves])


def lines(strokes: list[tuple[Sequence[np.ndarray] | np.ndarray, int, float]]) -> np.ndarray:
    """Thin strokes (curves (m, n, 2); width in whole px; value in [0, 1]): (1024, 1024) float32."""
    layer = np.zeros((SIZE, SIZE), np.uint8)
    for curves, width, value in strokes:
        cv2.polylines(layer, list(_fixed(np.asarray(curves), SIZE)), False, round(255 * value), width, cv2.LINE_AA, 4)
    return layer.astype(np.float32) / 255


def blur(layer: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur, sigma in px of the layer."""
    return cv2.GaussianBlur(layer, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def dome(outline: np.ndarray, radius: float) -> np.ndarray:
    """Thickness of a rounded body: 1 from `radius` px inside its outline, 0 at the outline; (512, 512) float32."""
    mask = fill([outline])
    depth = cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 5) * (SIZE / HALF / radius)
    return np.sqrt(np.clip(1 - (1 - np.minimum(depth, 1)) ** 2, 0, None)) * mask


def enlarge(layer: np.ndarray) -> np.ndarray:
    """Bring a layer to the design size."""
    return cv2.resize(layer, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)


def fractal(rng: np.random.Generator, size: int, first: int, octaves: int, gain: float) -> np.ndarray:
    """Smooth noise (size, size): octaves from `first` cells a side, each `gain` times the one before; deviation 1."""
    total = np.zeros((size, size), np.float32)
    for k in range(octaves):
        cells = min(first << k, size)
        noise = rng.standard_normal((cells, cells), np.float32) * np.float32(gain**k)
        total += cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
    return total / total.std()


@cache
def _bank() -> np.ndarray:
    return fractal(np.random.default_rng(7), 2 * SIZE, 16, 8, 0.62)


def texture(rng: np.random.Generator) -> np.ndarray:
    """Take a random cut (1024, 1024), perhaps mirrored, out of one large field of smooth noise."""
    y, x = rng.integers(SIZE, size=2)
    return cv2.flip(_bank()[y : y + SIZE, x : x + SIZE], int(rng.integers(-1, 2)))
