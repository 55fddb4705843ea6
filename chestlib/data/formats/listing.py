"""`images.csv` (part, file_name, width, height): beside formats that keep no order, file type or size of images."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from chestlib.data.annotations import Parts
from chestlib.data.boxes import side_in
from chestlib.data.places import slashes, suffixless
from chestlib.errors import ChestlibError
from chestlib.files import read_table

NAME = "images.csv"
COLUMNS = ("part", "file_name", "width", "height")


def read(folder: Path) -> dict[str, dict[str, tuple[int, int]]]:
    """Read part to file name to (width, height), in the file's order; nothing when the file is not there."""
    path = folder / NAME
    parts: dict[str, dict[str, tuple[int, int]]] = {}
    if not path.exists():
        return parts
    for part, name, *sides in read_table(path, COLUMNS):
        width, height = map(side_in, sides)
        if not PurePosixPath(name).name or not width or not height:
            raise ChestlibError(
                f"{path}: expected a CSV file with the columns {','.join(COLUMNS)} "
                f"({name}: {' x '.join(sides)} is not the size of an image)"
            )
        parts.setdefault(part, {})[slashes(name)] = (width, height)
    return parts


def complete(listed: Mapping[str, tuple[int, int] | None], names: Iterable[str]) -> dict[str, tuple[int, int] | None]:
    """Add to the images of a part, in the order listed, those names that differ in more than the file type."""
    stems = set(map(suffixless, listed))
    return {**listed, **{name: None for name in names if suffixless(name) not in stems}}


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
