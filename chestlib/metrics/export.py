"""Detections as COCO results, for tools that read no other form. Source: cocodataset.org/#format-results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from chestlib.data import Record
from chestlib.errors import ChestlibError
from chestlib.files import write_atomically
from chestlib.metrics.predictions import Found


def write_coco(path: Path, truth: Sequence[Record], found: Found) -> None:
    """Write detections as one list of {"image_id", "category_id", "bbox": [x, y, width, height], "score"}.

    Ids are those of the truth, so that its file and this one belong together. Numbers are written in full: whoever
    reads them has the very float32 that was scored here.

    Parameters
    ----------
    path : Path
        A new file.
    truth : sequence of Record
        Of a COCO file; images without detections have no rows.
    found : Found
        What :func:`read_predictions` gave for this truth.

    Raises
    ------
    ChestlibError
        If the file is there already, or the truth has no ids, two images of one id, or no category of a finding.
    """
    if path.exists():
        raise ChestlibError(f"{path}: is there already; give a new name")
    ids = {record.file_name: record.id for record in truth}
    if None in ids.values():
        raise ChestlibError(
            f"{path}: COCO results name images by id, and the truth has none; `chestlib convert DATA NEW --to coco` "
            "writes one with ids, then evaluate against NEW"
        )
    if len(set(ids.values())) < len(ids):
        raise ChestlibError(f"{path}: two images of the truth have one id; give one COCO file at a time")
    categories = {name.casefold(): i for i, name in found.categories.items()}
    rows: list[dict[str, Any]] = []
    for file, image_id in ids.items():
        detections = found.get(file)
        if detections is None:
            continue
        for box, label, score in zip(detections.boxes, detections.labels, detections.scores, strict=True):
            name = detections.names[label - 1]
            if name.casefold() not in categories:
                raise ChestlibError(f"{path}: the truth has no category {name}; its own are {', '.join(categories)}")
            category = categories[name.casefold()]
            rows.append(
                {"image_id": image_id, "category_id": category, "bbox": _bbox(box), "score": float(_decimal(score))}
            )
    write_atomically(path, json.dumps(rows) + "\n")


def _decimal(value: np.float32) -> Decimal:
    """Give the shortest decimal number that is read back as the same float32."""
    return Decimal(str(value))


def _bbox(box: np.ndarray) -> list[float]:
    x1, y1, x2, y2 = map(_decimal, box)
    return [float(number) for number in (x1, y1, x2 - x1, y2 - y1)]
