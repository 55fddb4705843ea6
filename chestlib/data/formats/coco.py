"""COCO detection JSON, also as other people write it. Source: cocodataset.org/#format-data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from chestlib.data.annotations import LARGEST, Parts, Reading, Record, number
from chestlib.data.formats.listing import LARGEST_SIDE
from chestlib.files import read_json


def is_coco(path: Path) -> bool:
    """Tell whether a JSON file has the three COCO lists."""
    document = read_json(path)
    return isinstance(document, dict) and all(
        isinstance(document.get(key), list) for key in ("images", "annotations", "categories")
    )


def read(path: Path, reading: Reading) -> list[Record]:
    """Read one record an image; category ids, their order and the case of their names are free."""
    document = read_json(path)
    names = {c["id"]: c["name"] for c in document["categories"] if _has(c, "id", "name")}
    reading.categories |= names
    images: dict[Any, tuple[int, Any, list[tuple[Any, Any]]]] = {}
    for i, image in enumerate(document["images"]):
        if not _has(image, "id", "file_name"):
            reading.error(path, i, "expected an image with id and file_name")
        elif image["id"] in images:
            reading.error(path, i, f"{image['file_name']}: image id {image['id']} is used before")
        else:
            images[image["id"]] = (i, image, [])
    for i, item in enumerate(document["annotations"]):
        if not _has(item, "image_id", "category_id") or "bbox" not in item:
            reading.error(path, None, f"annotation {i}: expected image_id, category_id and bbox")
        elif item["image_id"] not in images:
            reading.error(path, None, f"annotation {i}: no image has the id {item['image_id']!r}")
        elif item["category_id"] not in names:
            reading.error(path, None, f"annotation {i}: no category has the id {item['category_id']!r}")
        else:
            images[item["image_id"]][2].append((names[item["category_id"]], _corners(item["bbox"])))
    records = (
        reading.record(path, i, _local(image["file_name"]), boxes, _size(image), image["id"])
        for i, image, boxes in images.values()
    )
    return reading.unique(records)


def _has(item: Any, *keys: str) -> bool:
    return isinstance(item, dict) and all(isinstance(item.get(key), (int, str)) for key in keys)


def _size(image: Any) -> tuple[int, int] | None:
    width, height = said = (image.get("width"), image.get("height"))
    return (width, height) if all(type(side) is int and 0 < side <= LARGEST_SIDE for side in said) else None


def _corners(box: Any) -> Any:
    """Turn x, y, width, height to xyxy; anything else is left for the reading to refuse."""
    if isinstance(box, list) and len(box) == 4 and all(type(v) in (int, float) and abs(v) <= LARGEST for v in box):
        return [box[0], box[1], box[0] + box[2], box[1] + box[3]]
    return box


def _local(file_name: Any) -> Any:
    """Make a path of another machine one below the data folder."""
    if not isinstance(file_name, str):
        return file_name
    path = PurePosixPath(file_name.replace("\\", "/"))
    foreign = path.is_absolute() or ".." in path.parts or ":" in str(path).partition("/")[0]
    return path.name if foreign else str(path)


def write(parts: Parts, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Render `annotations/PART.json`: image ids from 1 in the order of the records, category ids as finding ids."""
    for part, records in parts.items():
        yield f"annotations/{part}.json", _text(records, names)


def _text(records: Sequence[Record], names: Sequence[str]) -> str:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, record in enumerate(records, start=1):
        assert record.size, "convert gives every record one"
        width, height = record.size
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
