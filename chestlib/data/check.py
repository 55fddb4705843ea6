"""Look a data set over: what is there, and everything that is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from chestlib import devices
from chestlib.console import Progress
from chestlib.data import images
from chestlib.data.annotations import Problem, Reading, Record, number
from chestlib.data.boxes import leaves
from chestlib.data.folder import NIH_SIZE, DataFolder, scan
from chestlib.data.vocabulary import findings_of
from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS

SHOWN = 10
"""Warnings of one kind that the table shows; the JSON has all."""


@dataclass(frozen=True)
class CheckReport:
    """What :func:`check` found.

    Parameters
    ----------
    data : DataFolder, optional
        None when the folder could not be read at all.
    problems : list of Problem
        Errors first, then warnings, each in the order of the data.
    shared_boxes : int
        Boxes that stand under several findings of one image; real, so counted and no problem.
    """

    data: DataFolder | None
    problems: list[Problem] = field(default_factory=list)
    shared_boxes: int = 0

    @property
    def ok(self) -> bool:
        """True without errors; warnings are allowed."""
        return not any(problem.severity == "error" for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        """Give counts and problems as plain values."""
        records, findings = (self.data.records, self.data.findings) if self.data else ([], FINDINGS)
        boxes = Counter(i for record in records for i in record.labels.tolist())
        return {
            "images": len(records),
            "missing_images": self.data.missing if self.data else 0,
            "boxes": boxes.total(),
            "patients": len({record.patient for record in records if record.patient}),
            "findings": {finding: boxes[i] for i, finding in enumerate(findings, start=1)},
            "patient_overlap": {"train_test": len(self.data.shared_patients) if self.data else 0},
            "notes": list(self.data.notes) if self.data else [],
            "problems": [asdict(problem) for problem in self.problems],
        }

    def __str__(self) -> str:
        lines = [repr(self.data), f"boxes under several findings: {self.shared_boxes}"] if self.data else []
        errors = sum(problem.severity == "error" for problem in self.problems)
        lines.append(f"{errors} errors, {len(self.problems) - errors} warnings")
        kinds: Counter[str] = Counter()
        for problem in self.problems:
            kind = problem.message.rpartition(": ")[2] if problem.severity == "warning" else ""
            kinds[kind] += 1
            if not kind or kinds[kind] <= SHOWN:
                lines.append(f"{problem.severity:<8}{problem}")
        lines += [f"warning ... and {n - SHOWN} more: {kind}" for kind, n in kinds.items() if kind and n > SHOWN]
        return "\n".join(lines)


def check(
    folder: Path,
    progress: Progress | None = None,
    findings: Sequence[str] | None = None,
    others: str | None = None,
    mapping: Mapping[str, str] | None = None,
    frame: int | None = None,
) -> CheckReport:
    """Check every record and decode every image of a data set.

    Errors: records, boxes and findings that are not of the format, boxes out of the image by more than rounding
    explains (0.01 pixels), duplicate records, images that can't be decoded or have the same bytes as another.
    Warnings: missing images, the same box twice under the same finding. What is known, and how boxes of tables are
    measured, is said as in :func:`chestlib.data.open_data`.

    Raises
    ------
    ChestlibError
        If there is no such folder, or no data set in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ChestlibError(f"{folder}: no such folder; give a data folder")
    reading = Reading(others, findings or findings_of(folder), mapping, frame)
    try:
        data = scan(folder, reading)
    except ChestlibError as error:
        file, _, message = str(error).partition(": ")
        if file == str(folder):
            raise
        return CheckReport(None, [Problem("error", file, None, message)])
    records = data.records
    with ThreadPoolExecutor(devices.cores()) as pool:
        looks = []
        for look in pool.map(_look_at, [record.path for record in records]):
            looks.append(look)
            if progress:
                progress(len(looks), len(records))
    sizes = {size for size, _, _ in looks if size}
    # Missing images are as large as the others, if those are all of one size; those of ChestX-Det10 are.
    usual = sizes.pop() if len(sizes) == 1 else NIH_SIZE if not sizes and data.layout == "chestx-det10" else None
    first: dict[str, Record] = {}
    shared = 0
    for record, (size, digest, fault) in zip(records, looks, strict=True):
        shared += _check_boxes(record, size or record.size or usual, reading)
        if record.path is None:
            reading.note(record, "image missing", "warning")
        elif fault:
            reading.note(record, fault, image=record.path)
        elif record.size and size != record.size:
            reading.note(record, f"image is {size}, its annotation says {record.size}")
        if digest and (twin := first.setdefault(digest, record)) is not record:
            reading.note(record, f"same bytes as {twin.path}", image=record.path)
    return CheckReport(data, sorted(reading.problems, key=lambda p: p.severity), shared)


def _check_boxes(record: Record, size: tuple[int, int] | None, reading: Reading) -> int:
    """Note boxes that leave the image or are repeated; count those that stand under several findings."""
    findings: dict[tuple[float, ...], set[int]] = {}
    for label, box in zip(record.labels.tolist(), map(tuple, record.boxes.tolist()), strict=True):
        shown = [*map(number, box)]
        if leaves(box, size):
            image = "the image of {} x {}".format(*size) if size else "the image"
            reading.note(record, f"{record.names[label - 1]}: box {shown} leaves {image}")
        if label in findings.setdefault(box, set()):
            reading.note(record, f"{record.names[label - 1]} {shown}: box repeated", "warning")
        findings[box].add(label)
    return sum(len(labels) > 1 for labels in findings.values())


def _look_at(path: Path | None) -> tuple[tuple[int, int] | None, str, str]:
    """Decode an image: its size, a digest of its bytes, and why it can't be decoded."""
    if path is None:
        return None, "", ""
    try:
        data = images.contents(path)
        height, width = images.decode(data, path).shape[1:]
        return (width, height), images.digest(data), ""
    except ChestlibError as error:
        return None, "", str(error).removeprefix(f"{path}: ")
