"""Heat maps over the films: checked when the viewer is made, sent as small 8-bit PNG when a film is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from chestlib.data import images
from chestlib.errors import ChestlibError
from chestlib.viewer.films import each
from chestlib.viewer.pictures import Source, as_array, size

SIDE = 256
"""Longer side of a map that travels at most, pixels: finer than any network sees."""


def maps(heat: Any, names: Sequence[str], sources: Sequence[Source]) -> list[np.ndarray | None]:
    """Give each image its map as (h, w) uint8.

    Parameters
    ----------
    heat : mapping of file name to map, or sequence of one or None an image
        Maps are (H, W) or (1, H, W) in [0, 1], as :func:`chestlib.figures.cam` gives them. Each is laid over the whole
        film: its shape is the film's, larger or smaller, or a square, into which a model's input is stretched.
    names : sequence of str
    sources : sequence of path or array

    Raises
    ------
    ChestlibError
        If a map is of no image, of another shape, holds NaN, or leaves [0, 1].
    """
    if heat is None:
        return [None] * len(names)
    given = heat if isinstance(heat, Mapping | Sequence) else [heat]  # an array: the map of one film
    return [_checked(*item) for item in zip(each("heat", given, names), names, sources, strict=True)]


def _checked(given: Any, name: str, source: Source) -> np.ndarray | None:
    if given is None:
        return None
    array = as_array(given, f"heat of {name}")
    array = array[0] if array.ndim == 3 and array.shape[0] == 1 else array
    if array.ndim != 2 or 0 in array.shape or array.dtype.kind not in "uifb":
        raise ChestlibError(f"heat of {name}: a map is (H, W) in [0, 1]; got {array.dtype} of shape {array.shape}")
    array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise ChestlibError(f"heat of {name}: {np.count_nonzero(~np.isfinite(array))} values are no numbers")
    if array.min() < 0 or array.max() > 1:
        raise ChestlibError(
            f"heat of {name}: from {array.min():g} to {array.max():g}, expected [0, 1]; give map / map.max()"
        )
    rows, columns = array.shape
    if rows != columns and (film := size(source)):
        width, height = film
        if abs(columns * height - rows * width) > 0.6 * (width + height):  # more than half a pixel of the map
            raise ChestlibError(
                f"heat of {name}: {columns} x {rows} pixels are not in the shape of the film, {width} x {height}, "
                "and no square"
            )
    scale = min(1, SIDE / max(rows, columns))
    small = images.resize(array[None], (max(1, round(rows * scale)), max(1, round(columns * scale))))[0]
    return np.asarray(np.round(small * 255), np.uint8)


def encode(heat: np.ndarray) -> bytes:
    """Encode a map of :func:`maps` as PNG."""
    done, data = cv2.imencode(".png", heat, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    assert done
    return data.tobytes()
