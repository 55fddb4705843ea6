"""How large in millimetres is what a film shows: a pixel's size that does not change when the picture is resized."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Extent:
    """Width and height of the whole picture in mm; a pixel of it is that, divided by its size in pixels.

    Parameters
    ----------
    width, height : float
        Millimetres, positive.
    at_detector : bool
        Measured where the rays were caught: what stands before it, as all of the patient does, is smaller.
    """

    width: float
    height: float
    at_detector: bool = False


def extent_of(size: Sequence[float], spacing: Sequence[float], at_detector: bool = False) -> Extent | None:
    """Multiply a size in pixels, (width, height), by the mm of a pixel across and down; None if that is no length.

    Examples
    --------
    >>> extent_of((2500, 2048), (0.168, 0.168))
    Extent(width=420.0, height=344.064, at_detector=False)
    >>> extent_of((2500, 2048), (0.168, 0.0)) is None
    True
    """
    width, height = (pixels * mm for pixels, mm in zip(size, spacing, strict=True))
    sound = math.isfinite(width + height) and min(width, height, *spacing) > 0
    return Extent(round(width, 4), round(height, 4), at_detector) if sound else None
