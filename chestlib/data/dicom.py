"""A single-frame DICOM radiograph, as a display shows it. Source: DICOM PS3.3, sections C.7.6.3, C.11.1 and C.11.2."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
from pydicom.filereader import read_file_meta_info
from pydicom.pixels.processing import apply_color_lut, apply_rescale, apply_voi
from pydicom.pixels.utils import pixel_array
from pydicom.uid import DeflatedExplicitVRLittleEndian

from chestlib.errors import ChestlibError
from chestlib.files import refuse_bomb

# What is not quite to the standard is read if it can be, and refused in one line if not.
warnings.filterwarnings("ignore", module="pydicom")


def size(path: Path) -> tuple[int, int]:
    """Give (width, height) in pixels, from the header; errors as in :func:`read`."""
    dataset = _open(path, path, stop_before_pixels=True)
    return int(dataset.Columns), int(dataset.Rows)


def read(path: Path, data: bytes) -> np.ndarray:
    """Decode a file's bytes to (1, H, W) float32 in [0, 1]; colour becomes grey.

    Rescale comes first, then window or table, then MONOCHROME1 is inverted. Without a window the image's own range is
    shown, padding left out.
    """
    dataset = _open(path, io.BytesIO(data))
    with _told(f"{path}: not readable as DICOM"):
        frames, photometric = int(dataset.get("NumberOfFrames") or 1), str(dataset.PhotometricInterpretation)
        encoding = getattr(dataset.file_meta.get("TransferSyntaxUID"), "name", "unknown encoding")
    if frames > 1:
        raise ChestlibError(f"{path}: {frames} frames; expected one radiograph a file")
    with _told(f"{path}: pixels not decodable as {encoding}"), np.errstate(all="ignore"):  # no numbers: see below
        raw = pixel_array(dataset)
        if photometric == "PALETTE COLOR":
            raw = apply_color_lut(raw, dataset)
        if raw.ndim == 3:
            image = cv2.cvtColor(raw, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.iinfo(raw.dtype).max
        else:
            image = _displayed(raw, dataset)
    if not np.isfinite(image).all():
        raise ChestlibError(f"{path}: its rescale or window leads to values that are no numbers; is the file whole?")
    return (1 - image if photometric == "MONOCHROME1" else image).astype(np.float32)[None]


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Make one line of an error; elements are decoded when they are asked for, and decoders raise all kinds."""
    try:
        yield
    except Exception as error:
        raise ChestlibError(f"{what} ({' '.join(str(error).split())})") from None


def _open(path: Path, source: Path | io.BytesIO, **options: Any) -> pydicom.Dataset:
    """Parse a file that has an image of a sound size."""
    with _told(f"{path}: not readable as DICOM"):
        if read_file_meta_info(path).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            raise ValueError("deflated as a whole, and so of unknown size; refused")
        dataset = pydicom.dcmread(source, **options)
    if not {"Rows", "Columns", "PhotometricInterpretation"} <= set(dataset.dir()):
        raise ChestlibError(f"{path}: DICOM without an image; is the file whole?")
    with _told(f"{path}: not readable as DICOM"):
        width, height = int(dataset.Columns), int(dataset.Rows)
    refuse_bomb(path, width, height)
    return dataset


def _displayed(raw: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    """Bring stored values to [0, 1] by the modality rescale and the first window or table of values of interest."""
    rescaled = apply_rescale(raw, dataset)
    if dataset.get("VOILUTSequence"):
        bits = dataset.VOILUTSequence[0].LUTDescriptor[2]
        return np.asarray(apply_voi(rescaled.astype(int), dataset) / (2.0**bits - 1))
    values: np.ndarray = rescaled.astype(np.float32)
    if "WindowCenter" in dataset and "WindowWidth" in dataset:
        centre, width = (float(np.ravel(tag)[0]) for tag in (dataset.WindowCenter, dataset.WindowWidth))
        kind = dataset.get("VOILUTFunction", "LINEAR")
        if kind == "SIGMOID":
            return np.asarray(1 / (1 + np.exp(-4 * (values - centre) / width)))
        if kind != "LINEAR_EXACT":  # C.11.2.1.2.1: LINEAR is (x - (centre - 0.5)) / (width - 1) + 0.5
            centre, width = centre - 0.5, max(width - 1, 1e-6)
        return np.clip((values - centre) / width + 0.5, 0, 1)
    inside = raw != dataset.PixelPaddingValue if "PixelPaddingValue" in dataset else np.ones(raw.shape, bool)
    low, high = (values[inside].min(), values[inside].max()) if inside.any() else (0.0, 1.0)
    return np.clip((values - low) / max(high - low, 1e-6), 0, 1)
