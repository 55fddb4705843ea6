"""Radiographs from PNG, JPEG and DICOM files as (1, H, W) float32 in [0, 1]."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
import PIL
from PIL import Image, UnidentifiedImageError

from chestlib.errors import ChestlibError
from chestlib.files import MAX_PIXELS, refuse_bomb, walking

# Bombs are refused here, by MAX_PIXELS; Pillow's warning would only be a second line.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

DECODING = 1
"""To be raised when :func:`decode` or :func:`square` come to give other values: the cache then decodes anew."""

MAX_BYTES = 2**30
"""A file of :data:`chestlib.files.MAX_PIXELS` pixels stays below; a larger one is not read into memory."""


def decoder() -> str:
    """Name all that the values of :func:`square` after :func:`decode` depend on, beside the file."""
    dicom = metadata.version("pydicom")  # not imported: few files are DICOM
    return f"{DECODING}, pillow {PIL.__version__}, opencv {cv2.__version__}, pydicom {dicom}"


def read(path: Path) -> np.ndarray:
    """Read a PNG, JPEG or DICOM file.

    Colour becomes grey by ITU-R BT.601 luma, transparency becomes black, 8 and 16 bits are divided by their
    maximum. A DICOM image is shown as its own rescale and window say.

    Returns
    -------
    (1, H, W) float32
        In [0, 1]; air is dark.

    Raises
    ------
    ChestlibError
        If the file is missing, broken, too large or of another kind.
    """
    return decode(contents(path), Path(path))


def contents(path: Path, count: int = -1) -> bytes:
    """Read all bytes of a file, or the first `count`; errors as in :func:`read`."""
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                raise ChestlibError(f"{path}: refused, more than {MAX_BYTES} bytes; is it a radiograph?")
            return file.read(count)
    except OSError as error:
        raise ChestlibError(f"{path}: cannot be read ({error.strerror or error})") from None


def decode(data: bytes, path: Path) -> np.ndarray:
    """Decode the bytes of the file `path`; result and errors as in :func:`read`."""
    if _is_dicom(data):
        from chestlib.data import dicom

        return dicom.read(path, data)
    with _opened(path, io.BytesIO(data)) as image:
        if image.mode.startswith("I"):  # 16-bit grey
            grey = np.asarray(image, np.float32) / 65535
        else:
            if image.has_transparency_data:
                image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image.convert("RGBA"))
            grey = np.asarray(image.convert("L"), np.float32) / 255
    return grey[None]


def find(paths: Sequence[Path]) -> Iterator[Path]:
    """Go through the files themselves, and every PNG, JPEG and DICOM in the folders, sorted.

    Raises
    ------
    ChestlibError
        At once if a path does not exist, on the way if a folder holds none.
    """
    if missing := [path for path in paths if not Path(path).exists()]:
        raise ChestlibError(f"{missing[0]}: no such file")
    return itertools.chain.from_iterable(map(_inside, map(Path, paths)))


def _inside(path: Path) -> Iterator[Path]:
    found = walking(path) if path.is_dir() else iter([path])
    if not (first := next(found, None)):
        raise ChestlibError(f"{path}: no PNG, JPEG or DICOM file in this folder")
    return itertools.chain([first], found)


def size(path: Path) -> tuple[int, int]:
    """Give (width, height) in pixels, from the header alone; errors as in :func:`read`."""
    path = Path(path)
    if _is_dicom(contents(path, 132)):
        from chestlib.data import dicom

        return dicom.size(path)
    with _opened(path, path) as image:
        return image.size


def resize(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resize (1, H, W) to (1, h, w): area means when shrinking, so that nothing aliases, bilinear when enlarging."""
    if image.shape[1:] == tuple(shape):
        return image
    resized: np.ndarray = image[0]
    # Apart: OpenCV leaves area means out on both sides where one of them grows.
    smaller = min(shape[0], image.shape[1]), min(shape[1], image.shape[2])
    for (h, w), how in ((smaller, cv2.INTER_AREA), (shape, cv2.INTER_LINEAR)):
        if resized.shape != (h, w):
            resized = cv2.resize(resized, (w, h), interpolation=how)
    return resized[None]


def square(image: np.ndarray, side: int) -> np.ndarray:
    """Stretch (1, H, W) to (side, side) uint8, as models are shown it in training and in prediction."""
    small: np.ndarray = resize(image, (side, side))[0] * 255 + 0.5
    return small.astype(np.uint8)


def digest(data: bytes) -> str:
    """Give 32 hexadecimal digits that name the content of a file."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _is_dicom(data: bytes) -> bool:
    """Tell by the magic word at byte 128; source: DICOM PS3.10, section 7.1."""
    return data[128:132] == b"DICM"


@contextmanager
def _opened(path: Path, source: Path | io.BytesIO) -> Iterator[Image.Image]:
    """Open a Pillow image, loaded lazily; whatever Pillow raises in between becomes one clear line."""
    try:
        with Image.open(source, formats=("PNG", "JPEG")) as image:
            refuse_bomb(path, *image.size)
            yield image
    except ChestlibError:
        raise
    except Image.DecompressionBombError:
        raise ChestlibError(f"{path}: refused, more than {MAX_PIXELS} pixels; is it a radiograph?") from None
    except UnidentifiedImageError:
        raise ChestlibError(f"{path}: not a PNG, JPEG or DICOM image, or its header is broken") from None
    except Exception as error:
        raise ChestlibError(f"{path}: not readable as an image ({error}); is the file whole?") from None
