"""A single-frame DICOM radiograph, as a display shows it. Source: DICOM PS3.3, sections C.7.6.3, C.11.1 and C.11.2."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pydicom
from pydicom import pixels
from pydicom.multival import MultiValue
from pydicom.uid import DeflatedExplicitVRLittleEndian

from chestlib.errors import ChestlibError

META = 4096
"""Bytes within which the file meta information, never compressed, names the transfer syntax."""

# What is not quite to the standard is read if it can be, and refused in one line if not.
warnings.filterwarnings("ignore", module="pydicom")


def size(path: Path) -> tuple[int, int]:
    """(width, height) in pixels, from the header."""
    return _size(path, _open(path, stop_before_pixels=True))


def read(path: Path, accept: Callable[[int, int], object] = lambda width, height: None) -> np.ndarray:
    """Read the pixels: rescale, then window or table, then MONOCHROME1 inverted; colour becomes grey.

    Without a window the image's own range is shown, padding left out.

    Parameters
    ----------
    accept : callable
        Called with width and height before anything is decoded; raises for an image that is too large.

    Returns
    -------
    (1, H, W) float32
        In [0, 1].

    Raises
    ------
    ChestlibError
        If the file is broken, has several frames, or is compressed in a way that no installed plugin decodes.
    """
    dataset = _open(path)
    try:
        frames, photometric = int(dataset.get("NumberOfFrames") or 1), str(dataset.PhotometricInterpretation)
    except Exception as error:  # an element is decoded when it is asked for
        raise _unreadable(path, error) from None
    if frames > 1:
        raise ChestlibError(f"{path}: {frames} frames; expected one radiograph a file")
    accept(*_size(path, dataset))
    try:
        raw = pixels.pixel_array(dataset)
        if photometric == "PALETTE COLOR":
            raw = pixels.apply_color_lut(raw, dataset)
        if raw.ndim == 3:
            image = cv2.cvtColor(raw, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.iinfo(raw.dtype).max
        else:
            image = _displayed(raw, dataset)
    except Exception as error:  # decoders raise errors of all kinds
        encoding = getattr(dataset.file_meta.get("TransferSyntaxUID"), "name", "unknown encoding")
        raise ChestlibError(f"{path}: pixels not decodable as {encoding} ({' '.join(str(error).split())})") from None
    if not np.isfinite(image).all():
        raise ChestlibError(f"{path}: its rescale or window leads to values that are no numbers; is the file whole?")
    return (1 - image if photometric == "MONOCHROME1" else image).astype(np.float32)[None]


def _open(path: Path, **options) -> pydicom.Dataset:
    try:
        with open(path, "rb") as file:
            if DeflatedExplicitVRLittleEndian.encode() in file.read(META):
                raise ValueError("deflated as a whole, and so of unknown size; refused")
            file.seek(0)
            dataset = pydicom.dcmread(file, **options)
    except Exception as error:
        raise _unreadable(path, error) from None
    if not {"Rows", "Columns", "PhotometricInterpretation"} <= set(dataset.dir()):
        raise ChestlibError(f"{path}: DICOM without an image; is the file whole?")
    return dataset


def _size(path: Path, dataset: pydicom.Dataset) -> tuple[int, int]:
    try:
        return int(dataset.Columns), int(dataset.Rows)
    except Exception as error:  # an element is decoded when it is asked for
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> ChestlibError:
    return ChestlibError(f"{path}: not readable as DICOM ({' '.join(str(error).split())})")


def _displayed(raw: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    """Stored values to [0, 1] by the modality rescale and the first window or table of values of interest."""
    values = pixels.apply_rescale(raw, dataset).astype(np.float32)
    if dataset.get("VOILUTSequence"):
        table = dataset.VOILUTSequence[0]
        return pixels.apply_voi(pixels.apply_rescale(raw, dataset).astype(int), dataset) / (
            2.0 ** table.LUTDescriptor[2] - 1
        )
    if "WindowCenter" in dataset and "WindowWidth" in dataset:
        centre, width = _first(dataset.WindowCenter), _first(dataset.WindowWidth)
        kind = dataset.get("VOILUTFunction", "LINEAR")
        if kind == "SIGMOID":
            return 1 / (1 + np.exp(-4 * (values - centre) / width))
        if kind == "LINEAR_EXACT":
            return np.clip((values - centre) / width + 0.5, 0, 1)
        return np.clip((values - (centre - 0.5)) / max(width - 1, 1e-6) + 0.5, 0, 1)
    inside = raw != dataset.PixelPaddingValue if "PixelPaddingValue" in dataset else np.ones(raw.shape, bool)
    low, high = (values[inside].min(), values[inside].max()) if inside.any() else (0.0, 1.0)
    return np.clip((values - low) / max(high - low, 1e-6), 0, 1)


def _first(value) -> float:
    return float(value[0] if isinstance(value, MultiValue) else value)
