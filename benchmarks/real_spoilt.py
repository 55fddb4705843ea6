"""Films as people have them: framed, cropped, stretched, brighter, tilted, small; and pieces that are films no more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from real_films import Film

from chestlib.data import images

SIDE = 384
"""Of the square films that are spoilt, pixels."""


def inside(square: np.ndarray, wide: float, high: float) -> np.ndarray:
    """Shrink a film into a black frame."""
    w, h = round(SIDE * wide), round(SIDE * high)
    frame = np.zeros_like(square)
    frame[(SIDE - h) // 2 :, (SIDE - w) // 2 :][:h, :w] = cv2.resize(square, (w, h), interpolation=cv2.INTER_AREA)
    return frame


def part(square: np.ndarray, top: float, bottom: float, left: float, right: float) -> np.ndarray:
    """Cut a part out, and stretch it to the square as every film is."""
    a, b, c, d = (round(SIDE * share) for share in (top, bottom, left, right))
    return images.square(np.float32(square[a:b, c:d])[None] / 255, SIDE)


def small_jpeg(square: np.ndarray, side: int, quality: int) -> np.ndarray:
    data = cv2.imencode(".jpg", cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA), [1, quality])[1]
    return cv2.resize(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), (SIDE, SIDE))


def tilted(square: np.ndarray) -> np.ndarray:
    return cv2.warpAffine(square, cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), 10, 1), (SIDE, SIDE))


SPOILS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "black frame of a tenth on each side": lambda film: inside(film, 0.8, 0.8),
    "black frame of a quarter on each side": lambda film: inside(film, 0.5, 0.5),
    "black bars of a sixth at left and right": lambda film: inside(film, 2 / 3, 1),
    "a twentieth cut off on each side": lambda film: part(film, 0.05, 0.95, 0.05, 0.95),
    "an eighth cut off on each side": lambda film: part(film, 0.125, 0.875, 0.125, 0.875),
    "not square: a fifth less high, stretched": lambda film: part(film, 0.1, 0.9, 0, 1),
    "not square: a fifth less wide, stretched": lambda film: part(film, 0, 1, 0.1, 0.9),
    "brighter: gamma 0.6": lambda film: np.uint8(255 * (film / 255) ** 0.6 + 0.5),
    "darker: gamma 1.7": lambda film: np.uint8(255 * (film / 255) ** 1.7 + 0.5),
    "tilted by 10 degrees": tilted,
    "192 px, JPEG of quality 40": lambda film: small_jpeg(film, 192, 40),
    "a quarter of a film, below": lambda film: part(film, 0.5, 1, 0, 0.5),
    "a quarter of a film, above": lambda film: part(film, 0, 0.5, 0, 0.5),
    "black bars of a sixth above and below": lambda film: inside(film, 1, 2 / 3),
    "256 px, JPEG of quality 75": lambda film: small_jpeg(film, 256, 75),
}
TAUGHT = [
    name for name in SPOILS if name.startswith(("black frame of a tenth", "black bars", "an eighth", "not square"))
]
"""Those that the guard learns as upright films; of the others it is seen what follows."""


def shrunk(film: Film) -> np.ndarray:
    """Show a film of 1024 px as a JPEG of 512 px."""
    grey = images.square(images.read(film.record.path), 512)
    return images.square(images.decode(cv2.imencode(".jpg", grey, [1, 90])[1].tobytes(), Path("x.jpg")), SIDE)
