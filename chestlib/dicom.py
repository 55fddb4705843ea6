"""A single-frame DICOM radiograph, as a display shows it. Source: DICOM PS3.3, sections C.7.6.3, C.11.1 and C.11.2."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pydicom
from pydicom import pixels
from pydicom.multival import MultiValue

from chestlib.errors import ChestlibError


def size(path: Path) -> tuple[int, int]:
    """(width, height) in pixels, from the header."""
    dataset = _open(path, stop_before_pixels=True)
    return int(dataset.Columns), int(dataset.Rows)


def read(path: Path) -> np.ndarray:
    """Read the pixels: rescale, then window or table, then MONOCHROME1 inverted; colour becomes grey.

    Without a window the image's own range is shown, padding left out.

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
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        raise ChestlibError(f"{path}: {dataset.NumberOfFrames} frames; expected one radiograph a file")
    try:
        raw = pixels.pixel_array(dataset)
        if dataset.PhotometricInterpretation == "PALETTE COLOR":
            raw = pixels.apply_color_lut(raw, dataset)
        if raw.ndim == 3:
            image = cv2.cvtColor(raw, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.iinfo(raw.dtype).max
        else:
            image = _displayed(raw, dataset)
    except Exception as error:  # decoders raise errors of all kinds
        encoding = getattr(dataset.file_meta.get("TransferSyntaxUID"), "name", "unknown encoding")
        raise ChestlibError(f"{path}: pixels not decodable as {encoding} ({' '.join(str(error).split())})") from None
    return (1 - image if dataset.PhotometricInterpretation == "MONOCHROME1" else image).astype(np.float32)[None]


def _open(path: Path, **options) -> pydicom.Dataset:
    try:
        dataset = pydicom.dcmread(path, **options)
    except Exception as error:
        raise ChestlibError(f"{path}: not readable as DICOM ({' '.join(str(error).split())})") from None
    if not {"Rows", "Columns", "PhotometricInterpretation"} <= set(dataset.dir()):
        raise ChestlibError(f"{path}: DICOM without an image; is the file whole?")
    return dataset


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
