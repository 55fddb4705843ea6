"""YOLO: `data.yaml`, and one text file an image with lines of class, centre and size as shares of the image.

Source: docs.ultralytics.com/datasets/detect. Beside them `images.csv` keeps what YOLO has no place for: the order
of the images, their file type and their size, so that also boxes of missing images come back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os.path import isdir  # False for what is no path at all
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from chestlib.data.annotations import DECIMALS, Reading, Record
from chestlib.data.formats import listing
from chestlib.errors import ChestlibError
from chestlib.files import walk

PARTS = ("train", "test", "val")
SHARE_DECIMALS = 10
"""A hundredth of DECIMALS still shows at 65,536 pixels."""


def is_yolo(path: Path) -> bool:
    """True for a YAML file with names of classes and a folder for a part.

    Raises
    ------
    ChestlibError
        If the file is broken and called `data`, as YOLO's own are.
    """
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


def read(path: Path, reading: Reading, size: Callable[[Path], tuple[int, int]]) -> dict[str, list[Record]]:
    """Part to records, from the YAML file; `size` measures images that `images.csv` does not list."""
    document = _load(path)
    names = document["names"]
    names = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(names, dict) or not all(isinstance(i, int) and isinstance(n, str) for i, n in names.items()):
        raise ChestlibError(f"{path}: names: expected a list of classes, or a number for each")
    listed = listing.read(path.parent)
    parts: dict[str, list[Record]] = {}
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
        known: dict[str, tuple[int, int] | None] = {**listed.get(part, {})}
        stems = {_stem(name) for name in known}
        known |= {name: None for name in _found(folder, labels) if _stem(name) not in stems}
        parts[part] = reading.unique(
            _read_image(folder, labels, name, known[name], names, reading, i, size) for i, name in enumerate(known)
        )
    return parts


def _folder(path: Path, base: Any, said: str) -> Path | None:
    """Where the images of a part are; many files are written for another working directory or machine."""
    steps = [step for step in Path(said).parts if step not in ("..", ".") and step != Path(said).anchor]
    base = base if isinstance(base, str) else "."
    places = [path.parent / base / said, path.parent / said, path.parent.joinpath(*steps)]
    return next((place for place in places if isdir(place) or isdir(_labels_of(place))), None)


def _labels_of(images: Path) -> Path:
    """The label folder: the last step called `images` becomes `labels`, as in YOLO itself."""
    steps = list(images.parts)
    for i in range(len(steps) - 1, -1, -1):
        if steps[i] == "images":
            return Path(*steps[:i], "labels", *steps[i + 1 :])
    return images


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _found(images: Path, labels: Path) -> list[str]:
    """Names of the images that are there, and of those that only have labels."""
    names = {path.relative_to(images).as_posix() for path in walk(images)}
    stems = {_stem(name) for name in names}
    texts = {path.relative_to(labels).as_posix() for path in walk(labels, {".txt"})}
    return sorted(names | {f"{_stem(text)}.png" for text in texts if _stem(text) not in stems})


def _read_image(
    folder: Path,
    labels: Path,
    name: str,
    known: tuple[int, int] | None,
    names: Mapping[float, str],
    reading: Reading,
    index: int,
    size: Callable[[Path], tuple[int, int]],
) -> Record | None:
    text = (labels / name).with_suffix(".txt")
    try:
        lines = text.read_text(encoding="utf-8").splitlines() if text.exists() else []
    except (OSError, ValueError) as error:
        reading.error(text, index, f"{name}: not readable as text ({error})")
        lines = []
    if known is None and (folder / name).exists():
        known = size(folder / name)
    findings, boxes = [], []
    for i, line in enumerate(filter(str.strip, lines), start=1):
        try:
            label, cx, cy, w, h = (float(v) for v in line.split())
            findings.append(names[label])  # 3.0 is 3, but 3.5 is none
        except (ValueError, KeyError):
            reading.error(text, index, f"{name}: line {i} is not class, x, y, width, height: {line!r}")
            continue
        width, height = known or (1, 1)
        corners = ((cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height)
        boxes.append([round(v, DECIMALS) for v in corners])
    if boxes and known is None:
        reading.error(text, index, f"{name}: the image is missing, so its boxes have no size in pixels")
        findings, boxes = [], []
    return reading.record(text, index, name, findings, boxes, known)


def write(
    parts: Mapping[str, Sequence[Record]], sizes: Mapping[str, Sequence[tuple[int, int]]], names: Sequence[str]
) -> dict[str, str]:
    """`data.yaml`, `labels/PART/NAME.txt` and `images.csv`; images are expected in `images/PART/`."""
    folders = {part: f"images/{part}" for part in parts}
    val = folders.get("test", "images/train")  # YOLO's trainers want a validation part
    settings = {**folders, "val": val, "names": dict(enumerate(names))}
    files = {"data.yaml": yaml.safe_dump(settings, sort_keys=False), **listing.write(parts, sizes)}
    for part, records in parts.items():
        for record, size in zip(records, sizes[part], strict=True):
            listing.add(files, f"labels/{part}/{_stem(record.file_name)}.txt", "".join(_lines(record, size)))
    return files


def _lines(record: Record, size: tuple[int, int]) -> list[str]:
    width, height = size
    return [
        f"{label - 1} "
        + " ".join(
            f"{v:.{SHARE_DECIMALS}f}"
            for v in ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
        )
        + "\n"
        for label, (x1, y1, x2, y2) in zip(record.labels.tolist(), record.boxes.tolist(), strict=True)
    ]
