"""`images.csv` (part, file_name, width, height): beside formats that keep no order, file type or size of images."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from chestlib.data.annotations import Parts
from chestlib.errors import ChestlibError

NAME = "images.csv"
COLUMNS = ("part", "file_name", "width", "height")
LARGEST_SIDE = 2**20


def read(folder: Path) -> dict[str, dict[str, tuple[int, int]]]:
    """Read part to file name to (width, height), in the file's order; nothing when the file is not there."""
    path = folder / NAME
    parts: dict[str, dict[str, tuple[int, int]]] = {}
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                part, name, width, height = (row[column] for column in COLUMNS)
                if not PurePosixPath(name).name or not all(0 < int(v) <= LARGEST_SIDE for v in (width, height)):
                    raise ValueError(f"{name}: {width} x {height} is not the size of an image")
                parts.setdefault(part, {})[name] = (int(width), int(height))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise ChestlibError(f"{path}: expected a CSV file with the columns {','.join(COLUMNS)} ({error})") from None
    return parts


def complete(listed: Mapping[str, tuple[int, int] | None], names: Iterable[str]) -> dict[str, tuple[int, int] | None]:
    """Add to the images of a part, in the order listed, those names that differ in more than the file type."""
    stems = set(map(stem, listed))
    return {**listed, **{name: None for name in names if stem(name) not in stems}}


def stem(name: str) -> str:
    """Take the file type off a name, its folders left on."""
    return PurePosixPath(name).with_suffix("").as_posix()


def text(parts: Parts) -> str:
    """Render the file, of records with a size."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for part, records in parts.items():
        for record in records:
            assert record.size, "convert gives every record one"
            rows.writerow((part, record.file_name, *record.size))
    return text.getvalue()
