"""Radiographs as pictures for a page: 8-bit grey, no larger than a screen needs, as PNG or JPEG."""

from __future__ import annotations

import io
from contextlib import suppress
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

SLACK = 0.25
"""By how much a float may lie beside [0, 1]: resampling overshoots at an edge."""


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

    Whole numbers, also written as floats, are divided by the smallest of 255, 1023, 4095, 16383 and 65535 that none
    exceeds (see :func:`chestlib.data.images.unit`). Other floats lie in [0, 1]; what resizing adds at an edge is
    clipped, NaN is black. A tensor may stand on any device and ask for its gradient.

    Raises
    ------
    ChestlibError
        If there is no image, it cannot be read, it is not one grey image, or its values lie elsewhere.
    """
    if source is None:
        raise ChestlibError("the image is missing")
    if isinstance(source, str | Path):
        return images.read(Path(source))
    array = as_array(source, "an image")
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or array.shape[0] != 1 or 0 in array.shape or array.dtype.kind not in "uifb":
        raise ChestlibError(f"an image is (H, W) or (1, H, W), grey; got {array.dtype} of shape {array.shape}")
    finite = array[np.isfinite(array)]
    if not finite.size:
        raise ChestlibError("an image of which no value is a number")
    low, high = float(finite.min()), float(finite.max())
    whole = array.dtype.kind in "ui" or (high > 1 and (finite == np.rint(finite)).all())
    array = np.nan_to_num(array, posinf=high, neginf=low)
    if whole and low >= 0 and high < 2**16:
        return images.unit(array if array.dtype == np.uint8 else array.astype(np.uint16))
    if whole or low < -SLACK or high > 1 + SLACK:
        raise ChestlibError(
            f"an image lies in [0, 1], or in whole numbers from 0 to 65535; this one goes from {low:g} to {high:g}: "
            f"give {_advice(low, high)}"
        )
    return np.clip(array.astype(np.float32), 0, 1)


def as_array(given: Any, what: str) -> np.ndarray:
    """Take an array, a tensor or lists of numbers as an array; `what` it is stands in the error for ragged lists."""
    if hasattr(given, "detach"):  # a tensor; NumPy has no bfloat16
        given = given.detach().cpu()
        given = given.float() if given.is_floating_point() else given
    try:
        return np.asarray(given)
    except ValueError:
        raise ChestlibError(f"{what}: rows of different lengths are no array; give (H, W)") from None


def size(source: Source) -> tuple[int, int] | None:
    """Give (width, height) in pixels of an image; None where it cannot be told, which :func:`grey` says aloud."""
    if isinstance(source, str | Path):
        with suppress(ChestlibError):
            return images.size(Path(source))
        return None
    shape: tuple[int, ...] = getattr(source, "shape", ())
    return (int(shape[-1]), int(shape[-2])) if len(shape) > 1 else None


def _advice(low: float, high: float) -> str:
    """Say what brings an image of this range to [0, 1]."""
    if low < 0:
        known = -1024 <= low < -64 and high <= 1024  # torchxrayvision's range
        return "(image + 1024) / 2048" if known else "(image - image.min()) / (image.max() - image.min())"
    top = next((2**bits - 1 for bits in (8, 10, 12, 14, 16) if high <= 2**bits - 1), None)
    return f"image / {top or 'image.max()'}"


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
    pen, font = ImageDraw.Draw(picture, "RGBA"), _font(all(text.isascii() for _, text, _, _ in boxes))
    # What lies far outside is no number that Pillow takes.
    placed = [[round(min(max(v * scale, -side), 2 * side)) for v in box] for box, *_ in boxes]
    for corners, (_, _, colour, filled) in zip(placed, boxes, strict=True):
        pen.rectangle(corners, fill=f"{colour}28" if filled else None, outline=colour, width=1 if filled else 2)
    taken: list[tuple[float, float, float]] = []  # left, top and right end of each label
    named: list[list[str]] = []
    for corners, (_, text, colour, filled) in zip(placed, boxes, strict=True):
        wide = font.getlength(text) + 5
        left = max(min(corners[0], picture.width - wide), 0)
        above, below = max(corners[1] - 14, 0), min(corners[3] + 1, picture.height - 14)
        for top in (below, above) if filled else (above, below):
            if all(left >= end or left + wide <= start or abs(top - other) > 13 for start, other, end in taken):
                break
        else:
            top = below if filled else above
            if text.split()[:1] in named:
                continue  # labels upon labels say nothing; the colour has been named
        taken.append((left, top, left + wide))
        named.append(text.split()[:1])
        pen.rectangle([left, top, left + wide, top + 13], fill="#0b0e12" if filled else colour)
        pen.text((left + 3, top), text, fill=colour if filled else "#0b0e12", font=font)
    return picture


def _font(ascii_only: bool) -> Any:
    """Give Pillow's own font, or matplotlib's for names that it has no letters for."""
    if ascii_only:
        return ImageFont.load_default(11)
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), 10)


def few_colours(picture: Image.Image, greys: int = 112) -> Image.Image:
    """Give a picture a palette of `greys` and 88 colours, a third of the size of one in full colour.

    Pillow's median cut alone counts pixels: beside thousands of greys the ten findings' colours melted into four. Here
    the commonest colours stay as they are, and of the others each counts once, however thin its line.
    """
    pixels = np.asarray(picture.convert("RGB"))
    code = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    codes, place, counts = np.unique(code, return_inverse=True, return_counts=True)
    shades = (codes[:, None] >> np.array([16, 8, 0], np.uint32) & 255).astype(np.int32)
    vivid = np.ptp(shades, axis=1) > 24
    palette = []
    for chosen, exact, cuts in ((vivid, 40, 40), (~vivid, 8, greys)):
        common = np.argsort(-counts * chosen, kind="stable")[: min(exact, chosen.sum())]
        left = chosen.copy()
        left[common] = False
        palette.append(shades[common])
        if left.any():
            rest = shades[left] if chosen is vivid else np.repeat(shades[left], counts[left], axis=0)
            cut = Image.fromarray(rest[None].astype(np.uint8)).quantize(cuts)
            palette.append(np.array(cut.getpalette(), np.int32).reshape(-1, 3)[:cuts])
    table = np.concatenate(palette)
    pieces = np.array_split(shades, len(shades) // 4096 + 1)
    nearest = np.concatenate([((piece[:, None] - table) ** 2).sum(2).argmin(1) for piece in pieces])
    reduced = Image.fromarray(nearest[place].reshape(code.shape).astype(np.uint8))
    reduced.putpalette(table.astype(np.uint8).tobytes())
    return reduced


def png(picture: Image.Image) -> bytes:
    """Encode as a PNG of few colours."""
    file = io.BytesIO()
    few_colours(picture, 48).save(file, "PNG", optimize=True)
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
