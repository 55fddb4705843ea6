"""Results of other tools: what their image and category ids mean, and boxes, labels and scores of one image.

Sources: cocodataset.org/#format-results; eval.py in github.com/Deepwise-AILab/ChestX-Det10-Dataset;
docs.ultralytics.com/modes/predict; mmdetection.readthedocs.io, "Inference"; pytorch.org/vision, "Faster R-CNN".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from chestlib.data import Record, images
from chestlib.errors import ChestlibError
from chestlib.files import read_json

Rows = tuple[Any, Any, Any]
"""Boxes (n, 4) xyxy in pixels, labels (n,) and scores (n,) of one image."""


class Key:
    """What results refer to: images by name or id, findings by name or category id.

    Parameters
    ----------
    truth : sequence of Record
    categories : mapping
        The truth's own category ids to names; empty where it has none.
    """

    def __init__(self, truth: Sequence[Record], categories: Mapping[Any, str]) -> None:
        self.truth = truth
        self.names = truth[0].names if truth else ()
        self.notes: list[str] = []
        self._labels = {name.casefold(): i for i, name in enumerate(self.names, start=1)}
        self._categories = {str(i): name for i, name in categories.items()}
        self._order = [categories[i] for i in sorted(categories, key=lambda i: (str(type(i)), i))] or list(self.names)

    @cached_property
    def _files(self) -> dict[str, str]:
        return {record.file_name: record.file_name for record in self.truth}

    @cached_property
    def _ends(self) -> list[dict[str, str]]:
        """Last steps, whole and without their suffix, of those images that have them alone."""
        found: list[dict[str, str]] = []
        paths = {file: PurePosixPath(file) for file in self._files}
        ends = (
            {file: path.name for file, path in paths.items()},
            {file: path.with_suffix("").as_posix() for file, path in paths.items()},
            {file: path.stem for file, path in paths.items()},
        )
        for own in ends:
            times = Counter(own.values())
            found.append({end: file for file, end in own.items() if times[end] == 1})
        return found

    def image(self, said: Any) -> str:
        """Find the file name that a path, a name or a stem means; what is none stays as it is."""
        text = str(said).replace("\\", "/")
        steps = PurePosixPath(text).parts
        for at in range(len(steps)):
            if file := self._files.get("/".join(steps[at:])):
                return file
        name = steps[-1] if steps else text
        tries = zip(self._ends, (name, text, name), strict=True)
        known = next((names[end] for names, end in tries if end in names), None)
        return known or self._ends[2].get(PurePosixPath(name).stem, text)

    def images(self, said: Iterable[Any], path: Path) -> dict[Any, str]:
        """Find the file name of every image id of COCO results."""
        ids = set(said)
        if wrong := [i for i in ids if isinstance(i, bool) or not isinstance(i, (int, str))]:
            raise ChestlibError(f"{path}: image_id {wrong[0]!r} is neither a number nor a name")
        own = {str(record.id): record.file_name for record in self.truth if record.id is not None}
        if {str(i) for i in ids} <= own.keys():  # COCO's rule: ids are those of the annotation file
            return {i: own[str(i)] for i in ids}
        names = {i: self.image(i) for i in ids if isinstance(i, str)}
        if len(names) == len(ids) and set(names.values()) <= self._files.keys():
            return names
        first = 0 if 0 in ids else 1
        places = {} if own else {i: record.file_name for i, record in enumerate(self.truth, start=first)}
        stems = {int(s): f for s, f in self._ends[2].items() if s.isdecimal()}
        readings = [known for known in (stems, places) if ids <= known.keys()]
        if not readings:
            shown = ", ".join(sorted(map(str, ids))[:3])
            raise ChestlibError(
                f"{path}: image_id ({shown}, …) is neither "
                + ("an id in the annotation file" if own else f"the position in the truth (1..{len(self.truth)})")
                + " nor the name of an image or the number in it; are these predictions for another part?"
            )
        if any(known[i] != readings[0][i] for known in readings for i in ids):
            raise ChestlibError(
                f"{path}: image_id fits both the position in the truth and the number in the file name, and they "
                "differ; give predictions as one JSON object from file name to list"
            )
        if readings[0] is places:
            self._tell(f"image_id is read as the place in the truth, counted from {first}")
        return readings[0]

    def label(self, name: Any) -> int:
        """Look up a finding by its name, its case ignored."""
        known = self._labels.get(str(name).casefold())
        if known is None:
            raise ChestlibError(f"unknown finding {name!r}; known are {', '.join(self.names)}")
        return known

    def use_categories(self, said: Iterable[Any]) -> None:
        """Settle, on all category ids of a file, how they are counted; :meth:`category` then looks each up."""
        ids = {_whole(i) for i in said}
        count, numbers = len(self._order), {i for i in ids if i.isdecimal()}
        if not ids <= self._categories.keys() and "0" in ids and ids == numbers and max(map(int, ids)) < count:
            self._categories = {str(i): name for i, name in enumerate(self._order)}
            self._tell(f"category_id is counted from 0: 0 is {self._order[0]}")
        elif not self._categories:
            self._categories = {str(i): name for i, name in enumerate(self._order, start=1)}
            if ids:
                self._tell(f"category_id is counted from 1: 1 is {self._order[0]}, {count} is {self._order[-1]}")

    def category(self, said: Any) -> int:
        """Look up a finding by a category id."""
        if (name := self._categories.get(_whole(said))) is None:
            known = ", ".join(f"{i} {name}" for i, name in self._categories.items())
            raise ChestlibError(f"unknown category {said!r}; known are {known}")
        return self.label(name)

    def index(self, said: Any) -> int:
        """Look up a finding by its place, counted from 0, among the truth's classes."""
        whole = _whole(said)
        if not whole.isdecimal() or int(whole) >= len(self._order):
            raise ChestlibError(f"unknown class {said!r}; the classes are 0 to {len(self._order) - 1}")
        return self.label(self._order[int(whole)])

    def _tell(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


def _whole(said: Any) -> str:
    """Write a category id as text: 3, "3" and 3.0 are one."""
    return str(int(said)) if isinstance(said, float) and said.is_integer() else str(said)


# --- which detections belong to which image ---


def by_file(items: Iterable[dict[str, Any]], path: Path, key: Key, name: str = "file") -> dict[str, Any]:
    """Group objects that name their image; chestlib's own hold "detections", others are the detections."""
    items = list(items)
    ids = key.images([item[name] for item in items], path) if name == "image_id" else {}
    found: dict[str, Any] = {}
    for item in items:
        file = ids[item[name]] if ids else key.image(item[name])
        if file in found:
            raise ChestlibError(f"{path}: {file} is listed twice; one entry an image")
        found[file] = item.get("detections", item)
    return settled(found, key)


def by_name(items: Mapping[str, Any], path: Path, key: Key) -> dict[str, Any]:
    """Name the images of an object from file name to detections."""
    found = {key.image(name): said for name, said in items.items()}
    if len(found) < len(items):
        raise ChestlibError(f"{path}: two entries are of one image; one entry an image")
    return settled(found, key)


def settled(found: dict[str, Any], key: Key) -> dict[str, Any]:
    """Settle how the labels of torchvision's objects are counted."""
    ours = [said for said in found.values() if isinstance(said, dict) and "boxes" in said]
    key.use_categories(label for said in ours for label in said.get("labels", ()))
    return found


def by_image_id(items: Sequence[dict[str, Any]], path: Path, key: Key) -> dict[str, Any]:
    """Group COCO results; images without any are empty."""
    names = key.images((item["image_id"] for item in items), path)
    key.use_categories(item["category_id"] for item in items if "category_id" in item)
    own: dict[str, Any] = {record.file_name: [] for record in key.truth}
    for item in items:
        own[names[item["image_id"]]].append(item)
    return own


def by_document(document: dict[str, Any], path: Path, key: Key) -> dict[str, Any]:
    """Group the annotations of a COCO document that have scores; its ids are its own."""
    try:
        files = {image["id"]: key.image(image["file_name"]) for image in document["images"]}
        names = {category["id"]: category["name"] for category in document["categories"]}
        own: dict[str, Any] = {file: [] for file in files.values()}
        for item in document["annotations"]:
            own[files[item["image_id"]]].append({**item, "name": names[item["category_id"]]})
    except (KeyError, TypeError) as error:
        raise ChestlibError(f"{path}: not a whole COCO document ({error} is missing)") from None
    if any("score" not in item for items in own.values() for item in items):
        raise ChestlibError(
            f"{path}: annotations without scores: a truth, not predictions; give the detector's results"
        )
    return own


def read_folder(folder: Path, key: Key) -> dict[str, Any]:
    """Read one file an image, named like it: .json, or .txt of ultralytics."""
    files = sorted(folder.glob("*.json")) or sorted(folder.glob("*.txt"))
    if not files:
        raise ChestlibError(f"{folder}: holds no JSON file; expected one for each image, named like it")
    found: dict[str, Any] = {}
    for file in files:
        name = key.image(file.stem)
        if name in found or (len(key._ends[2]) < len(key.truth) and name not in key._files):
            raise ChestlibError(
                f"{file}: images of the truth share a stem; give predictions as one JSON object instead"
            )
        found[name] = (
            _lines(file, name, key) if file.suffix == ".txt" else read_json(file) if file.stat().st_size else []
        )
    return settled(found, key)


def file_of(folder: Path, name: str) -> Path:
    """Name the file of an image in such a folder."""
    stem = PurePosixPath(name).stem
    return next((path for path in folder.glob("*") if path.stem == stem), folder / f"{stem}.json")


def _lines(file: Path, name: str, key: Key) -> list[dict[str, Any]]:
    """Read class, centre, size (shares of the image) and confidence, a line a box."""
    record = next((record for record in key.truth if record.file_name == name), None)
    size = record and (record.size or (images.size(record.path) if record.path else None))
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").split("\n"), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) == 5:
            raise ChestlibError(f"{file}: line {number} has no confidence; predict again with save_conf=True")
        try:
            label, cx, cy, w, h, score = map(float, words)
        except ValueError:
            raise ChestlibError(f"{file}: line {number} is not class, x, y, width, height, confidence") from None
        if not size:
            raise ChestlibError(f"{file}: the image is missing, so its boxes have no size in pixels")
        (width, height), box = size, (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
        pixels = [share * side for share, side in zip(box, (width, height, width, height), strict=True)]
        found.append(
            {"class": label, "confidence": score, "box": dict(zip(("x1", "y1", "x2", "y2"), pixels, strict=True))}
        )
    return found


# --- the detections of one image ---


def own(items: Any, key: Key) -> Rows:
    """Take chestlib's: {"finding", "box", "score"}."""
    try:
        labels = [key.label(item["finding"]) for item in items]
        return [item["box"] for item in items], labels, np.array([item["score"] for item in items], float)
    except KeyError as error:
        raise ChestlibError(f"a detection has no {error.args[0]!r}") from None


def coco(items: Any, key: Key) -> Rows:
    """Take COCO's: {"category_id", "bbox": [x, y, width, height], "score"}."""
    labels = [key.label(i["name"]) if "name" in i else key.category(i["category_id"]) for i in items]
    boxes = np.array([item["bbox"] for item in items], float).reshape(len(items), 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes, labels, np.array([item["score"] for item in items], float)


def one_image(items: Any, key: Key) -> Rows:
    """Take torchvision's and mmdetection's objects of three lists, ultralytics' objects, or the challenge's."""
    if isinstance(items, dict):
        if "bboxes" in items:
            return items["bboxes"], [key.index(i) for i in items["labels"]], np.array(items["scores"], float)
        return items["boxes"], [key.category(i) for i in items["labels"]], np.array(items["scores"], float)
    if items and all(isinstance(item, dict) and {"confidence", "box"} <= item.keys() for item in items):
        boxes = [[item["box"][corner] for corner in ("x1", "y1", "x2", "y2")] for item in items]
        labels = [key.label(i["name"]) if "name" in i else key.index(i["class"]) for i in items]
        return boxes, labels, np.array([item["confidence"] for item in items], float)
    pairs = [pair for item in items for pair in item.items()]
    labels = [key.label(name) for name, _ in pairs]
    rows = np.array([row for _, row in pairs], float).reshape(len(pairs), 5)
    return rows[:, :4], labels, rows[:, 4]
