"""The challenge's form: one JSON file an image, a list of {finding: [x1, y1, x2, y2, score]}.

Source: README and eval.py of github.com/Deepwise-AILab/ChestX-Det10-Dataset. A file is named after its image;
findings are spelled with any case; an empty file has no boxes. Annotations are written with score 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from chestlib.data.annotations import Parts, Reading, Record, number
from chestlib.data.formats import listing
from chestlib.data.places import PART, suffixless
from chestlib.errors import ChestlibError
from chestlib.files import read_json


def is_challenge(folder: Path, empty: bool = False) -> bool:
    """Tell whether the folder, or one named after a part, holds JSON files, and most of the first are of this form.

    Files without a box fit any form; unless `empty`, one with a box is wanted among them.
    """
    first = [_load_or_none(path) for files in _files(folder).values() for path in list(files.values())[:3]]
    fitting = [items for items in first if _is_list_of_boxes(items)]
    return 2 * len(fitting) > len(first) and (empty or any(fitting))


def _is_list_of_boxes(items: Any) -> bool:
    return isinstance(items, list) and all(
        isinstance(item, dict) and item and all(isinstance(box, list) for box in item.values()) and "syms" not in item
        for item in items
    )


def _load_or_none(path: Path) -> Any:
    with suppress(ChestlibError):  # somebody else's
        return _load(path)
    return None


def _load(path: Path) -> Any:
    return read_json(path) if path.stat().st_size else []


def _files(folder: Path) -> dict[str, dict[str, Path]]:
    """Find the JSON files by part and stem; without folders named after parts all of them are the test part."""
    named: dict[str, dict[str, Path]] = {}
    for word, part in PART.items():
        if files := _by_stem(folder / word, "**/*.json"):
            named.setdefault(part, {}).update(files)
    return named or {"test": _by_stem(folder, "*.json")}


def _by_stem(base: Path, pattern: str) -> dict[str, Path]:
    return {suffixless(path.relative_to(base).as_posix()): path for path in sorted(base.glob(pattern))}


def read(folder: Path, reading: Reading) -> Parts:
    """Read part to records; images are `.png` unless `images.csv` says otherwise."""
    listed = listing.read(folder)
    parts = {}
    for part, files in _files(folder).items():
        sizes = listing.complete(listed.get(part, {}), [f"{stem}.png" for stem in files])
        names = [name for name in sizes if suffixless(name) in files]
        parts[part] = reading.unique(
            _record(files[suffixless(name)], i, name, sizes[name], reading) for i, name in enumerate(names)
        )
    return parts


def _record(path: Path, index: int, name: str, size: tuple[int, int] | None, reading: Reading) -> Record | None:
    items = _load(path)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        reading.error(path, index, f"{name}: expected a list of {{finding: [x1, y1, x2, y2, score]}}")
        items = []
    return reading.record(path, index, name, [(f, _without_score(b)) for i in items for f, b in i.items()], size)


def _without_score(box: Any) -> Any:
    return box[:4] if isinstance(box, list) and len(box) == 5 else box


def write(parts: Parts, names: Sequence[str]) -> Iterator[tuple[str, str | Path]]:
    """Render `images.csv` and `PART/NAME.json`."""
    yield listing.NAME, listing.text(parts)
    for part, records in parts.items():
        for record in records:
            boxes = zip(record.labels.tolist(), record.boxes.tolist(), strict=True)
            items = [{names[label - 1]: [*map(number, box), 1]} for label, box in boxes]
            yield f"{part}/{suffixless(record.file_name)}.json", json.dumps(items) + "\n"
