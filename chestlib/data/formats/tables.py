"""CSV tables of rows image, finding, box, as NIH ChestX-ray14, VinDr-CXR, RSNA and many others have them.

A table with boxes and a table of labels alone are told apart by their columns, which go by several names: corners, or
a corner with width and height. Beside corners, width and height are those of the image that the boxes were drawn on.
Boxes of another frame than the image's own are brought to it.

Sources: nihcc.app.box.com/v/ChestXray-NIHCC (README_CHESTXRAY.pdf); physionet.org/content/vindr-cxr;
kaggle.com/c/vinbigdata-chest-xray-abnormalities-detection; kaggle.com/c/rsna-pneumonia-detection-challenge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from chestlib.data import images
from chestlib.data.annotations import Parts, Reading, Record
from chestlib.data.boxes import corners_in, leaves, number_in, side_in
from chestlib.data.extent import Extent, extent_of
from chestlib.data.places import local, part_of, same, suffixless
from chestlib.errors import ChestlibError
from chestlib.files import IMAGE_SUFFIXES, columns_of, read_table, read_text

NAMES = {
    "image": ("image index", "image_id", "imageid", "image_name", "image", "file_name", "filename", "file",
              "image_path", "path", "dicom_id", "patientid"),
    "finding": ("finding label", "finding labels", "class_name", "finding_name", "category_name", "finding", "class",
                "category", "label"),
    "x1": ("x_min", "xmin", "x1", "left", "bbox_x", "bbox [x", "x"),
    "y1": ("y_min", "ymin", "y1", "top", "bbox_y", "y"),
    "x2": ("x_max", "xmax", "x2", "right"),
    "y2": ("y_max", "ymax", "y2", "bottom"),
    "width": ("width", "w", "bbox_width", "bbox_w"),
    "height": ("height", "h", "h]", "bbox_height", "bbox_h"),
    "image_width": ("image_width", "img_width"),
    "image_height": ("image_height", "img_height"),
    "target": ("target",),
    "reader": ("rad_id", "reader", "reader_id", "annotator"),
    "patient": ("patient", "patient_id", "patient id", "subject_id"),
    "visit": ("follow-up #",),
    "original_width": ("originalimage[width",),
    "original_height": ("height]",),
    "across": ("originalimagepixelspacing[x",),
    "down": ("y]",),
}  # fmt: skip
"""What a column is called, in lower case, the first that is there."""
SCORES = {"score", "confidence", "probability"}
"""A table with one of these is of predictions."""

NORMAL = {"no finding", "no findings", "normal"}
UNNAMED = "Lung Opacity"
"""The one finding of RSNA's table, which has a column Target instead of a name."""

NIH_LABELS, NIH_BOXES = "data_entry_2017", "bbox_list_2017"
NIH_FRAME = 1024
NIH_LISTS = {"train_val_list.txt": "train", "test_list.txt": "test"}


class Row(NamedTuple):
    """One row: empty texts stand for what it does not say."""

    image: str
    findings: list[str]
    box: list[str | float]
    size: tuple[int, int] | None
    reader: str
    patient: str
    visit: int | None
    extent: Extent | None


@dataclass
class Film:
    """What the tables say of one image."""

    origin: tuple[Path, int]
    boxed: bool = False
    partial: bool = False
    normal: bool = False
    patient: str = ""
    visit: int | None = None
    extent: Extent | None = None
    size: tuple[int, int] | None = None
    boxes: list[tuple[str, list[str | float]]] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)
    readers: set[str] = field(default_factory=set)


def kind_of(path: Path) -> str:
    """Tell a table of boxes ("boxes") from one of labels ("labels") by its columns; empty for all else."""
    if not path.name.casefold().endswith((".csv", ".csv.gz")):
        return ""
    try:
        columns = columns_of(path)
    except ChestlibError:
        if path.name.casefold().startswith((NIH_LABELS, NIH_BOXES)):
            raise
        return ""
    has = _named(columns).keys()
    if "image" not in has or SCORES & set(columns):
        return ""
    if {"x1", "y1"} <= has and ({"x2", "y2"} <= has or {"width", "height"} <= has):
        return "boxes"
    return "labels" if "finding" in has else ""


def find(folder: Path) -> list[Path]:
    """List the tables that lie in a folder itself, if one of them has boxes or is NIH's."""
    files = (path for path in sorted(folder.glob("*.[cC][sS][vV]*")) if path.is_file())
    found = {path: kind for path in files if (kind := kind_of(path))}
    meant = [path for path, kind in found.items() if kind == "boxes" or path.name.casefold().startswith(NIH_LABELS)]
    return list(found) if meant else []


def layout(files: Sequence[Path]) -> str:
    """Name what tables are: "nih", or "tables"."""
    nih = any(file.name.casefold().startswith((NIH_LABELS, NIH_BOXES)) for file in files)
    return "nih" if nih else "tables"


def _named(columns: Sequence[str]) -> dict[str, str]:
    """Find the column of each meaning."""
    found = {key: next((name for name in names if name in columns), "") for key, names in NAMES.items()}
    return {key: name for key, name in found.items() if name}


def read(files: Sequence[Path], folder: Path, reading: Reading) -> Parts:
    """Read part to records, in the frame of their boxes, which is their size until :func:`fitted` is called.

    A part is the one that a table's name says, or NIH's lists of films beside it; else train. Films of which there are
    labels alone are left out unless they are here, in `folder`: such a table may be a catalogue of many archives.
    """
    there = {_stem(path.name) for path in images.inside(folder)}
    parts: dict[str, dict[str, Film]] = {}
    lost: set[str] = set()
    looked: set[str] = set()
    for file in sorted(files, key=lambda file: kind_of(file) != "boxes"):
        kind, partial = kind_of(file), file.name.casefold().startswith(NIH_BOXES)
        own = part_of([file.name]) or "train"
        for index, row in enumerate(_rows(file, reading)):
            homes = [films for films in parts.values() if row.image in films] if kind == "labels" else []
            if kind == "labels" and not homes and _stem(row.image) not in there:
                lost.add(row.image)
                continue
            for films in homes or [parts.setdefault(own, {})]:
                film = films.setdefault(row.image, Film((file, index)))
                _say(film, row, kind == "boxes", partial)
            looked |= set() if partial or kind == "labels" else set(row.findings)
    if files:
        parts = _listed(parts, files[0].parent)
    if lost:
        reading.tell(f"{len(lost)} images have labels alone and are not here: left out")
    several = sum(len(film.readers) > 1 for films in parts.values() for film in films.values())
    if several:
        reading.tell(f"{several} images are boxed by several readers: every box is kept")
    made = {part: list(_records(films, reading)) for part, films in parts.items()}
    known = frozenset(filter(None, map(reading.known, looked)))  # only now: others may have been kept
    if looked and (absent := [name for i, name in enumerate(reading.names, start=1) if i not in known]):
        reading.tell(f"not in the tables, so taken as not looked for: {', '.join(absent)}")
    return {
        part: reading.unique(_judged(record, film, known, reading) for record, film in pairs)
        for part, pairs in made.items()
    }


def _stem(name: str) -> str:
    return same(suffixless(name.replace("\\", "/").rpartition("/")[2]))


def _rows(file: Path, reading: Reading) -> Iterator[Row]:
    named = _named(columns_of(file))
    if kind_of(file) == "boxes" and not {"finding", "target"} & named.keys() and len(reading.names) > 1:
        raise ChestlibError(f"{file}: no column names the finding ({', '.join(NAMES['finding'])})")
    keys = list(named)
    corners = {"x2", "y2"} <= named.keys()
    ends = ("x2", "y2") if corners else ("width", "height")
    sides = ("width", "height") if corners and "image_width" not in named else ("image_width", "image_height")
    alone = UNNAMED if "target" in named else reading.names[0]
    for values in read_table(file, [named[key] for key in keys]):
        row = dict(zip(keys, values, strict=True))
        width, height = (side_in(row.get(side)) for side in sides)
        absent = row.get("target") in ("0", "0.0")
        findings = [name for name in map(str.strip, row.get("finding", "" if absent else alone).split("|")) if name]
        box: list[str | float] = [row.get(key, "") for key in ("x1", "y1", *ends)]
        yield Row(
            row["image"], findings, (box if corners else corners_in(box)) if any(box) and not absent else [],
            (width, height) if width and height else None, row.get("reader", ""), row.get("patient", ""),
            int(visit) if (visit := row.get("visit", "")).isdecimal() else None, _extent(row, reading),
        )  # fmt: skip


def _extent(row: dict[str, str], reading: Reading) -> Extent | None:
    """Give what NIH's table says of the film before it was resized, in mm."""
    named = ("original_width", "original_height", "across", "down")
    said = [row.get(key, "") for key in named]
    if not all(said):
        return None
    width, height, *spacing = (number_in(value) or 0 for value in said)
    if not (found := extent_of((width, height), spacing)):
        reading.tell("{n} images have a size or pixel spacing that is no length: taken as unknown")
    return found


def _say(film: Film, row: Row, boxed: bool, partial: bool) -> None:
    """Add what a row says of its film; boxes of a row without a finding are none."""
    film.boxed |= boxed
    film.partial |= partial
    film.patient = film.patient or row.patient
    film.visit = row.visit if film.visit is None else film.visit
    film.extent = film.extent or row.extent
    film.size = film.size or row.size
    if partial and film.size is None:
        film.size = (NIH_FRAME, NIH_FRAME)
    for finding in row.findings:
        if finding.casefold().replace("_", " ") in NORMAL:
            film.normal = True
        elif row.box:
            film.boxes.append((finding, row.box))
            film.readers.add(row.reader)
        else:
            film.labels.add(finding)


def _listed(parts: dict[str, dict[str, Film]], folder: Path) -> dict[str, dict[str, Film]]:
    """Lay films into the parts that NIH's lists name; those in neither stay where they are."""
    for name, part in NIH_LISTS.items():
        if (path := folder / name).is_file():
            listed = dict.fromkeys(map(str.strip, read_text(path).split("\n")))
            moved = {image: film for films in parts.values() for image, film in films.items() if image in listed}
            parts = {own: {i: film for i, film in films.items() if i not in moved} for own, films in parts.items()}
            parts[part] = {**parts.get(part, {}), **moved}
    return parts


def _records(films: dict[str, Film], reading: Reading) -> Iterator[tuple[Record, Film]]:
    for name, film in zip(local(list(films)), films.values(), strict=True):
        size = (reading.frame, reading.frame) if reading.frame else film.size
        if record := reading.record(*film.origin, name, film.boxes, size):
            for box in record.boxes.tolist():
                if size and leaves(box, size):
                    frame = "{} x {}".format(*size)
                    reading.note(record, f"box {box} leaves its frame of {frame} pixels; say the right one (--frame)")
            yield replace(record, patient=film.patient, visit=film.visit, extent=film.extent), film


def _judged(record: Record, film: Film, known: frozenset[int], reading: Reading) -> Record:
    """Say what was looked for on a film, and what is known of it as a whole.

    On NIH's films only the findings that have a box; a film of labels alone was looked at for none.
    """
    said = bool(film.boxes or film.labels)
    if film.normal and not said:
        return replace(record, verdict=False)
    looked = frozenset(record.labels.tolist()) if film.partial else known if film.boxed else frozenset[int]()
    looked -= {reading.known(name) for name in film.labels} - set(record.labels.tolist())
    everything = len(looked) == len(reading.names)
    verdict = True if said and not len(record.labels) else None
    return replace(record, annotated=None if everything else looked, verdict=verdict)


def fitted(parts: Parts) -> Parts:
    """Bring boxes from their frame, which a record's size is until now, to the pixels of its own image.

    Images that the tables name without a suffix get the one of their file.
    """
    return {part: list(map(_fitted, records)) for part, records in parts.items()}


def _fitted(record: Record) -> Record:
    if record.path is None:
        return record
    name, suffix = record.file_name, record.path.suffix
    if suffixless(name) == name and suffix.lower() in IMAGE_SUFFIXES and not name.endswith(suffix):
        record = replace(record, file_name=f"{name}{suffix}")
    if record.path and record.size and len(record.labels):
        with suppress(ChestlibError):  # a broken image is told by who reads it
            size = images.size(record.path)
            return replace(record, boxes=record.boxes * np.tile(np.divide(size, record.size), 2), size=size)
    return replace(record, size=None)
