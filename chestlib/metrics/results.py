"""Results of other tools: which detections belong to which image, and boxes, labels and scores of one image.

Sources: cocodataset.org/#format-results; eval.py in github.com/Deepwise-AILab/ChestX-Det10-Dataset;
docs.ultralytics.com/modes/predict; mmdetection.readthedocs.io, "Inference"; pytorch.org/vision, "Faster R-CNN".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from chestlib.data import images
from chestlib.errors import ChestlibError
from chestlib.files import read_json, read_text
from chestlib.metrics.key import Key, text

Rows = tuple[Any, Any, Any]
"""Boxes (n, 4) xyxy in pixels, labels (n,) and scores (n,) of one image."""


# --- which detections belong to which image ---


def by_file(items: Iterable[dict[str, Any]], path: Path, key: Key, name: str = "file") -> dict[str, Any]:
    """Group objects that name their image; chestlib's own hold "detections", others are the detections."""
    items = list(items)
    ids = key.images([item[name] for item in items], path) if name == "image_id" else {}
    found: dict[str, Any] = {}
    for item in items:
        file = ids[text(item[name], name)] if ids else key.image(item[name])
        if file in found:
            raise ChestlibError(f"{path}: {file} is listed twice; one entry an image")
        found[file] = item.get("detections", item)
    return settled(found, key)


def by_name(items: Mapping[str, Any], path: Path, key: Key) -> dict[str, Any]:
    """Name the images of an object from file name to detections."""
    outputs = all(isinstance(said, dict) for said in items.values())  # torchvision's own are by image id
    names = key.images(items, path, strict=True) if items and outputs else {name: key.image(name) for name in items}
    found = {names[name]: said for name, said in items.items()}
    if len(found) < len(items):
        raise ChestlibError(f"{path}: two entries are of one image; one entry an image")
    return settled(found, key)


def settled(found: dict[str, Any], key: Key) -> dict[str, Any]:
    """Settle how the labels of torchvision's objects are counted."""
    ours = [said for said in found.values() if isinstance(said, dict) and "boxes" in said]
    if any(not isinstance(said.get("labels"), list) for said in ours):
        raise ChestlibError('labels: expected a list, as long as "boxes" and "scores"')
    key.use_categories(label for said in ours for label in said["labels"])
    return found


def by_image_id(items: Sequence[dict[str, Any]], path: Path, key: Key) -> dict[str, Any]:
    """Group COCO results; images without any are empty."""
    if items and all(isinstance(item.get("file_name"), str) for item in items):  # said outright
        names = {text(item["image_id"], "image_id"): key.image(item["file_name"]) for item in items}
    else:
        names = key.images((item["image_id"] for item in items), path)
    key.use_categories(item["category_id"] for item in items if "category_id" in item)
    own: dict[str, Any] = {record.file_name: [] for record in key.truth}
    for item in items:
        own.setdefault(names[text(item["image_id"], "image_id")], []).append(item)
    return own


def by_document(document: dict[str, Any], path: Path, key: Key) -> dict[str, Any]:
    """Group the annotations of a COCO document that have scores; its ids are its own."""
    try:
        files = {image["id"]: key.image(image["file_name"]) for image in document["images"]}
        if len(set(files.values())) < len(files):
            raise ChestlibError(f"{path}: two of its images are one image of the truth")
        names = {category["id"]: category["name"] for category in document["categories"]}
        own: dict[str, Any] = {file: [] for file in files.values()}
        for item in document["annotations"]:
            own[files[item["image_id"]]].append({**item, "name": names[item["category_id"]]})
    except (KeyError, TypeError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else "a part of another kind"
        raise ChestlibError(f"{path}: not a whole COCO document ({what})") from None
    if any("score" not in item for items in own.values() for item in items):
        raise ChestlibError(
            f"{path}: annotations without scores: a truth, not predictions; give the detector's results"
        )
    return own


def read_folder(folder: Path, key: Key) -> dict[str, Any]:
    """Read one file an image, named like it: .json, or .txt of ultralytics."""
    files = sorted(folder.glob("*.json")) or sorted(f for f in folder.glob("*.txt") if f.name != "classes.txt")
    if not files:
        raise ChestlibError(f"{folder}: holds no JSON file; expected one for each image, named like it")
    found: dict[str, Any] = {}
    for file in files:
        name = key.image(file.stem)
        if name in found or (len(key.ends[2]) < len(key.truth) and name not in key.files):
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
    record = key.files.get(name)
    size = record and (record.size or (images.size(record.path) if record.path else None))
    found = []
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) == 5:
            raise ChestlibError(f"{file}: line {number} has no confidence; predict again with save_conf=True")
        try:
            label, cx, cy, w, h, score, *_ = map(float, words[:7])  # the seventh is a tracker's number
            if len(words) > 7:
                raise ValueError
        except ValueError:
            says = "is not class, x, y, width, height, confidence; polygons are not scored"
            raise ChestlibError(f"{file}: line {number} {says}") from None
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
