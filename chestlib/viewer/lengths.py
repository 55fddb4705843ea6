"""Pixels in millimetres: what is given, what the records know, and what a DICOM header says when it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from chestlib.data import Extent, extent_of, images
from chestlib.errors import ChestlibError
from chestlib.viewer.films import each
from chestlib.viewer.pictures import Source, size


def told(extent: Extent) -> list[Any]:
    """Write an extent as it travels: width and height in mm, and whether they hold at the detector."""
    return [extent.width, extent.height, extent.at_detector]


def given(spacing: Any, entries: Sequence[dict[str, Any]], sources: Sequence[Source]) -> None:
    """Lay pixel spacings that are given down in the entries of the study, as the extent of their films.

    Parameters
    ----------
    spacing : (float, float), sequence of them or of None, or mapping of file name to them
        Mm of a pixel across and down.

    Raises
    ------
    ChestlibError
        If one is no pair of positive numbers, or of no image.
    """
    if spacing is None:
        return
    names = [entry["name"] for entry in entries]
    if not isinstance(spacing, Mapping):
        spacing = spacing.tolist() if hasattr(spacing, "tolist") else spacing  # an array, a tensor, NumPy's number
        pairs = list(spacing) if isinstance(spacing, Sequence) else [spacing]
        one = len(pairs) == 2 and not any(pair is None or hasattr(pair, "__len__") for pair in pairs)
        spacing = [tuple(pairs)] * len(names) if one else pairs
    for entry, pair, source in zip(entries, each("spacing", spacing, names), sources, strict=True):
        if pair is None:
            continue
        try:
            across, down = map(float, pair)
            sound = extent_of((1, 1), (across, down)) is not None and not isinstance(pair, str)  # "12" is not 1 by 2
        except (TypeError, ValueError):
            sound = False
        if not sound:
            said = " ".join(repr(pair).split())  # an array's has several lines
            raise ChestlibError(f"spacing of {entry['name']}: {said} is not two positive lengths, mm across and down")
        if (film := size(source)) and (extent := extent_of(film, (across, down))):
            entry["extent"] = told(extent)


def found(entry: Mapping[str, Any], source: Source) -> list[Any] | None:
    """Give the extent of a film that is shown: the one of its entry, else that of its DICOM header."""
    if "extent" in entry or not isinstance(source, str | Path):
        return entry.get("extent")
    with suppress(ChestlibError):  # told by who reads the picture
        extent = images.extent(Path(source))
        return told(extent) if extent else None
    return None
