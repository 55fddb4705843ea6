"""What is a box in a file, and what the rounding of its format explains."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

LARGEST = float(np.finfo(np.float32).max)
EDGE = 0.011
"""Pixels by which rounding takes a box over the edge: two decimals (COCO), six of a side of 13,000 (YOLO), float32."""
LARGEST_SIDE = 2**20

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def number_in(value: Any) -> float | None:
    """Take the number out of a number or a text; None for anything else, `true` and "1,5" included."""
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        return float(value)
    return value if type(value) in (int, float) else None


def side_in(value: Any) -> int | None:
    """Take the side of an image, in pixels, out of a number or a text; None for anything else."""
    number = number_in(value)
    return int(number) if number is not None and 0 < number <= LARGEST_SIDE and number == int(number) else None


def four_in(box: Any) -> list[float] | None:
    """Take the four finite numbers out of a list; None for anything else."""
    if not isinstance(box, list) or len(box) != 4:
        return None
    numbers = [number for v in box if (number := number_in(v)) is not None and abs(number) <= LARGEST]
    return numbers if len(numbers) == 4 else None


def corners_in(box: Any) -> Any:
    """Turn x, y, width, height to xyxy; anything else is left for the reading to refuse."""
    if numbers := four_in(box):
        x, y, width, height = numbers
        return [x, y, x + width, y + height]
    return box


def sound(box: Any, size: tuple[int, int] | None) -> tuple[list[float], str]:
    """Give an xyxy box as float32 holds it, clipped where rounding took it over the edge, and what is wrong with it."""
    numbers = four_in(box)
    if numbers is None:
        four = isinstance(box, list) and len(box) == 4 and all(number_in(v) is not None for v in box)
        return [], "is not finite" if four else f"is not four numbers x1, y1, x2, y2{_comma(box)}"
    x1, y1, x2, y2 = numbers
    if x2 < x1 or y2 < y1:
        return [], "is swapped; expected x2 > x1 and y2 > y1"
    x1, y1, x2, y2 = np.array(numbers, np.float32).tolist()
    if x2 == x1 or y2 == y1:
        return [], "is empty; expected x2 > x1 and y2 > y1"
    x1, y1, x2, y2 = clip([x1, y1, x2, y2], size)
    return [x1, y1, x2, y2], "" if x2 > x1 and y2 > y1 else "lies outside the image"


def clip(box: list[float], size: tuple[int, int] | None) -> list[float]:
    """Move the sides of an xyxy box that are over the edge by rounding onto it; others stay for a check to find."""
    (width, height), (x1, y1, x2, y2) = size or (LARGEST, LARGEST), box
    return [
        0.0 if -EDGE <= x1 <= 0 else x1,  # also for -0
        0.0 if -EDGE <= y1 <= 0 else y1,
        float(width) if width < x2 <= width + EDGE else x2,
        float(height) if height < y2 <= height + EDGE else y2,
    ]


def leaves(box: Sequence[float], size: tuple[int, int] | None) -> bool:
    """Tell whether an xyxy box is farther out of its image than rounding explains."""
    x1, y1, x2, y2 = box
    width, height = size or (LARGEST, LARGEST)
    return x1 < -EDGE or y1 < -EDGE or x2 > width + EDGE or y2 > height + EDGE


def _comma(box: Any) -> str:
    commas = isinstance(box, list) and any(isinstance(v, str) and "," in v for v in box)
    return "; write decimals with a point" if commas else ""
