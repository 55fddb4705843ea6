"""A single-frame DICOM radiograph, as a display shows it. Source: DICOM PS3.3, sections C.7.6.3, C.11.1 and C.11.2.

What an attribute says counts where it can be meant: one that is empty, a window without width, a slope of 0 and a
table without entries say nothing, as if they were absent.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
import pydicom
from pydicom.filereader import read_dataset
from pydicom.multival import MultiValue
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from chestlib.data.extent import Extent, extent_of
from chestlib.data.raw import contents, unit
from chestlib.errors import ChestlibError
from chestlib.files import refuse_bomb

# What is not quite to the standard is read if it can be, and refused in one line if not.
warnings.filterwarnings("ignore", module="pydicom")


HEADER = b"\0" * 128 + b"DICM"
"""What stands before the data set, and is missing in files of old devices. Source: DICOM PS3.10, section 7.1."""

DEFAULTS = {"PixelRepresentation": 0, "PlanarConfiguration": 0, "NumberOfFrames": 1}
"""What is taken for an attribute that is absent or empty."""


def size(path: Path) -> tuple[int, int]:
    """Give (width, height) in pixels, from the header; errors as in :func:`read`."""
    dataset = _open(path, None)
    return int(dataset.Columns), int(dataset.Rows)


def extent(path: Path) -> Extent | None:
    """Give width and height in mm, from the header; None where it does not say them.

    PixelSpacing counts; one that equals ImagerPixelSpacing, uncalibrated, is the detector's, and so is that alone.
    Source: DICOM PS3.3, section 10.7.1.3. Both are rows first: mm down, then mm across.
    """
    dataset = _open(path, None)
    sides = int(dataset.Columns), int(dataset.Rows)
    said: dict[str, tuple[float, ...]] = {}
    for name in ("PixelSpacing", "ImagerPixelSpacing"):
        with suppress(ValueError):  # no number: it says nothing
            down, across = _numbers(dataset, name)
            if extent_of(sides, (across, down)):
                said[name] = across, down
    detector = said.get("ImagerPixelSpacing")
    spacing = said.get("PixelSpacing", detector)
    calibrated = spacing != detector or bool(dataset.get("PixelSpacingCalibrationType"))
    return extent_of(sides, spacing, not calibrated or "PixelSpacing" not in said) if spacing else None


def read(path: Path, data: bytes) -> np.ndarray:
    """Decode a file's bytes to (1, H, W) float32 in [0, 1]; colour becomes grey.

    Rescale comes first, then the first sound table or window, then MONOCHROME1 is inverted (PresentationLUTShape
    INVERSE says the same and inverts no second time: PS3.3, C.8.11.3). Without a window the image's own range is
    shown, padding left out.
    """
    dataset = _open(path, data)
    with _told(f"{path}: not readable as DICOM"):
        photometric = str(dataset.PhotometricInterpretation or "").strip().upper()
        frames, syntax = int(dataset.NumberOfFrames), dataset.file_meta.TransferSyntaxUID
    if frames > 1:
        raise ChestlibError(f"{path}: {frames} frames; expected one radiograph a file")
    if not photometric:
        raise ChestlibError(f"{path}: PhotometricInterpretation is empty: is air MONOCHROME2, dark, or MONOCHROME1?")
    dataset.PhotometricInterpretation = photometric
    with _told(f"{path}: pixels not decodable as {syntax.name}"):
        raw = _within(pixel_array(dataset, correct_unused_bits=False), dataset)
        if photometric == "PALETTE COLOR":
            raw = apply_color_lut(raw, dataset)
    with _told(f"{path}: its rescale, window or table is broken"), np.errstate(all="ignore"):  # no numbers: see below
        if raw.ndim == 3:
            image = cv2.cvtColor(unit(raw), cv2.COLOR_RGB2GRAY)
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


def _open(path: Path, data: bytes | None) -> pydicom.Dataset:
    """Parse a file, or its bytes with the pixels, that has an image of a sound size; what it lacks is made up for."""
    head, whole = contents(path, len(HEADER)) if data is None else data, data
    if head[128:132] != HEADER[128:]:
        whole = HEADER + (contents(path) if data is None else data)
    with _told(f"{path}: not readable as DICOM"), open(path, "rb") if whole is None else io.BytesIO(whole) as source:
        source.seek(len(HEADER))
        meta = read_dataset(source, False, True, stop_when=lambda tag, *_: tag >> 16 != 2)
        if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            raise ValueError("deflated as a whole, and so of unknown size; refused")
        source.seek(0)
        dataset = pydicom.dcmread(source, stop_before_pixels=data is None)
    if not {"Rows", "Columns", "PhotometricInterpretation"} <= set(dataset.dir()):
        raise ChestlibError(f"{path}: DICOM without an image; is the file whole?")
    with _told(f"{path}: not readable as DICOM"):
        width, height = int(dataset.Columns or 0), int(dataset.Rows or 0)
        _complete(dataset)
    if not (width and height):
        raise ChestlibError(f"{path}: Rows or Columns is empty; is the file whole?")
    refuse_bomb(path, width, height)
    return dataset


def _complete(dataset: pydicom.Dataset) -> None:
    """Set what a decoder asks for and the file does not say, where only one value makes sense."""
    for name, value in DEFAULTS.items():
        if not dataset.get(name):
            setattr(dataset, name, value)
    if not dataset.get("SamplesPerPixel"):
        dataset.SamplesPerPixel = 3 if str(dataset.PhotometricInterpretation).startswith(("RGB", "YBR")) else 1
    allocated = dataset.get("BitsAllocated") or 0
    if not 1 <= (dataset.get("BitsStored") or 0) <= allocated:
        dataset.BitsStored = allocated
    if not dataset.file_meta.get("TransferSyntaxUID"):
        if "PixelData" in dataset and dataset["PixelData"].is_undefined_length:
            raise ValueError("its pixels are compressed, but without its file header no TransferSyntaxUID says how")
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit


def _within(raw: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    """Leave out what is no value in the bits above those stored: overlays of old devices, a sign not carried on.

    Values that take more bits than BitsStored says are left as they are: it is the attribute that is wrong.
    """
    stored = int(dataset.BitsStored)
    overlays = [_numbers(dataset, (group, 0x0102))[0] for group in range(0x6000, 0x6020, 2)]
    unsigned = raw.dtype.kind == "i" and raw.min() >= 0 and 2 ** (stored - 1) <= raw.max() < 2**stored
    if raw.dtype.kind in "iu" and (unsigned or any(position >= stored for position in overlays)):
        above = 8 * raw.itemsize - stored
        return np.asarray(raw << above >> above)
    return raw


def _numbers(dataset: pydicom.Dataset, name: str | tuple[int, int]) -> list[float]:
    """Give the values of an attribute, NaN for one that is empty or absent."""
    try:
        element = dataset[name].value if name in dataset else None
        values = element if isinstance(element, MultiValue | list) else [element]
        return [math.nan if value in (None, "") else float(value) for value in values] or [math.nan]
    except Exception as error:
        raise ValueError(f"{name}: {error}") from None


def _table(dataset: pydicom.Dataset, name: str) -> tuple[int, np.ndarray] | None:
    """Find the first sound table of a sequence, as the value its first entry stands for, and (n,) uint16 entries."""
    for item in dataset.get(name) or ():
        descriptor, data = item.get("LUTDescriptor"), item.get("LUTData")
        if descriptor is None or data is None or data == b"":
            continue
        said, first = int(descriptor[0]) % 2**16, int(descriptor[1])  # 2**16 entries do not fit: 0
        if isinstance(data, bytes):
            small = said and len(data) == said + said % 2  # 8 bits an entry
            order = "<u2" if dataset.original_encoding[1] else ">u2"
            entries = np.frombuffer(data, np.uint8 if small else order).astype(np.uint16)
        else:
            entries = np.atleast_1d(np.asarray(data)).astype(np.uint16)
        if len(entries) < said:
            raise ValueError(f"{name}: {len(entries)} entries in LUTData, {said} in LUTDescriptor")
        return first, entries[: said or None]
    return None


def _displayed(raw: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    """Bring stored values to [0, 1] by the modality rescale and the first sound table or window of interest."""
    values = raw
    if modality := _table(dataset, "ModalityLUTSequence"):
        values = _looked_up(raw, *modality)
    else:
        slope, intercept = _numbers(dataset, "RescaleSlope")[0], _numbers(dataset, "RescaleIntercept")[0]
        slope, intercept = slope if math.isfinite(slope) and slope else 1, intercept if math.isfinite(intercept) else 0
        if (slope, intercept) != (1, 0):
            values = raw * np.float64(slope) + intercept
    if interest := _table(dataset, "VOILUTSequence"):
        first, entries = interest
        return _looked_up(values, first, unit(entries))
    values = values.astype(np.float32)
    function = str(dataset.get("VOILUTFunction") or "LINEAR").strip().upper()
    exact = function in ("LINEAR_EXACT", "SIGMOID")
    for centre, width in zip(_numbers(dataset, "WindowCenter"), _numbers(dataset, "WindowWidth"), strict=False):
        if not (math.isfinite(centre + width) and width > 0 and (exact or width >= 1)):
            continue
        if function == "SIGMOID":
            return np.asarray(1 / (1 + np.exp(-4 * (values - centre) / width)))
        if not exact:  # C.11.2.1.2.1: LINEAR is (x - (centre - 0.5)) / (width - 1) + 0.5
            centre, width = centre - 0.5, max(width - 1, 1e-6)
        return np.clip((values - centre) / width + 0.5, 0, 1)
    return _own_range(values, raw, dataset)


def _looked_up(values: np.ndarray, first: int, entries: np.ndarray) -> np.ndarray:
    return np.asarray(entries[np.clip(np.rint(values) - first, 0, len(entries) - 1).astype(np.intp)])


def _own_range(values: np.ndarray, raw: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    """Stretch the values that are no padding over [0, 1]; what is the same everywhere is black."""
    padding, limit = _numbers(dataset, "PixelPaddingValue")[0], _numbers(dataset, "PixelPaddingRangeLimit")[0]
    if math.isfinite(padding):
        # A negative one may be written as if it had no sign.
        ends = np.array([padding, limit if math.isfinite(limit) else padding]).astype(np.int64).astype(raw.dtype)
        inside = values[(raw < ends.min()) | (raw > ends.max())]
    else:
        inside = values
    low, high = (inside.min(), inside.max()) if inside.size else (values.min(), values.max())
    shown: np.ndarray = np.clip((values - low) / ((high - low) or 1), 0, 1)
    return shown
