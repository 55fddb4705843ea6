"""A data set in one format becomes a data set in another, images included."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from chestlib.console import Progress
from chestlib.data import annotated, images
from chestlib.data.annotations import Parts, Reading, Record
from chestlib.data.boxes import clip
from chestlib.data.folder import NIH_SIZE, DataFolder, scan
from chestlib.data.formats import challenge, coco, official, yolo
from chestlib.data.formats.recognise import PHANTOM
from chestlib.data.patients import PATIENTS, write_patients
from chestlib.data.vocabulary import findings_of, write_findings
from chestlib.errors import ChestlibError
from chestlib.files import link_or_copy, write_atomically

Write = Callable[[Parts, Sequence[str]], Iterator[tuple[str, str | Path]]]
"""Renders records, given the names of the findings, as (path below the new folder, its text or the image to link)."""


WRITERS: dict[str, Write] = {
    "chestx-det10": official.write,
    "coco": coco.write,
    "yolo": yolo.write,
    "challenge": challenge.write,
}
FORMATS = tuple(WRITERS)


@dataclass(frozen=True)
class Conversion:
    """What a conversion wrote.

    Parameters
    ----------
    missing : int
        Images that the source lists but does not have; their annotations are converted.
    assumed : int
        Of those, the ones that nothing says the size of; taken for 1024 x 1024, as all of ChestX-Det10 is.
    """

    out: Path
    to: str
    images: int
    boxes: int
    missing: int
    assumed: int
    notes: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.out}: {self.images} images and {self.boxes} boxes as {self.to}", *self.notes]
        if self.missing:
            lines.append(f"{self.missing} images are missing")
        if self.assumed:
            lines.append(f"{self.assumed} of them were taken for {NIH_SIZE[0]} x {NIH_SIZE[1]} pixels")
        return "\n".join(lines)


def convert(
    source: Path,
    out: Path,
    to: str,
    others: str | None = None,
    progress: Progress | None = None,
    findings: Sequence[str] | None = None,
    mapping: Mapping[str, str] | None = None,
    frame: int | None = None,
) -> Conversion:
    """Write a data set of any format in another.

    Images go along as hard links where the file system has them, else as copies; the challenge's form has none.
    What is written appears whole or not at all.

    Parameters
    ----------
    source : Path
        A data folder, or one file of it: COCO or ChestX-Det10 JSON, or a CSV table.
    out : Path
        A new folder; or, for one part in COCO or ChestX-Det10 JSON, a new file `*.json`, annotations alone.
    to : str
        "chestx-det10", "coco", "yolo" or "challenge".
    others : str, optional
        What becomes of findings that are not known: "keep" or "drop"; without it they are an error.
    findings, mapping, frame
        As of :func:`chestlib.data.open_data`.

    Raises
    ------
    ChestlibError
        If the source can't be read, the format is unknown, or `out` is there already.
    """
    out = Path(out)
    if to not in FORMATS:
        raise ChestlibError(f"{to}: not a format; take one of {', '.join(FORMATS)}")
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ChestlibError(f"{out}: is there already; give a new name")
    reading = Reading(others, findings or findings_of(source), mapping, frame)
    data = scan(source, reading)
    reading.finish()
    parts = {part: list(map(_measured, records)) for part, records in (("train", data.train), ("test", data.test))}
    parts = {part: records for part, records in parts.items() if records}
    files = _rendered(WRITERS[to](parts, reading.names))
    if out.suffix == ".json":
        if len(parts) != 1 or to not in ("coco", "chestx-det10"):
            raise ChestlibError(f"{out}: one file holds one part as coco or chestx-det10; give a folder")
        write_atomically(out, "".join(text for text in files.values() if isinstance(text, str)))
    else:
        with _new_folder(out) as scratch:
            _fill(scratch, files, progress)
            _tell_beside(data, scratch)
    boxes = sum(len(record.labels) for record in data.records)
    assumed = sum(record.path is None and record.size is None for record in data.records)
    notes = [*data.notes, *(yolo.validation_notes(parts) if to == "yolo" else ())]
    return Conversion(out, to, len(data.records), boxes, data.missing, assumed, tuple(notes))


def _rendered(contents: Iterable[tuple[str, str | Path]]) -> dict[str, str | Path]:
    files: dict[str, str | Path] = {}
    for name, content in contents:
        if name in files:  # as those of 1.png and 1.jpg
            raise ChestlibError(f"{name}: two images would share this file; rename one of them")
        files[name] = content
    return files


def _measured(record: Record) -> Record:
    size = images.size(record.path) if record.path else record.size or NIH_SIZE
    boxes = [clip(box, size) for box in record.boxes.tolist()]
    return replace(record, size=size, boxes=np.array(boxes, np.float32))


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """Open a folder beside `out` that takes its name at the end, or goes."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        inside = Path(scratch, out.name)  # made here, so that it has the user's permissions and not a scratch folder's
        inside.mkdir()
        yield inside
        if out.exists():
            out.rmdir()
        os.replace(inside, out)


def _tell_beside(data: DataFolder, folder: Path) -> None:
    """Write what no format has a place for: patients, own findings, what was looked for, that the films are drawn."""
    if patients := {record.file_name: record.patient for record in data.records if record.patient}:
        write_patients(patients, folder / PATIENTS)
    write_findings(data.findings, folder)
    annotated.write(data.records, folder)
    if data.synthetic:
        shutil.copy(data.root / PHANTOM, folder)


def _fill(folder: Path, files: Mapping[str, str | Path], progress: Progress | None) -> None:
    images_in_all, done = sum(isinstance(content, Path) for content in files.values()), 0
    for name, content in files.items():
        if isinstance(content, Path):
            link_or_copy(content, folder / name)
            done += 1
            if progress:
                progress(done, images_in_all)
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")
