"""`images.csv` (part, file_name, width, height): beside formats that keep no order, file type or size of images."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from chestlib.data.annotations import Record
from chestlib.errors import ChestlibError

NAME = "images.csv"
COLUMNS = ("part", "file_name", "width", "height")
LARGEST_SIDE = 2**20


def read(folder: Path) -> dict[str, dict[str, tuple[int, int]]]:
    """Part to file name to (width, height), in the file's order; nothing when the file is not there."""
    path = folder / NAME
    if not path.exists():
        return {}
    parts: dict[str, dict[str, tuple[int, int]]] = {}
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                width, height = int(row["width"]), int(row["height"])
                if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
                    raise ValueError(f"{row['file_name']}: {width} x {height} is not the size of an image")
                parts.setdefault(row["part"], {})[row["file_name"]] = (width, height)
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise ChestlibError(f"{path}: expected a CSV file with the columns {','.join(COLUMNS)} ({error})") from None
    return parts


def write(parts: Mapping[str, Sequence[Record]], sizes: Mapping[str, Sequence[tuple[int, int]]]) -> dict[str, str]:
    """The file, as {name: text}."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for part, records in parts.items():
        rows.writerows((part, r.file_name, *size) for r, size in zip(records, sizes[part], strict=True))
    return {NAME: text.getvalue()}


def add(files: dict[str, str], name: str, text: str) -> None:
    """Add the file of one image.

    Raises
    ------
    ChestlibError
        If two images share it, as 1.png and 1.jpg would.
    """
    if name in files:
        raise ChestlibError(f"{name}: two images would share this file; rename one of them")
    files[name] = text
