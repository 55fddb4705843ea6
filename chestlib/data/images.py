"""Radiographs from PNG, JPEG and DICOM files as (1, H, W) float32 in [0, 1]."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import IO, Literal

import cv2
import numpy as np
import PIL
from PIL import ExifTags, Image, UnidentifiedImageError

from chestlib.data.extent import Extent
from chestlib.data.raw import contents as contents
from chestlib.data.raw import unit as unit
from chestlib.errors import ChestlibError, missing
from chestlib.files import IMAGE_SUFFIXES, MAX_PIXELS, refuse_bomb, walking

# Bombs are refused here, by MAX_PIXELS; Pillow's warning would only be a second line.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

DECODING = 2
"""To be raised when :func:`decode` or :func:`square` come to give other values: the cache then decodes anew."""


HEAD = 256
"""Bytes of a file from which :func:`kind` tells what it is."""

SIDEWAYS = range(5, 9)
"""Values of EXIF's orientation that make width height."""

TURNED = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")
"""How the text chunks of a PNG begin in which an orientation may stand."""


OTHER_SUFFIXES = {
    ".bat", ".bin", ".cache", ".cfg", ".ckpt", ".conf", ".csv", ".css", ".db", ".dll", ".doc", ".docx",
    ".exe", ".gz", ".h5", ".html", ".inf", ".ini", ".ipynb", ".js", ".json", ".jsonl", ".log", ".md", ".npy",
    ".npz", ".onnx", ".pdf", ".pkl", ".pt", ".pth", ".py", ".rar", ".rst", ".sh", ".sqlite", ".tar", ".tex",
    ".toml", ".tsv", ".txt", ".xls", ".xlsx", ".xml", ".yaml", ".yml", ".zip", ".7z",
}  # fmt: skip
"""Files that are not opened in a search for images."""


def decoder() -> str:
    """Name all that the values of :func:`square` after :func:`decode` depend on, beside the file."""
    try:
        dicom = metadata.version("pydicom")  # not imported: few files are DICOM
    except metadata.PackageNotFoundError:
        dicom = "none"
    return f"{DECODING}, pillow {PIL.__version__}, opencv {cv2.__version__}, pydicom {dicom}"


def read(path: Path) -> np.ndarray:
    """Read a PNG, JPEG or DICOM file.

    It is turned as its EXIF orientation says, as every viewer shows it. Colour becomes grey by ITU-R BT.601 luma,
    transparency becomes black, whole numbers become [0, 1] as :func:`unit` says. A DICOM image is shown as its own
    rescale and window say.

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


@contextmanager
def _needing_extra(path: Path) -> Iterator[None]:
    """Tell of a film whose reader is not installed."""
    try:
        yield
    except ImportError as error:
        raise ChestlibError(f"{path}: DICOM; {missing(error) or error}") from None


def decode(data: bytes, path: Path) -> np.ndarray:
    """Decode the bytes of the file `path`; result and errors as in :func:`read`."""
    if kind(data[:HEAD]) == "dicom":
        with _needing_extra(path):
            from chestlib.data import dicom

        return dicom.read(path, data)
    with _opened(path, io.BytesIO(data)) as image:
        image.load()
        turn = _orientation(image, io.BytesIO(data))
        if image.format == "PNG" and data[24] == 16:  # bits a sample, in the header
            grey = _deep(data)
        else:
            if image.has_transparency_data:
                image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image.convert("RGBA"))
            grey = unit(np.asarray(image.convert("L")))
    grey = grey.T if turn in SIDEWAYS else grey
    return np.ascontiguousarray(grey[:: -1 if turn in (3, 4, 7, 8) else 1, :: -1 if turn in (2, 3, 6, 7) else 1])[None]


def _deep(data: bytes) -> np.ndarray:
    """Decode a PNG of 16 bits to (H, W) float32 in [0, 1]; Pillow reduces it to 8 where it has colours.

    How many bits are used may stand in the chunk sBIT. Source: PNG, third edition, section 11.3.2.7.
    """
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("a PNG of 16 bits, broken")
    said = next((body for name, body in _chunks(io.BytesIO(data)) if name == b"sBIT"), b"")
    bits = min(max([8, *said[: 3 if data[25] & 2 else 1]]), 16)  # the last is that of transparency
    if pixels.ndim == 2:
        return unit(pixels, bits)
    grey = cv2.cvtColor(unit(pixels[..., :3], bits), cv2.COLOR_BGR2GRAY)
    return grey * unit(pixels[..., 3]) if pixels.shape[2] == 4 else grey


def _orientation(image: Image.Image, file: IO[bytes]) -> int:
    """Give EXIF's orientation, 1 to 8, also one that XMP tells; 1 is upright, and so is what is none.

    Only a PNG that has such a chunk, be it behind its pixels, is read as a whole for it. Source: CIPA DC-008, 4.6.5.
    """
    with suppress(Exception):  # it is not worth the image
        if image.format == "PNG" and not any(n == b"eXIf" or body.startswith(TURNED) for n, body in _chunks(file)):
            return 1
        turn: int = image.getexif().get(ExifTags.Base.Orientation, 1)
        return int(turn) if turn in range(1, 9) else 1
    return 1


def _chunks(file: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Go through the chunks of a PNG: the name of each, and how it begins. Source: PNG, third edition, section 5.3."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length = int.from_bytes(head[:4], "big")
        begin = file.read(min(length, 24))
        yield head[4:], begin
        file.seek(length - len(begin) + 4, os.SEEK_CUR)  # and its checksum


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
    """Give (width, height) in pixels of what :func:`read` gives, from the header alone; errors as there."""
    path = Path(path)
    if kind(contents(path, HEAD)) == "dicom":
        with _needing_extra(path):
            from chestlib.data import dicom

        return dicom.size(path)
    with _opened(path, path) as image, open(path, "rb") as file:
        width, height = image.size
        return (height, width) if _orientation(image, file) in SIDEWAYS else (width, height)


def extent(path: Path) -> Extent | None:
    """Give width and height in mm of what :func:`read` gives, where a DICOM header says them; errors as there."""
    path = Path(path)
    if kind(contents(path, HEAD)) != "dicom":
        return None  # a PNG's or JPEG's dots an inch are a printer's
    from chestlib.data import dicom

    return dicom.extent(path)


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
