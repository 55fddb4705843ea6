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
from typing import Literal

import cv2
import numpy as np
import PIL
from PIL import Image, UnidentifiedImageError

from chestlib.errors import ChestlibError
from chestlib.files import IMAGE_SUFFIXES, MAX_PIXELS, refuse_bomb, walking

# Bombs are refused here, by MAX_PIXELS; Pillow's warning would only be a second line.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

DECODING = 1
"""To be raised when :func:`decode` or :func:`square` come to give other values: the cache then decodes anew."""

MAX_BYTES = 2**30
"""A file of :data:`chestlib.files.MAX_PIXELS` pixels stays below; a larger one is not read into memory."""


HEAD = 256
"""Bytes of a file from which :func:`kind` tells what it is."""


OTHER_SUFFIXES = {
    ".bat", ".bin", ".cache", ".cfg", ".ckpt", ".conf", ".csv", ".css", ".db", ".dll", ".doc", ".docx",
    ".exe", ".gz", ".h5", ".html", ".inf", ".ini", ".ipynb", ".js", ".json", ".jsonl", ".log", ".md", ".npy",
    ".npz", ".onnx", ".pdf", ".pkl", ".pt", ".pth", ".py", ".rar", ".rst", ".sh", ".sqlite", ".tar", ".tex",
    ".toml", ".tsv", ".txt", ".xls", ".xlsx", ".xml", ".yaml", ".yml", ".zip", ".7z",
}  # fmt: skip
"""Files that are not opened in a search for images."""


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


def kind(head: bytes) -> str | None:
    """Tell "png", "jpeg" or "dicom" by the first :data:`HEAD` bytes of a file; None for all else.

    DICOM without its file header, as old devices write it, begins with two elements of group 0002 or 0008, in order.
    Source: DICOM PS3.5, section 7.1, and PS3.10, section 7.1.
    """
    if head[128:132] == b"DICM" or _bare_dicom(head):
        return "dicom"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    return "jpeg" if head.startswith(b"\xff\xd8\xff") else None


def _bare_dicom(head: bytes) -> bool:
    order: Literal["little", "big"] = "big" if head[:1] == b"\0" else "little"

    def number(at: int, size: int) -> int:
        return int.from_bytes(head[at : at + size], order)

    long, explicit = head[4:8] == b"OB\0\0", head[4:6].isalpha() and head[4:6].isupper()
    start = 12 if long else 8
    second = start + (number(6, 2) if explicit and not long else number(start - 4, 4))
    first, then = ((number(at, 2), number(at + 2, 2)) for at in (0, second))
    return second + 4 <= len(head) and first[0] in (2, 8) and then[0] in (2, 8) and first < then


def decode(data: bytes, path: Path) -> np.ndarray:
    """Decode the bytes of the file `path`; result and errors as in :func:`read`."""
    if kind(data[:HEAD]) == "dicom":
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
    found = inside(path) if path.is_dir() else iter([path])
    if not (first := next(found, None)):
        raise ChestlibError(f"{path}: no PNG, JPEG or DICOM file in this folder")
    return itertools.chain([first], found)


def inside(folder: Path) -> Iterator[Path]:
    """Yield the images at any depth, in order, as :func:`chestlib.files.walking`.

    They are told by their suffix; where it is missing or unknown, as on hospital CDs, by their content.
    """
    return filter(_is_image, walking(folder))


def _is_image(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES or suffix in OTHER_SUFFIXES or path.name.upper() == "DICOMDIR":  # a CD's contents
        return suffix in IMAGE_SUFFIXES
    try:
        return path.is_file() and kind(contents(path, HEAD)) is not None  # a pipe would never end
    except ChestlibError:
        return False


def size(path: Path) -> tuple[int, int]:
    """Give (width, height) in pixels, from the header alone; errors as in :func:`read`."""
    path = Path(path)
    if kind(contents(path, HEAD)) == "dicom":
        from chestlib.data import dicom

        return dicom.size(path)
    with _opened(path, path) as image:
        return image.size


def resize(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resize (1, H, W) to (1, h, w): area means when shrinking, so that nothing aliases, bilinear when enlarging."""
    h, w = shape
    if image.shape[1:] == (h, w):
        return image
    shrinks = h < image.shape[1] or w < image.shape[2]
    resized: np.ndarray = cv2.resize(image[0], (w, h), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return resized[None]


def square(image: np.ndarray, side: int) -> np.ndarray:
    """Stretch (1, H, W) to (side, side) uint8, as models are shown it in training and in prediction."""
    small: np.ndarray = resize(image, (side, side))[0] * 255 + 0.5
    return small.astype(np.uint8)


def digest(data: bytes) -> str:
    """Give 32 hexadecimal digits that name the content of a file."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


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
