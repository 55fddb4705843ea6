"""YOLO: `data.yaml`, and one text file an image with lines of class, centre and size as shares of the image.

Source: docs.ultralytics.com/datasets/detect. Beside them `images.csv` keeps what YOLO has no place for: the order
of the images, their file type and their size, so that also boxes of missing images come back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from os.path import isdir  # False for what is no path at all
from pathlib import Path
from typing import Any

import yaml

from chestlib.data import images
from chestlib.data.annotations import DECIMALS, Parts, Reading, Record
from chestlib.data.formats import listing
from chestlib.errors import ChestlibError
from chestlib.files import walk

PARTS = ("train", "test", "val")
SHARE_DECIMALS = 10
"""A hundredth of DECIMALS still shows at 65,536 pixels."""


def is_yolo(path: Path) -> bool:
    """Tell whether a YAML file names classes and a folder for a part; a broken `data.yaml`, as YOLO's are, raises."""
    try:
        document = _load(path)
    except ChestlibError:
        if path.stem == "data":
            raise
        return False
    return "names" in document and any(part in document for part in PARTS)


def _load(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except Exception as error:  # beside YAMLError, tags raise KeyError, IndexError and more
        raise ChestlibError(f"{path}: not readable as YAML ({' '.join(str(error).split())})") from None
    return document if isinstance(document, dict) else {}


def read(path: Path, reading: Reading) -> Parts:
    """Read part to records, from the YAML file; images that `images.csv` does not list are measured."""
    document = _load(path)
    names = document["names"]
    names = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(names, dict) or not all(isinstance(i, int) and isinstance(n, str) for i, n in names.items()):
        raise ChestlibError(f"{path}: names: expected a list of classes, or a number for each")
    reading.categories = {i + 1: name for i, name in names.items()}
    listed = listing.read(path.parent)
    parts: Parts = {}
    seen: list[str] = []
    for part in PARTS:
        said = document.get(part)
        if not said or said in seen:  # validation and test may be one folder
            continue
        if not isinstance(said, str) or not (folder := _folder(path, document.get("path"), said)):
            shown = repr(said) if isinstance(said, str) else f"a {type(said).__name__}"  # aliases may unfold for ever
            reading.error(path, None, f"{part}: {shown} is not a folder of images here")
            continue
        seen.append(said)
        labels = _labels_of(folder)
        sizes = listing.complete(listed.get(part, {}), _found(folder, labels))
        records = []
        for i, (name, size) in enumerate(sizes.items()):
            if size is None and (folder / name).exists():
                size = images.size(folder / name)
            records.append(_record((labels / name).with_suffix(".txt"), i, name, size, names, reading))
        parts[part] = reading.unique(records)
    return parts


def _folder(path: Path, base: Any, said: str) -> Path | None:
    """Find the images of a part; many files are written for another working directory or machine."""
    steps = [step for step in Path(said).parts if step not in ("..", ".") and step != Path(said).anchor]
    base = base if isinstance(base, str) else "."
    places = [path.parent / base / said, path.parent / said, path.parent.joinpath(*steps)]
    return next((place for place in places if isdir(place) or isdir(_labels_of(place))), None)


def _labels_of(folder: Path) -> Path:
    """Find the label folder: the last step called `images` becomes `labels`, as in YOLO itself."""
    steps = list(folder.parts)
    if "images" in steps:
        steps[-1 - steps[::-1].index("images")] = "labels"
    return Path(*steps)


def _found(folder: Path, labels: Path) -> list[str]:
    """Name the images that are there, and those that only have labels."""
    there = {path.relative_to(folder).as_posix(): None for path in walk(folder)}
    labelled = [path.relative_to(labels).with_suffix(".png").as_posix() for path in walk(labels, {".txt"})]
    return sorted(listing.complete(there, labelled))


def _record(
    path: Path, index: int, name: str, size: tuple[int, int] | None, names: Mapping[float, str], reading: Reading
) -> Record | None:
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except (OSError, ValueError) as error:
        reading.error(path, index, f"{name}: not readable as text ({error})")
        lines = []
    boxes = []
    width, height = size or (1, 1)
    for i, line in enumerate(filter(str.strip, lines), start=1):
        try:
            label, cx, cy, w, h = (float(v) for v in line.split())
            finding = names[label]  # 3.0 is 3, but 3.5 is none
        except (ValueError, KeyError):
            reading.error(path, index, f"{name}: line {i} is not class, x, y, width, height: {line!r}")
            continue
        corners = ((cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height)
        boxes.append((finding, [round(v, DECIMALS) for v in corners]))
    if boxes and size is None:
        reading.error(path, index, f"{name}: the image is missing, so its boxes have no size in pixels")
        boxes = []
    return reading.record(path, index, name, boxes, size)


def write(parts: Parts, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Render `data.yaml`, `images.csv` and `labels/PART/NAME.txt`; images are expected in `images/PART/`."""
    folders = {part: f"images/{part}" for part in parts}
    val = folders.get("test", "images/train")  # YOLO's trainers want a validation part
    yield "data.yaml", yaml.safe_dump({**folders, "val": val, "names": dict(enumerate(names))}, sort_keys=False)
    yield listing.NAME, listing.text(parts)
    for part, records in parts.items():
        for record in records:
            yield f"labels/{part}/{listing.stem(record.file_name)}.txt", "".join(_lines(record))


def _lines(record: Record) -> Iterator[str]:
    assert record.size, "convert gives every record one"
    width, height = record.size
    for label, (x1, y1, x2, y2) in zip(record.labels.tolist(), record.boxes.tolist(), strict=True):
        shares = (x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height
        yield " ".join([str(label - 1), *(f"{v:.{SHARE_DECIMALS}f}" for v in shares)]) + "\n"
