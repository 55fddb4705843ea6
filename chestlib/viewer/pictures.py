"""Radiographs as pictures for a page: 8-bit grey, no larger than a screen needs, as PNG or JPEG."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from chestlib.data import images
from chestlib.errors import ChestlibError

Source = Any
"""A path, an (H, W) or (1, H, W) array, or None where the image is missing."""


@dataclass(frozen=True)
class Picture:
    """An encoded picture and the size of the original, in whose pixels the boxes are.

    Parameters
    ----------
    data : bytes
        PNG or JPEG.
    width, height : int
        Of the original.
    """

    data: bytes
    width: int
    height: int


def grey(source: Source) -> np.ndarray:
    """Take an image as (1, H, W) float32 in [0, 1].

    Integers are divided by the maximum of their type; floats are taken to lie in [0, 1].

    Raises
    ------
    ChestlibError
        If there is no image, it cannot be read, or it is not one grey image.
    """
    if source is None:
        raise ChestlibError("the image is missing")
    if isinstance(source, str | Path):
        return images.read(Path(source))
    array = np.asarray(source)
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or array.shape[0] != 1 or 0 in array.shape or array.dtype.kind not in "uifb":
        raise ChestlibError(f"an image is (H, W) or (1, H, W), grey; got {array.dtype} of shape {array.shape}")
    if array.dtype.kind in "ui":
        array = array / np.float32(np.iinfo(array.dtype).max)
    return np.clip(np.nan_to_num(array.astype(np.float32)), 0, 1)


def encode(source: Source, side: int, quality: int | None = None) -> Picture:
    """Encode an image, its longer side at most `side` pixels: PNG without loss, JPEG when a `quality` is given.

    Raises
    ------
    ChestlibError
        As in :func:`grey`.
    """
    image = grey(source)
    height, width = image.shape[1:]
    pixels = _eight_bit(_shrink(image, side))
    if quality is None:
        done, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    else:
        done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return Picture(data.tobytes(), width, height)


def drawn(source: Source, boxes: list[tuple[list[float], str, str, bool]], side: int) -> Image.Image:
    """Draw an image with its boxes, for where no script runs.

    Parameters
    ----------
    source : path or array
    boxes : list of (xyxy, text, colour, filled)
        In original pixels; the area of a filled one is tinted.
    side : int
        Longer side of the result at most, pixels.

    Raises
    ------
    ChestlibError
        As in :func:`grey`.
    """
    image = grey(source)
    small = _eight_bit(_shrink(image, side))
    scale = small.shape[1] / image.shape[2]
    picture = Image.fromarray(small).convert("RGB")
    pen, font = ImageDraw.Draw(picture, "RGBA"), ImageFont.load_default(11)
    for box, text, colour, filled in boxes:
        corners = [round(v * scale) for v in box]
        pen.rectangle(corners, fill=f"{colour}28" if filled else None, outline=colour, width=1 if filled else 2)
        left, top = corners[0], corners[3] + 1 if filled else max(corners[1] - 14, 0)
        pen.rectangle([left, top, left + font.getlength(text) + 5, top + 13], fill="#0b0e12" if filled else colour)
        pen.text((left + 3, top), text, fill=colour if filled else "#0b0e12", font=font)
    return picture


def png(picture: Image.Image) -> bytes:
    """Encode as a PNG of 64 colours, a quarter of the size of one in full colour."""
    file = io.BytesIO()
    picture.quantize(64).save(file, "PNG", optimize=True)
    return file.getvalue()


def jpeg(picture: Image.Image) -> bytes:
    """Encode as a JPEG of middling quality."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=80)
    return file.getvalue()


def _shrink(image: np.ndarray, side: int) -> np.ndarray:
    height, width = image.shape[1:]
    scale = min(1.0, side / max(height, width))
    return images.resize(image, (max(1, round(height * scale)), max(1, round(width * scale))))


def _eight_bit(image: np.ndarray) -> np.ndarray:
    return np.round(image[0] * 255).astype(np.uint8)
