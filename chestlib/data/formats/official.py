"""The official ChestX-Det10 JSON: a list of {"file_name", "syms", "boxes"}.

Source of the format: github.com/Deepwise-AILab/ChestX-Det10-Dataset.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from chestlib.data.annotations import Parts, Reading, Record, images_in, number
from chestlib.data.places import slashes
from chestlib.errors import ChestlibError
from chestlib.files import read_json, write_atomically
from chestlib.findings import FINDINGS


def is_official(document: Any) -> bool:
    """Tell whether what a JSON file holds is a list with records of this form."""
    return isinstance(document, list) and any(
        isinstance(r, dict) and {"file_name", "syms"} <= r.keys() for r in document
    )


def read_annotations(path: Path) -> list[Record]:
    """Read an official annotation file.

    Raises
    ------
    ChestlibError
        If the file is missing, not JSON, or not of the format; the line names the file and the record.
    """
    reading = Reading()
    records = read(path, reading)
    reading.finish()
    return records


def read(path: Path, reading: Reading) -> list[Record]:
    """Read as :func:`read_annotations`, but go on after a bad record: `reading` has the problems."""
    items = read_json(path)
    if not isinstance(items, list):
        kind = type(items).__name__
        raise ChestlibError(f"{path}: not the ChestX-Det10 format; expected a list of records, got {kind}")
    return reading.unique(_record(path, i, item, reading) for i, item in enumerate(items))


def _record(path: Path, index: int, item: Any, reading: Reading) -> Record | None:
    if not isinstance(item, dict) or not {"file_name", "syms", "boxes"} <= item.keys():
        reading.error(path, index, 'expected an object with "file_name", "syms" and "boxes"')
        return None
    name, syms, boxes = item["file_name"], item["syms"], item["boxes"]
    if not isinstance(syms, list) or not isinstance(boxes, list):
        reading.error(path, index, f"{name}: syms and boxes must be lists")
        return None
    if len(syms) != len(boxes):
        reading.error(path, index, f"{name}: {len(syms)} findings but {len(boxes)} boxes")
        syms, boxes = [], []
    name = slashes(name) if isinstance(name, str) else name
    return reading.record(path, index, name, zip(syms, boxes, strict=True))


def write(parts: Parts, names: Sequence[str]) -> Iterator[tuple[str, str | Path]]:
    """Render `PART.json`."""
    for part, records in parts.items():
        yield f"{part}.json", text(records, names)
        yield from images_in(f"{part}_data", records)


def write_annotations(records: Iterable[Record], path: Path, names: Sequence[str] = FINDINGS) -> None:
    """Write the official format, atomically; `names` are the findings of ids 1, 2, ..."""
    write_atomically(path, text(records, names))


def text(records: Iterable[Record], names: Sequence[str] = FINDINGS) -> str:
    """Render the official JSON: a record a line, in thousandths of a pixel; whole coordinates as integers."""
    items = [
        {
            "file_name": record.file_name,
            "syms": [names[i - 1] for i in record.labels.tolist()],
            "boxes": [[number(v) for v in box] for box in record.boxes.tolist()],
        }
        for record in records
    ]
    return "[" + ",\n".join(json.dumps(item, separators=(",", ":")) for item in items) + "]\n"
