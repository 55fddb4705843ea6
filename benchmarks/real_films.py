"""The films of ../shared/real in one list: ChestX-Det10's with readers' boxes, NIH's with labels from reports."""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock

from chestlib.data import Record, open_data
from chestlib.files import read_json, write_atomically, write_json
from chestlib.findings import FINDINGS

TOP = Path(__file__).parents[1]
FILMS = TOP.parent / "shared" / "real"
FILE = TOP / "figures" / "real.json"
RUNS = TOP / "runs" / "real"

AS = {"Infiltrate": "Consolidation", "Infiltration": "Consolidation", "Pneumonia": "Consolidation"}
"""NIH's findings to those of ChestX-Det10; others of the same name are the same."""

READ, TOLD = "chestx-det10-part", "nih"
"""Folders: what readers boxed, and what reports say."""


OPTIONS: dict[str, tuple[type, Any]] = {
    "--films": (Path, FILMS),
    "--resamples": (int, 1000),
    "--phantom": (Path, TOP / "data" / "phantom-quick"),
}
"""What several of these benchmarks are told: type and default."""


def options(text: str | None, *names: str) -> argparse.ArgumentParser:
    """Begin the options of a benchmark with `--films` and those of :data:`OPTIONS` that are named."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--films", *names):
        kind, default = OPTIONS[name]
        parser.add_argument(name, type=kind, default=default)
    return parser


class Film(NamedTuple):
    """A film, and what NIH's table says of it."""

    record: Record
    source: str  # READ or TOLD
    archive: str  # by which public copy it came
    labels: tuple[str, ...]  # mined from its report
    view: str  # AP or PA
    sex: str  # F or M
    age: int  # years

    @property
    def diseased(self) -> bool:
        """By readers, where there were some; else by the report."""
        return self.record.diseased if self.source == READ else "No Finding" not in self.labels

    @property
    def findings(self) -> tuple[str, ...]:
        """Those of the ten that readers boxed; else that the report names."""
        if self.source == READ:
            return self.record.findings
        named = {AS.get(name, name) for name in self.labels}
        return tuple(name for name in FINDINGS if name in named)


def films(root: Path) -> list[Film]:
    """Read all that are there, the readers' first."""
    if not all((root / folder).is_dir() for folder in (READ, TOLD)):
        sys.exit(f"{root}: expected the folders {READ} and {TOLD}; name another with --films")
    with gzip.open(root / TOLD / "Data_Entry_2017_v2020.csv.gz", "rt", newline="") as file:
        entries = {row["Image Index"].split(".")[0]: row for row in csv.DictReader(file)}
    archives, names = {}, {}
    for source in (READ, TOLD):
        with (root / source / "archives.csv").open(newline="") as file:
            archives |= {(source, Path(row["file_name"]).stem): row["archive"] for row in csv.DictReader(file)}
    for part in ("train.json", "test.json"):  # record i of both is the same film
        pair = (json.loads((place / part).read_text()) for place in (root / READ, root / READ / "nih-names"))
        names |= {Path(a["file_name"]).stem: Path(b["file_name"]).stem for a, b in zip(*pair, strict=True)}
    data = open_data([root / READ, root / TOLD], others="drop", mapping=AS)
    found = []
    for record in data.records:
        source, stem = record.file_name.split("/")[0], Path(record.file_name).stem
        entry = entries[names.get(stem, stem)]
        if record.path:
            labels = tuple(entry["Finding Labels"].split("|"))
            of = entry["View Position"], entry["Patient Gender"], int(entry["Patient Age"])
            found.append(Film(record, source, archives.get((source, stem), ""), labels, *of))
    return sorted(found, key=lambda film: (film.source != READ, film.record.file_name))


def official_test(root: Path) -> set[str]:
    """Name the patients of ChestX-Det10's official test part, whether their films are here or not."""
    return {record.patient for record in open_data(root / READ).test}


def kept(file: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """Make an array, or find it made: whole or not at all, whenever this is stopped."""
    if not file.is_file():
        np.save(data := io.BytesIO(), make())
        write_atomically(file, data.getvalue())
        print(file.stem, flush=True)
    return np.load(file)


def save(section: str, value: Any) -> None:
    """Put one section into figures/real.json, beside what other benchmarks found."""
    RUNS.mkdir(parents=True, exist_ok=True)
    with FileLock(RUNS / ".figures.lock"):
        found = read_json(FILE) if FILE.is_file() else {}
        write_json(FILE, dict(sorted((found | {section: value}).items())))
