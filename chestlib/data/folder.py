"""A data set on disk, in any of the layouts that people have, as records with images and patients."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from chestlib.data import annotated, joined, splits
from chestlib.data.annotated import ANNOTATED
from chestlib.data.annotations import Parts, Reading, Record
from chestlib.data.formats.recognise import PHANTOM, find, passed_over
from chestlib.data.patients import NIH_FOLDER, PATIENTS, match_nih, patient_of, read_patients
from chestlib.data.places import same
from chestlib.data.vocabulary import FINDINGS_FILE, findings_of
from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS

NIH_SIZE = (1024, 1024)
"""Of every ChestX-Det10 image; arXiv:2006.10550, section 2."""

DRAWN_TEST_SHARE = 0.2


@dataclass(frozen=True, eq=False)
class DataFolder:
    """The parts of a data set.

    Parameters
    ----------
    root : Path
        The folder that holds the annotations.
    train, test : list of Record
        Every record listed; `path` is None where the image is missing.
    synthetic : bool
        True for the phantom.
    layout : str
        "chestx-det10", "coco", "yolo", "challenge", "nih" or "tables".
    notes : tuple of str
        What was decided in reading: parts joined or drawn, boxes dropped.
    findings : tuple of str
        What the labels 1, 2, ... are.
    categories : mapping
        Annotation file to its own category ids (COCO; YOLO's classes, counted from 1) with names of findings.
    sources : tuple of str
        Of the data sets that were opened as one.
    """

    root: Path
    train: list[Record]
    test: list[Record]
    synthetic: bool = False
    layout: str = "chestx-det10"
    notes: tuple[str, ...] = ()
    findings: tuple[str, ...] = FINDINGS
    categories: Mapping[Path, Mapping[Any, str]] = field(default_factory=dict)
    sources: tuple[str, ...] = ()

    @property
    def records(self) -> list[Record]:
        """Both parts, train first."""
        return [*self.train, *self.test]

    def categories_of(self, records: Iterable[Record]) -> dict[Any, str]:
        """Give the category ids that the files of these records have; empty for formats without.

        Raises
        ------
        ChestlibError
            If one id means two findings.
        """
        files = {record.origin[0] for record in records if record.origin}
        found: dict[Any, str] = {}
        for file, own in self.categories.items():
            if file not in files and files & self.categories.keys():
                continue
            for i, name in own.items():
                if found.setdefault(i, name).casefold() != name.casefold():
                    raise ChestlibError(f"{file}: category {i} is {name}, and {found[i]} elsewhere; give one file")
        return found

    @property
    def missing(self) -> int:
        """Images that are listed but not there."""
        return sum(record.path is None for record in self.records)

    @property
    def shared_patients(self) -> set[str]:
        """Patients with images in both parts: through them a model has seen its test."""
        return {r.patient for r in self.train if r.patient} & {r.patient for r in self.test}

    @property
    def source(self) -> str:
        """Whose images and boxes these are."""
        if self.sources:
            return "; ".join(self.sources)
        if self.synthetic:
            return "the chestlib phantom: drawn, not measured"
        if self.layout == "chestx-det10":
            return "ChestX-Det10: Liu, Lian, Yu, arXiv:2006.10550, on images of NIH ChestX-ray14"
        if self.layout == "nih":
            return "NIH ChestX-ray14 (NIH Clinical Center): Wang et al., CVPR 2017, arXiv:1705.02315"
        return f"your own data, in {self.layout} format".replace("tables format", "CSV tables")

    def __repr__(self) -> str:
        summaries = [summary(part, self.findings) for part in (self.train, self.test)]
        rows = [f"{label:<24}{summaries[0][label]:>8}{summaries[1][label]:>8}" for label in summaries[0]]
        return "\n".join(
            [
                f"DataFolder {self.root.resolve().name}",
                f"{'':<24}{'train':>8}{'test':>8}",
                *rows,
                f"{'patients in both parts':<24}{len(self.shared_patients):>8}",
                *(f"note: {note}" for note in self.notes),
                f"source: {self.source}",
            ]
        )


def summary(records: Iterable[Record], findings: Sequence[str] | None = None) -> dict[str, int | str]:
    """Count images, patients, boxes, and boxes of each finding in one part, by label.

    The findings are those of the records where they are not given.
    """
    records = list(records)
    names = findings or (records[0].names if records else FINDINGS)
    boxes = Counter(i for record in records for i in record.labels.tolist())
    return {
        "images listed": len(records),
        "images present": sum(record.path is not None for record in records),
        "images without finding": sum(record.normal for record in records),
        "patients": len({record.patient for record in records if record.patient}) or "unknown",
        "boxes": boxes.total(),
        **{f"  {finding}": boxes[i] for i, finding in enumerate(names, start=1)},
    }


def open_data(
    folder: Path | Sequence[Path],
    others: str | None = None,
    findings: Sequence[str] | None = None,
    draw: bool = True,
    mapping: Mapping[str, str] | None = None,
    frame: int | None = None,
) -> DataFolder:
    """Open a data set: ChestX-Det10 in any of its archives' layouts, the phantom, or your own COCO, YOLO or CSV data.

    Images are found by the end of their path at any depth, links to folders included, whatever system wrote the path;
    where only one image has the stem, also under another suffix. Files without a suffix, or with an unknown one, are
    images if their content is. The last folder or file name that says train, val, valid, validation, dev, test, tests,
    testing, eval or evaluation names the part. JSON files of another kind are passed over.

    Patients come from `patients.csv` (file_name, patient), from `nih-names/` (the same annotations under NIH
    file names), from file names that are NIH's own, or from folders named as CheXpert's (patient00001) and
    MIMIC-CXR's (p10000032).

    Which findings were looked for is said by `annotated.csv` (file_name, annotated, diseased) or tables; else all were.

    Boxes that leave their image by rounding are clipped. COCO boxes marked iscrowd are boxes; a polygon in YOLO labels
    is read as its bounding box, and a confidence there is left out; the notes count them.

    CSV tables of rows image, finding, box are those of NIH ChestX-ray14 (`BBox_List_2017.csv`, with the labels of
    `Data_Entry_2017*.csv`), of VinDr-CXR, of RSNA, and others whose columns have usual names.

    Parameters
    ----------
    folder : Path, or a sequence of Path
        The data set, also one or two levels deeper; or one annotation file of it. Several are opened as one: file names
        begin with their folder's, films of one patient or of equal bytes are of one patient across them, and each set
        is annotated for the findings of its own `findings.txt` (ChestX-Det10: the ten) alone.
    others : str, optional
        "drop" leaves out boxes of other findings, "keep" adds those findings; else they are an error. The notes count.
    findings : sequence of str, optional
        The findings of your own data, in the order of their ids; default: `findings.txt` in the folder, or the ten.
    draw : bool
        Draw a test part where the data has none; False leaves all in train.
    mapping : mapping, optional
        Finding in the files to the known one that it is read as: {"Infiltrate": "Consolidation"}. The notes count.
    frame : int, optional
        Side in pixels of the square that boxes of CSV tables are measured in; default: what the table says, 1024 for
        NIH's boxes, else the image's own pixels.

    Raises
    ------
    ChestlibError
        If the folder is missing or holds no data set, a file of it is broken, or a box leaves its frame.
    """
    folders = [Path(folder)] if isinstance(folder, str | Path) else list(map(Path, folder))
    names = tuple(findings or dict.fromkeys(name for own in folders for name in findings_of(own)))
    opened = []
    for own in folders:
        reading = Reading(others, names, mapping, frame)
        opened.append(scan(own, reading))
        reading.finish()
        names = opened[-1].findings
    data = opened[0] if len(opened) == 1 else _joined(folders, opened)
    return _drawn(data) if draw and not data.test and data.layout != "chestx-det10" else data


def _drawn(data: DataFolder) -> DataFolder:
    """Draw a test part, by patient."""
    test, train = splits.draw(data.train, DRAWN_TEST_SHARE, seed=0)
    note = f"one part only: {len(test)} of {len(data.train)} images drawn as test"
    return replace(data, train=train, test=test, notes=(*data.notes, note))


def _joined(folders: list[Path], opened: list[DataFolder]) -> DataFolder:
    """Make one data set of several."""
    if not opened:
        raise ChestlibError("no data folder given; give one at least")
    names, labels = opened[-1].findings, joined.labels(folders)
    parts: list[list[Record]] = []
    for own, label, folder in zip(opened, labels, folders, strict=True):
        # What a set knows by itself: a finding that another one brought was not looked for here.
        told = (folder / FINDINGS_FILE).is_file() or own.layout == "chestx-det10"
        known = [i for i, name in enumerate(own.findings, start=1) if not told or name in findings_of(folder)]
        parts.append(joined.labelled(own.records, label, names, known))
    parts, copies = joined.clean(parts)
    notes = [f"{label}: {note}" for own, label in zip(opened, labels, strict=True) for note in own.notes]
    if copies:
        notes.append(f"{copies} images are in several of the folders: one patient each")
    return DataFolder(
        Path(os.path.commonpath([own.root.resolve() for own in opened])),
        [r for records, own in zip(parts, opened, strict=True) for r in records[: len(own.train)]],
        [r for records, own in zip(parts, opened, strict=True) for r in records[len(own.train) :]],
        any(own.synthetic for own in opened),
        " + ".join(dict.fromkeys(own.layout for own in opened)),
        (*notes, *annotated.note(record for records in parts for record in records)),
        names,
        {file: ids for own in opened for file, ids in own.categories.items()},
        sources=tuple(dict.fromkeys(own.source for own in opened)),
    )


def scan(folder: Path, reading: Reading) -> DataFolder:
    """Read as :func:`open_data`, but no part is drawn, and bad records are left out and told by `reading`."""
    folder = Path(folder)
    if not folder.exists():
        raise ChestlibError(f"{folder}: no such file or folder; give a data folder")
    found = find(folder, reading)
    if not found:
        expected = "expected train.json and test.json, COCO or YOLO files, or CSV tables of boxes"
        raise ChestlibError(f"{folder}: no data set here; {expected}{passed_over(folder)}")
    root, layout, parts = found
    parts, notes = _train_and_test(parts, reading)
    names = tuple(reading.names)
    listed = [record for records in parts.values() for record in records]
    if listed and not any(record.path for record in listed):
        notes.append(f"none of the {len(listed)} images was found below {folder}")
    patients = _patients(root, folder, parts, reading)
    said = next((annotated.read(p / ANNOTATED, reading) for p in (root, folder) if (p / ANNOTATED).is_file()), {})
    for part, records in parts.items():
        patient = {r.file_name: patients.get(same(r.file_name), patient_of(r.file_name)) for r in records}
        records = [replace(r, patient=patient[r.file_name] or r.patient, names=names) for r in records]
        parts[part] = [annotated.complete(record, said) for record in records] if said else records
    if patients and (unknown := sum(same(record.file_name) not in patients for record in listed)):
        notes.append(f"{unknown} of {len(listed)} images have no patient listed")
    notes = [*reading.notes, *notes, *annotated.note(record for records in parts.values() for record in records)]
    categories = {
        file: {i: names[known - 1] if (known := reading.known(name)) else name for i, name in own.items()}
        for file, own in reading.categories.items()
    }
    synthetic = (root / PHANTOM).exists()
    return DataFolder(root, parts["train"], parts["test"], synthetic, layout, tuple(notes), names, categories)


def _train_and_test(parts: Parts, reading: Reading) -> tuple[Parts, list[str]]:
    """Make train and test of whatever parts there are, with a note for each decision."""
    train, val, test = (parts.get(part, []) for part in ("train", "val", "test"))
    notes = []
    if val and test:
        notes.append(f"{len(val)} images of the validation part joined to train; splits draw their own")
        train = reading.unique([*train, *val])
    elif val:
        notes.append("the validation part serves as test")
        test = val
    return {"train": train, "test": test}, notes


def _patients(root: Path, folder: Path, parts: Parts, reading: Reading) -> dict[str, str]:
    for place in (root, folder):
        if (place / PATIENTS).exists():
            return {same(name): patient for name, patient in read_patients(place / PATIENTS).items()}
    if reading.problems or not (root / NIH_FOLDER).is_dir():  # with a record left out, record i is not record i
        return {}
    known = match_nih(root / NIH_FOLDER, {part: records for part, records in parts.items() if records}, reading)
    return {same(name): patient for name, patient in known.items()}
