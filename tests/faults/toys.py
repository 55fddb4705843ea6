"""Good inputs of every kind, as small as chestlib accepts them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from chestlib.findings import FINDINGS

TRAIN, TEST = 72, 12


def grey(seed: int, size: int = 64) -> np.ndarray:
    """A soft gradient with noise: what a codec finds something to do with."""
    rng = np.random.default_rng(seed)
    ramp = np.add.outer(np.linspace(0, 90, size), np.linspace(20, 90, size))
    return (ramp + rng.integers(0, 60, (size, size))).astype(np.uint8)


def encoded(image: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def items(first: int, count: int) -> list[dict[str, Any]]:
    """Annotation records; every other one has a box or two."""
    rng = np.random.default_rng(first)
    found = []
    for i in range(first, first + count):
        boxes = [[4, 5, 30 + i % 9, 40], [20, 20, 50.5, 44]][: (i % 2) * (1 + i % 4 // 2)]
        syms = [FINDINGS[int(rng.integers(10))] for _ in boxes]
        found.append({"file_name": f"{i:03d}.png", "syms": syms, "boxes": boxes})
    return found


def data_set(folder: Path) -> Path:
    """A data set in the official layout, with patients."""
    rows = ["file_name,patient"]
    for part, records in (("train", items(0, TRAIN)), ("test", items(TRAIN, TEST))):
        (folder / f"{part}_data").mkdir(parents=True)
        (folder / f"{part}.json").write_text(json.dumps(records))
        for record in records:
            name = record["file_name"]
            Image.fromarray(grey(int(name[:3]))).save(folder / f"{part}_data" / name)
            rows.append(f"{name},p{name[:3]}")
    (folder / "patients.csv").write_text("\n".join(rows) + "\n")
    return folder


def few(folder: Path, records: Iterable[dict[str, Any]], place: str = "train_data") -> Path:
    """The images of some records, alone."""
    (folder / place).mkdir(parents=True)
    for record in records:
        Image.fromarray(grey(int(record["file_name"][:3]))).save(folder / place / record["file_name"])
    return folder
