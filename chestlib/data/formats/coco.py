"""COCO detection JSON, also as other people write it. Source: cocodataset.org/#format-data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from chestlib.data.annotations import Parts, Reading, Record, images_in, number
from chestlib.data.boxes import corners_in, number_in, side_in
from chestlib.data.places import local


def is_coco(document: Any) -> bool:
    """Tell whether what a JSON file holds has the three COCO lists."""
    return isinstance(document, dict) and all(
        isinstance(document.get(key), list) for key in ("images", "annotations", "categories")
    )


def read(path: Path, document: Any, reading: Reading) -> list[Record]:
    """Read one record an image; ids, numbers or texts, their order and the case of names are free."""
    names: dict[int | str, str] = {}
    for category in document["categories"]:
        if _has(category, "id", "name") and names.setdefault(_id(category["id"]), category["name"]) != category["name"]:
            reading.error(path, None, f"category id {category['id']} is {category['name']}, and another before")
    reading.categories[path] = {i: str(name) for i, name in names.items()}
    images: dict[int | str, tuple[int, Any, list[tuple[Any, Any]]]] = {}
    for i, image in enumerate(document["images"]):
        if not _has(image, "id", "file_name"):
            reading.error(path, i, "expected an image with id and file_name")
        elif _id(image["id"]) in images:
            reading.error(path, i, f"{image['file_name']}: image id {image['id']} is used before")
        else:
            images[_id(image["id"])] = (i, image, [])
    for i, item in enumerate(document["annotations"]):
        if not _has(item, "image_id", "category_id") or "bbox" not in item:
            reading.error(path, None, f"annotation {i}: expected image_id, category_id and bbox")
        elif _id(item["image_id"]) not in images:
            reading.error(path, None, f"annotation {i}: no image has the id {item['image_id']!r}")
        elif _id(item["category_id"]) not in names:
            reading.error(path, None, f"annotation {i}: no category has the id {item['category_id']!r}")
        else:
            images[_id(item["image_id"])][2].append((names[_id(item["category_id"])], corners_in(item["bbox"])))
            if item.get("iscrowd") in (1, "1"):
                reading.tell("{n} boxes marked iscrowd read as boxes")
    file_names = local([str(image["file_name"]) for _, image, _ in images.values()])
    records = (
        reading.record(path, i, file_name, boxes, _size(image), own_id)
        for file_name, (own_id, (i, image, boxes)) in zip(file_names, images.items(), strict=True)
    )
    return reading.unique(records)


def _id(value: Any) -> int | str:
    """Make 3, 3.0 and "3" one id."""
    number = number_in(value)
    whole = number is not None and abs(number) < 2**63 and str(value).removesuffix(".0") == f"{number:.0f}"
    return int(number) if whole and number is not None else str(value)


def _has(item: Any, *keys: str) -> bool:
    return isinstance(item, dict) and all(type(item.get(key)) in (int, float, str) for key in keys)


def _size(image: Any) -> tuple[int, int] | None:
    width, height = side_in(image.get("width")), side_in(image.get("height"))
    return (width, height) if width and height else None


def write(parts: Parts, names: Sequence[str]) -> Iterator[tuple[str, str | Path]]:
    """Render `annotations/PART.json`: image ids from 1 in the order of the records, category ids as finding ids."""
    for part, records in parts.items():
        yield f"annotations/{part}.json", _text(records, names)
        yield from images_in(f"images/{part}", records)


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
