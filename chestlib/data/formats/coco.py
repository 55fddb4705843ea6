"""COCO detection JSON, also as other people write it. Source: cocodataset.org/#format-data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from chestlib.data.annotations import LARGEST, Reading, Record, number
from chestlib.data.formats.listing import LARGEST_SIDE
from chestlib.errors import ChestlibError
from chestlib.files import read_json

KEYS = ("images", "annotations", "categories")


def is_coco(document: Any) -> bool:
    """True for a parsed JSON file that has the three COCO lists."""
    return isinstance(document, dict) and all(isinstance(document.get(key), list) for key in KEYS)


def read(path: Path, reading: Reading) -> list[Record]:
    """One record an image; category ids, their order and the case of their names are free.

    Raises
    ------
    ChestlibError
        If the file is not COCO JSON at all.
    """
    document = read_json(path)
    if not is_coco(document):
        raise ChestlibError(f"{path}: not COCO; expected an object with the lists {', '.join(KEYS)}")
    names = {c["id"]: c["name"] for c in document["categories"] if _has(c, "id", "name")}
    boxes: dict[Any, list[tuple[Any, Any]]] = {}
    for i, image in enumerate(document["images"]):
        if not _has(image, "id", "file_name"):
            reading.error(path, i, "expected an image with id and file_name")
        elif image["id"] in boxes:
            reading.error(path, i, f"{image['file_name']}: image id {image['id']} is used before")
        else:
            boxes[image["id"]] = []
    for i, item in enumerate(document["annotations"]):
        if not _has(item, "image_id", "category_id") or "bbox" not in item:
            reading.error(path, None, f"annotation {i}: expected image_id, category_id and bbox")
        elif item["image_id"] not in boxes:
            reading.error(path, None, f"annotation {i}: no image has the id {item['image_id']!r}")
        elif item["category_id"] not in names:
            reading.error(path, None, f"annotation {i}: no category has the id {item['category_id']!r}")
        else:
            boxes[item["image_id"]].append((names[item["category_id"]], _corners(item["bbox"])))
    return reading.unique((_record(path, i, image, boxes, reading) for i, image in enumerate(document["images"])))


def _has(item: Any, *keys: str) -> bool:
    return isinstance(item, dict) and all(isinstance(item.get(key), (int, str)) for key in keys)


def _record(path: Path, index: int, image: Any, boxes: dict[Any, list], reading: Reading) -> Record | None:
    if not _has(image, "id", "file_name") or image["id"] not in boxes:
        return None
    found = boxes.pop(image["id"])  # a second image of this id was noted above
    said = (image.get("width"), image.get("height"))
    size = said if all(type(v) is int and 0 < v <= LARGEST_SIDE for v in said) else None
    return reading.record(path, index, _local(image["file_name"]), [n for n, _ in found], [b for _, b in found], size)


def _corners(box: Any) -> Any:
    """x, y, width, height to xyxy; anything else is left for the reading to refuse."""
    if isinstance(box, list) and len(box) == 4 and all(type(v) in (int, float) and abs(v) <= LARGEST for v in box):
        return [box[0], box[1], box[0] + box[2], box[1] + box[3]]
    return box


def _local(file_name: Any) -> Any:
    """A path of another machine becomes one below the data folder."""
    if not isinstance(file_name, str):
        return file_name
    path = PurePosixPath(file_name.replace("\\", "/"))
    foreign = path.is_absolute() or ".." in path.parts or ":" in path.parts[0] if path.parts else False
    return path.name if foreign else str(path)


def text(records: Sequence[Record], sizes: Sequence[tuple[int, int]], names: Sequence[str]) -> str:
    """COCO JSON: image ids from 1 in the order of `records`, category ids as finding ids."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (record, (width, height)) in enumerate(zip(records, sizes, strict=True), start=1):
        images.append({"id": image_id, "file_name": record.file_name, "width": width, "height": height})
        for label, (x1, y1, x2, y2) in zip(record.labels.tolist(), record.boxes.tolist(), strict=True):
            w, h = x2 - x1, y2 - y1
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": label,
                    "bbox": [number(v) for v in (x1, y1, w, h)],
                    "area": number(w * h),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": i, "name": name} for i, name in enumerate(names, start=1)]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories}) + "\n"
