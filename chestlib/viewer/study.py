"""What a viewer shows, as JSON: names, patients, boxes in original pixels; and where each picture comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np

from chestlib.data import Record, visit_of
from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS, looks
from chestlib.viewer.lengths import told
from chestlib.viewer.pictures import Source

OUTCOMES = {
    "hit": {"name": "hit", "many": "hits", "colour": "#2fd6a0", "line": "solid"},
    "alarm": {"name": "false alarm", "many": "false alarms", "colour": "#ff7043", "line": "dashed"},
    "missed": {"name": "missed", "many": "missed", "colour": "#ffd84a", "line": "dotted"},
}
"""How a match is drawn; told apart by line style too (hues after Okabe and Ito, 2008)."""

DIFFERENCES = {
    "both": {"name": "both", "colour": "#2fd6a0", "line": "solid"},
    "a": {"name": "only A", "colour": "#56b4e9", "line": "dashed"},
    "b": {"name": "only B", "colour": "#e58bd0", "line": "dashdot"},
    "neither": {"name": "neither", "colour": "#ffd84a", "line": "dotted"},
}
"""How a true box is drawn by which of two detectors found it."""

Boxes = list[list[float]]


def study(
    images: Any,
    truth: Sequence[Any] | None = None,
    detections: Any = None,
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
    names = _aligned("names", names, items)
    patients = _aligned("patients", patients, items)
    entries: list[dict[str, Any]] = []
    for i, (item, record) in enumerate(zip(items, records, strict=True)):
        known = truth[i] if isinstance(truth[i], Record) else record
        entries.append(
            {
                "name": (name := _said(names[i]) or _name(item, known, i)),
                "patient": _said(patients[i]) or (known.patient if known else ""),
                "truth": _truth(truth[i], name),
                "detections": None,
                **_kept(known),
            }
        )
    detectors = _detectors(detections, [entry["name"] for entry in entries])
    for i, entry in enumerate(entries):
        first, *others = [_detected(found[i]) for found in detectors.values()] or [None]
        known = truth[i] if isinstance(truth[i], Record) else None
        if known and known.annotated is not None:
            entry["looked"] = sorted({*known.annotated, *known.labels.tolist()})
        entry |= {"detections": first, **({"others": others} if others else {})}
    said = [found for answers in detectors.values() for found in answers]
    sources = [record.path if record else item for item, record in zip(items, records, strict=True)]
    known = {item.names for item in (*records, *truth, *said) if isinstance(item, Record | Detections)}
    if len(known) > 1:
        raise ChestlibError("images, truth and detections are of different findings; show one data set at a time")
    findings = [{"name": name, "colour": c, "line": line} for name, (c, line) in looks(*known or [FINDINGS]).items()]
    _require_findings(entries, len(findings))
    looks_of = {"findings": findings, "outcomes": OUTCOMES, "differences": DIFFERENCES}
    return sources, {"images": entries, **looks_of, "detectors": [name for name in detectors if name], "note": ""}


def _kept(record: Record | None) -> dict[str, Any]:
    """Give what a record knows beside its boxes: its place among the films of a patient, and its size in mm."""
    if record is None:
        return {}
    visit = visit_of(record.file_name) if record.visit is None else record.visit
    extent = told(record.extent) if record.extent else None
    return {key: value for key, value in (("visit", visit), ("extent", extent)) if value is not None}


def _detectors(detections: Any, titles: list[str]) -> dict[str, list[Detections | None]]:
    """Give the answers of each detector in the order of the images; one without a name is called ""."""
    if detections is None:
        return {}
    if isinstance(detections, Mapping) and not {type(found) for found in detections.values()} <= {Detections, NoneType}:
        return {_named(name): _answers(f"detections[{name!r}]", found, titles) for name, found in detections.items()}
    if isinstance(detections, Mapping) and not detections:
        raise ChestlibError("detections: a mapping without a detector; give {name: a list, one for each image}")
    return {"": _answers("detections", detections, titles)}


def _named(name: Any) -> str:
    if not isinstance(name, str) or not name.strip():
        raise ChestlibError(f"detections: {name!r} is no name of a detector; give words")
    return name


def _answers(what: str, found: Any, titles: list[str]) -> list[Detections | None]:
    """Give one detector's answers, listed in the order of the images or by their names."""
    if isinstance(found, Mapping):
        if not found.keys() & {*titles}:
            raise ChestlibError(f"{what}: names none of the images shown ({', '.join(titles[:3])}, …)")
        return [found.get(title) for title in titles]
    answers = _aligned(what, [found] if isinstance(found, Detections) else found, titles)
    if other := [item for item in answers if not isinstance(item, Detections | None)]:
        raise ChestlibError(f"{what}: expected Detections, or None, for each image; got {type(other[0]).__name__}")
    return answers


def _items(images: Any) -> list[Any]:
    if isinstance(images, str | Path | Record):
        return [images]
    shape = getattr(images, "shape", None)
    if shape:  # an array or a tensor: one image, or a stack of them
        return [images] if len(shape) == 2 or (len(shape) == 3 and shape[0] == 1) else list(images)
    if shape is not None or not isinstance(images, Iterable):
        raise ChestlibError(f"images are paths, arrays or records; got {type(images).__name__}")
    return list(images)


def _aligned(what: str, values: Any, items: Sequence[Any], default: list[Any] | None = None) -> list[Any]:
    if values is None:
        return default or [None] * len(items)
    if isinstance(values, str | bytes) or not isinstance(values, Iterable) or getattr(values, "shape", None) == ():
        raise ChestlibError(f"{what}: expected one for each of {len(items)} images, got {type(values).__name__}")
    values = list(values)
    if len(values) != len(items):
        raise ChestlibError(f"{what}: expected one for each of {len(items)} images, got {len(values)}")
    return values


def _name(item: Any, record: Record | None, i: int) -> str:
    if record:
        return record.file_name
    return Path(item).name if isinstance(item, str | Path) else f"image {i + 1}"


def _said(value: Any) -> str:
    """Write a name or a patient, which may come from a table: a number, a path, or NaN where it is not known."""
    return "" if value is None or value != value else str(value)


def _truth(truth: Any, name: str) -> Boxes | None:
    """Give the true boxes of an image; what has no area may be shown, what has no place may not."""
    if truth is None:
        return None
    if not isinstance(truth, Record):
        try:
            boxes, labels = truth
            truth = Record(f"truth of {name}", boxes, labels)
        except (OverflowError, TypeError, ValueError):
            kind = type(truth).__name__
            raise ChestlibError(f"truth of {name}: expected a Record, or (boxes, finding ids); got {kind}") from None
    placed = np.isfinite(truth.boxes).all(1) & (truth.boxes[:, 2:] >= truth.boxes[:, :2]).all(1)
    if wrong := truth.boxes[~placed].tolist():
        raise ChestlibError(f"truth of {name}: box {wrong[0]} is swapped or not finite; expected x2 > x1 and y2 > y1")
    return [[*_rounded(box), int(label)] for box, label in zip(truth.boxes, truth.labels, strict=True)]


def _require_findings(entries: Sequence[Mapping[str, Any]], count: int) -> None:
    """Refuse a true box of no finding; 0 would be drawn as the last one."""
    for entry in entries:
        if strange := [label for *_, label in entry["truth"] or () if not 1 <= label <= count]:
            raise ChestlibError(f"truth of {entry['name']}: finding ids are 1..{count}; got {strange[0]}")


def _detected(found: Detections | None) -> Boxes | None:
    if found is None:
        return None
    return [
        [*_rounded(box), int(label), round(float(score), 5)]
        for box, label, score in zip(found.boxes, found.labels, found.scores, strict=True)
    ]


def _rounded(box: np.ndarray) -> list[float]:
    return [int(v) if v == int(v) else round(float(v), 2) for v in box]
