"""What a viewer shows, as JSON: names, patients, boxes in original pixels; and where each picture comes from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chestlib.data import Record
from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS, looks
from chestlib.viewer.pictures import Source

OUTCOMES = {
    "hit": {"name": "hit", "many": "hits", "colour": "#2fd6a0", "line": "solid"},
    "alarm": {"name": "false alarm", "many": "false alarms", "colour": "#ff7043", "line": "dashed"},
    "missed": {"name": "missed", "many": "missed", "colour": "#ffd84a", "line": "dotted"},
}
"""How a match is drawn; told apart by line style too (hues after Okabe and Ito, 2008)."""

Boxes = list[list[float]]


def study(
    images: Any,
    truth: Sequence[Any] | None = None,
    detections: Sequence[Detections | None] | None = None,
    names: Sequence[str] | None = None,
    patients: Sequence[str] | None = None,
) -> tuple[list[Source], dict[str, Any]]:
    """Collect the sources of the pictures and the JSON state that `js/types.d.ts` documents (StudyData).

    Raises
    ------
    ChestlibError
        If there is no image, or the lists differ in length.
    """
    items = _items(images)
    if not items:
        raise ChestlibError("nothing to show: the list of images is empty")
    records = [item if isinstance(item, Record) else None for item in items]
    truth = _aligned("truth", [truth] if isinstance(truth, Record) else truth, items, records)
    detections = _aligned("detections", [detections] if isinstance(detections, Detections) else detections, items)
    names = _aligned("names", names, items)
    patients = _aligned("patients", patients, items)
    entries = []
    for i, (item, record) in enumerate(zip(items, records, strict=True)):
        known = truth[i] if isinstance(truth[i], Record) else record
        entries.append(
            {
                "name": names[i] or _name(item, known, i),
                "patient": str(patients[i] or (known.patient if known else "")),
                "truth": _truth(truth[i]),
                "detections": _detected(detections[i]),
            }
        )
    sources = [record.path if record else item for item, record in zip(items, records, strict=True)]
    known = {item.names for item in (*records, *truth, *detections) if isinstance(item, Record | Detections)}
    if len(known) > 1:
        raise ChestlibError("images, truth and detections are of different findings; show one data set at a time")
    findings = [{"name": name, "colour": c, "line": line} for name, (c, line) in looks(*known or [FINDINGS]).items()]
    return sources, {"images": entries, "findings": findings, "outcomes": OUTCOMES, "note": ""}


def _items(images: Any) -> list[Any]:
    if isinstance(images, str | Path | Record):
        return [images]
    shape = getattr(images, "shape", None)
    if shape is not None:  # an array or a tensor: one image, or a stack of them
        return [images] if len(shape) == 2 or (len(shape) == 3 and shape[0] == 1) else list(images)
    if not isinstance(images, Iterable):
        raise ChestlibError(f"images are paths, arrays or records; got {type(images).__name__}")
    return list(images)


def _aligned(what: str, values: Sequence[Any] | None, items: list[Any], default: list[Any] | None = None) -> list[Any]:
    if values is None:
        return default or [None] * len(items)
    values = list(values)
    if len(values) != len(items):
        raise ChestlibError(f"{what}: expected one for each of {len(items)} images, got {len(values)}")
    return values


def _name(item: Any, record: Record | None, i: int) -> str:
    if record:
        return record.file_name
    return Path(item).name if isinstance(item, str | Path) else f"image {i + 1}"


def _truth(truth: Any) -> Boxes | None:
    if truth is None:
        return None
    if not isinstance(truth, Record):
        boxes, labels = truth
        truth = Record("truth", boxes, labels)
    return [[*_rounded(box), int(label)] for box, label in zip(truth.boxes, truth.labels, strict=True)]


def _detected(found: Detections | None) -> Boxes | None:
    if found is None:
        return None
    return [
        [*_rounded(box), int(label), round(float(score), 5)]
        for box, label, score in zip(found.boxes, found.labels, found.scores, strict=True)
    ]


def _rounded(box: np.ndarray) -> list[float]:
    return [int(v) if v == int(v) else round(float(v), 2) for v in box]
