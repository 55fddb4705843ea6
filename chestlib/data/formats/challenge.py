"""The challenge's form: one JSON file an image, a list of {finding: [x1, y1, x2, y2, score]}.

Source: README and eval.py of github.com/Deepwise-AILab/ChestX-Det10-Dataset. A file is named after its image;
findings are spelled with any case; an empty file has no boxes. Annotations are written with score 1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chestlib.data.annotations import Reading, Record, number
from chestlib.data.formats import listing
from chestlib.files import read_json

PARTS = ("train", "val", "test")


def is_challenge(folder: Path) -> bool:
    """True when the folder, or its `train` or `test`, holds JSON files and most of the first few are of this form."""
    first = [path for files in _files(folder).values() for path in files[:3]]
    return 2 * sum(_is_list_of_boxes(path) for path in first) > len(first)


def _is_list_of_boxes(path: Path) -> bool:
    if path.stat().st_size == 0:
        return True
    items = read_json(path)
    return isinstance(items, list) and all(
        isinstance(item, dict) and all(isinstance(box, list) for box in item.values()) and "syms" not in item
        for item in items
    )


def _files(folder: Path) -> dict[str, list[Path]]:
    """JSON files of each part; without folders named after parts all of them are the test part."""
    named = {part: sorted((folder / part).rglob("*.json")) for part in PARTS}
    parts = {part: files for part, files in named.items() if files}
    flat = sorted(folder.glob("*.json"))
    return parts or ({"test": flat} if flat else {})


def read(folder: Path, reading: Reading) -> dict[str, list[Record]]:
    """Part to records; images are `.png` unless `images.csv` says otherwise."""
    listed = listing.read(folder)
    parts = {}
    for part, files in _files(folder).items():
        base = folder / part if (folder / part).is_dir() else folder
        texts = {path.relative_to(base).with_suffix("").as_posix(): path for path in files}
        known: dict[str, tuple[str, tuple[int, int] | None]] = {
            str(Path(name).with_suffix("")): (name, size) for name, size in listed.get(part, {}).items()
        }
        order = [stem for stem in known if stem in texts] + [stem for stem in texts if stem not in known]
        parts[part] = reading.unique(
            [_read_image(texts[s], *known.get(s, (f"{s}.png", None)), reading, i) for i, s in enumerate(order)],
        )
    return parts


def _read_image(path: Path, name: str, size: tuple[int, int] | None, reading: Reading, index: int) -> Record | None:
    items = read_json(path) if path.stat().st_size else []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        reading.error(path, index, f"{name}: expected a list of {{finding: [x1, y1, x2, y2, score]}}")
        items = []
    pairs = [(finding, _without_score(box)) for item in items for finding, box in item.items()]
    return reading.record(path, index, name, [f for f, _ in pairs], [b for _, b in pairs], size)


def _without_score(box: Any) -> Any:
    return box[:4] if isinstance(box, list) and len(box) == 5 else box


def write(
    parts: Mapping[str, Sequence[Record]], sizes: Mapping[str, Sequence[tuple[int, int]]], names: Sequence[str]
) -> dict[str, str]:
    """`PART/NAME.json` and `images.csv`."""
    files = listing.write(parts, sizes)
    for part, records in parts.items():
        for record in records:
            boxes = zip(record.labels.tolist(), record.boxes.tolist(), strict=True)
            items = [{names[label - 1]: [*map(number, box), 1]} for label, box in boxes]
            name = Path(part, record.file_name).with_suffix(".json").as_posix()
            listing.add(files, name, json.dumps(items) + "\n")
    return files
