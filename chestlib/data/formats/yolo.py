"""YOLO: `data.yaml`, and one text file an image with lines of class, centre and size as shares of the image.

Source: docs.ultralytics.com/datasets/detect. Beside them `images.csv` keeps what YOLO has no place for: the part
that an image had, the order of the images, their file type and their size, so that also boxes of missing images come
back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from chestlib.data import images, splits
from chestlib.data.annotations import DECIMALS, Parts, Reading, Record, images_in
from chestlib.data.boxes import number_in
from chestlib.data.formats import listing
from chestlib.data.places import descend, steps_of, suffixless, unshared
from chestlib.errors import ChestlibError
from chestlib.files import read_text, walk

PARTS = ("train", "test", "val")
SHARE_DECIMALS = 10
"""A hundredth of DECIMALS still shows at 65,536 pixels."""
VAL_SHARE = 0.15

Image = tuple[str, Path]
"""The name of an image in its part, and where it is expected."""


def is_yolo(path: Path) -> bool:
    """Tell whether a YAML file names classes and a folder for a part; a broken `data.yaml`, as YOLO's are, raises."""
    try:
        document = _load(path)
    except ChestlibError:
        if path.stem == "data":
            raise
        return False
    parts = any(part in document for part in PARTS)
    if parts and "nc" in document and "names" not in document:
        raise ChestlibError(f"{path}: names the number of classes and not the classes; add names: [...] in their order")
    return "names" in document and parts


def _load(path: Path) -> dict[str, Any]:
    text = read_text(path)
    try:
        document = yaml.safe_load(text)
    except Exception as error:  # beside YAMLError, tags raise KeyError, IndexError and more
        raise ChestlibError(f"{path}: not readable as YAML ({' '.join(str(error).split())})") from None
    return document if isinstance(document, dict) else {}


def _classes(path: Path, names: Any) -> dict[float, str]:
    if isinstance(names, list):
        names = dict(enumerate(names))
    if isinstance(names, dict):
        numbered = [(number_in(i), name) for i, name in names.items()]
        classes = {i: name for i, name in numbered if i is not None and isinstance(name, str)}
        if len(classes) == len(names):
            return classes
    raise ChestlibError(f"{path}: names: expected a list of classes, or a number for each")


def read(path: Path, reading: Reading) -> Parts:
    """Read part to records with their images, from the YAML file; those that `images.csv` does not list are measured.

    Images that the list has in train lie in the folder of the validation part if a conversion drew them from train.
    """
    document = _load(path)
    names = _classes(path, document["names"])
    reading.categories = {int(i) + 1: name for i, name in names.items()}
    listed = listing.read(path.parent)
    there: dict[str, dict[str, Image]] = {}
    seen: list[Any] = []
    for part in PARTS:
        if (said := document.get(part)) and said not in seen:  # validation and test may be one folder
            there[part] = _images(path, document.get("path"), part, said, reading)
            seen.append(said)
    drawn = 0
    for name in listed.get("train", {}):
        stem = suffixless(name)
        if stem not in there.get("train", {}) and (late := there.get("val", {}).pop(stem, None)):
            there.setdefault("train", {})[stem] = late
            drawn += 1
    if drawn:
        reading.tell(f"{drawn} images of the validation part joined to train; splits draw their own")
    parts: Parts = {}
    for part, found in there.items():
        sizes = listing.complete(listed.get(part, {}), [name for name, _ in found.values()])
        records = []
        for i, (name, size) in enumerate(sizes.items()):
            stem = suffixless(name)
            image = found[stem][1].with_name(Path(name).name) if stem in found else path.parent / name
            records.append(_record(image, i, name, size, names, "kpt_shape" in document, reading))
        parts[part] = reading.unique(records)
    return parts


def _images(path: Path, base: Any, part: str, said: Any, reading: Reading) -> dict[str, Image]:
    """Find the images of a part by stem, in its folder, its folders, or the text file that lists them."""
    places = []
    for one in said if isinstance(said, list) and said else [said]:
        if not isinstance(one, str) or not (place := _place(path, base, one)):
            shown = repr(one) if isinstance(one, str) else f"a {type(one).__name__}"  # aliases may unfold for ever
            reading.error(path, None, f"{part}: {shown} is not a folder of images here")
            return {}
        places.append(place)
    if len(places) == 1 and not places[0].is_file():
        found = _in_folder(places[0])
    else:  # 1.png may be in several folders
        paths: list[Path] = []
        for place in places:
            paths += _in_list(place, path) if place.is_file() else [image for _, image in _in_folder(place)]
        found = list(zip(unshared([os.path.abspath(image) for image in paths]), paths, strict=True))
    by_stem: dict[str, Image] = {}
    for name, image in found:
        if by_stem.setdefault(suffixless(name), (name, image))[1] != image and image.exists():
            by_stem[name] = (name, image)  # 1.png and 1.jpg
    return by_stem


def _place(path: Path, base: Any, said: str) -> Path | None:
    """Find the folder or list of a part; many files are written for another working directory or machine."""
    base = base if isinstance(base, str) else "."
    steps = [*steps_of(base), *steps_of(said)]
    places = [path.parent / base / said, path.parent / said] if steps_of(said) else [path.parent]
    places += [path.parent.joinpath(*steps[i:]) for i in range(len(steps))]
    spelled = (place for i in range(len(steps)) if (place := descend(path.parent, steps[i:])))
    return next(filter(_is_place, chain(places, spelled)), None)


def _is_place(path: Path) -> bool:  # what is asked of os is false for what is no path at all
    return os.path.isdir(path) or os.path.isdir(_labels_of(path)) or (path.suffix == ".txt" and os.path.isfile(path))


def _in_folder(folder: Path) -> list[Image]:
    """List the images that are there, and those that only have labels."""
    there = {path.relative_to(folder).as_posix(): None for path in images.inside(folder)}
    labels = _labels_of(folder)
    labelled = [f"{suffixless(path.relative_to(labels).as_posix())}.png" for path in walk(labels, {".txt"})]
    if labels == folder:
        labelled = [name for name in labelled if Path(name).stem not in ("classes", "notes")]
    return [(name, folder / name) for name in sorted(listing.complete(there, labelled))]


def _in_list(file: Path, path: Path) -> Iterator[Path]:
    """Go through the images that a text file names, each by a path of this or another machine."""
    for line in filter(None, map(str.strip, read_text(file).split("\n"))):
        steps = steps_of(line)
        places = [file.parent / line, *(path.parent.joinpath(*steps[i:]) for i in range(len(steps)))]
        yield next(filter(os.path.isfile, places), path.parent.joinpath(*steps))


def _labels_of(folder: Path) -> Path:
    """Find the label folder: the last step called `images` becomes `labels`, as in YOLO itself."""
    steps = list(folder.parts)
    if "images" in steps:
        steps[-1 - steps[::-1].index("images")] = "labels"
    return Path(*steps)


def _label_file(image: Path, name: str) -> Path:
    """Find the label file of an image; chestlib 0.1.0 wrote steps of the name that are called `images` as they are."""
    label = f"{suffixless(image.name)}.txt"
    file = _labels_of(image.parent) / label
    depth = len(Path(name).parts) - 1
    top = image.parents[depth] if depth < len(image.parents) else image.parent
    old = (_labels_of(top) / name).with_name(label)
    return old if not file.exists() and old.exists() else file


def _record(
    image: Path,
    index: int,
    name: str,
    size: tuple[int, int] | None,
    names: Mapping[float, str],
    posed: bool,
    reading: Reading,
) -> Record | None:
    path = _label_file(image, name)
    try:
        lines = read_text(path).split("\n") if path.exists() else []
    except ChestlibError as error:
        reading.error(path, index, f"{name}: {str(error).removeprefix(f'{path}: ')}")
        lines = []
    there = os.path.isfile(image)
    if size is None and there:
        size = images.size(image)
    boxes = []
    width, height = size or (1, 1)
    for i, line in enumerate(lines, start=1):
        if not (words := line.partition("#")[0].split()):
            continue
        label, *values = (number_in(word) for word in words[: 5 if posed else None])
        box = None if None in values else _share_box([v for v in values if v is not None], reading)
        finding = names.get(label) if label is not None else None  # 3.0 is 3, but 3.5 is none
        if box is None or finding is None:
            point = "; write decimals with a point" if "," in line else ""
            reading.error(path, index, f"{name}: line {i} is not class, x, y, width, height{point}: {line!r}")
            continue
        corners = (box[0] * width, box[1] * height, box[2] * width, box[3] * height)
        boxes.append((finding, [round(v, DECIMALS) for v in corners]))
    if boxes and size is None:
        reading.error(path, index, f"{name}: the image is missing, so its boxes have no size in pixels")
        boxes = []
    record = reading.record(path, index, name, boxes, size)
    return replace(record, path=image) if record and there else record


def _share_box(values: Sequence[float], reading: Reading) -> tuple[float, float, float, float] | None:
    """Make the corners of a line's numbers: centre and size, or a polygon's points, and perhaps a confidence."""
    if len(values) % 2 and len(values) > 4:
        reading.tell("{n} label lines end with a confidence, left out; did a model write them?")
        values = values[:-1]
    if len(values) == 4:
        cx, cy, w, h = values
        return cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2
    if len(values) < 6:
        return None
    reading.tell("{n} polygons read as their bounding boxes")
    return min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])


def validation(parts: Parts) -> list[Record]:
    """Draw the part that YOLO's trainers choose their checkpoint on: of train, by patient, never of test."""
    return splits.draw(parts.get("train", []), VAL_SHARE, seed=0)[0]


def validation_notes(parts: Parts) -> list[str]:
    """Tell what was drawn, and what such a trainer's scores on test are worth."""
    train, test = parts.get("train", []), parts.get("test", [])
    if not (drawn := validation(parts)):
        return []
    unit = "by patient" if all(record.patient for record in train) else "by image where the patient is unknown"
    notes = [
        f"{len(drawn)} of {len(train)} train images drawn {unit} as validation part, so that none is chosen on test"
    ]
    if shared := {r.patient for r in train if r.patient} & {r.patient for r in test}:
        notes.append(f"{len(shared)} patients are in train or validation and in test")
    return notes


def write(parts: Parts, names: Sequence[str]) -> Iterator[tuple[str, str | Path]]:
    """Render `data.yaml`, `images.csv`, and `labels/PART/NAME.txt` for `images/PART/NAME`."""
    drawn = {suffixless(record.file_name) for record in validation(parts)}
    laid: Parts = {"train": [], "val": [], "test": parts.get("test", [])}
    for record in parts.get("train", []):
        laid["val" if suffixless(record.file_name) in drawn else "train"].append(record)
    folders = {part: f"images/{part}" for part, records in laid.items() if records}
    folders.setdefault("val", folders.get("train", "images/test"))  # YOLO's trainers want one
    yield "data.yaml", yaml.safe_dump({**folders, "names": dict(enumerate(names))}, sort_keys=False)
    yield listing.NAME, listing.text(parts)
    for part, records in laid.items():
        for record in records:
            image = Path("images", part, record.file_name)
            yield (_labels_of(image.parent) / f"{suffixless(image.name)}.txt").as_posix(), "".join(_lines(record))
        yield from images_in(f"images/{part}", records)


def _lines(record: Record) -> Iterator[str]:
    assert record.size, "convert gives every record one"
    width, height = record.size
    for label, (x1, y1, x2, y2) in zip(record.labels.tolist(), record.boxes.tolist(), strict=True):
        shares = (x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height
        yield " ".join([str(label - 1), *(f"{v:.{SHARE_DECIMALS}f}" for v in shares)]) + "\n"
