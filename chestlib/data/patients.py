"""Who is on which image: `patients.csv`, or the same annotations under their NIH file names."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from chestlib.data.annotations import Parts, Reading, Record
from chestlib.data.formats import official
from chestlib.data.places import slashes
from chestlib.errors import ChestlibError
from chestlib.files import read_table, write_atomically

PATIENTS = "patients.csv"
COLUMNS = ("file_name", "patient")
NIH_FOLDER = "nih-names"
NIH_NAME = re.compile(r"(\d{8})_(\d{3})(_png|_jpe?g)?(\.rf\.\w+)?(\.[a-z]+)?", re.ASCII | re.IGNORECASE)
"""NIH ChestX-ray14 file names: patient, visit; also of another file type, and as Roboflow renames them."""
PATIENT_FOLDER = re.compile(r"patient\d+|p\d{8}", re.ASCII | re.IGNORECASE)
"""Folders of CheXpert and of MIMIC-CXR."""


def patient_groups(records: Iterable[Record]) -> list[str]:
    """Name the group of each record: its patient, or the image itself where the patient is unknown."""
    return [f"patient {r.patient}" if r.patient else f"image {r.file_name}" for r in records]


def read_patients(path: Path) -> dict[str, str]:
    """Read file name to patient, from a CSV file with these two columns and a header."""
    patients: dict[str, str] = {}
    for name, patient in read_table(path, COLUMNS):
        name = slashes(name)
        if patients.setdefault(name, patient) != patient:
            raise ChestlibError(f"{path}: {name} has two patients, {patients[name]} and {patient}")
    return patients


def write_patients(patients: Mapping[str, str], path: Path) -> None:
    """Write such a file, atomically."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerows([COLUMNS, *patients.items()])
    write_atomically(path, text.getvalue())


def nih_patient(file_name: str) -> str:
    """Take the patient out of an NIH file name, whatever its folders; empty for any other name."""
    match = NIH_NAME.fullmatch(PurePosixPath(file_name).name)
    return match[1] if match else ""


def visit_of(file_name: str) -> int | None:
    """Take the follow-up number out of an NIH file name; None for any other name."""
    match = NIH_NAME.fullmatch(PurePosixPath(file_name).name)
    return int(match[2]) if match else None


def patient_of(file_name: str) -> str:
    """Take the patient out of an NIH file name, or a folder that is named after one; empty for any other name."""
    folders = PurePosixPath(file_name).parts[:-1]
    return nih_patient(file_name) or next(filter(PATIENT_FOLDER.fullmatch, folders), "")


def match_nih(folder: Path, parts: Parts, reading: Reading) -> dict[str, str]:
    """Match file name to patient, from `train.json` and `test.json` in `folder` with NIH names, record i for record i.

    Where a record has other boxes or findings than its namesake, the error is noted and the part has no patients.
    """
    patients: dict[str, str] = {}
    for part, records in parts.items():
        path = folder / f"{part}.json"
        twins = official.read(path, reading)
        if fault := _mismatch(records, twins):
            reading.error(path, *fault)
        else:
            patients |= {r.file_name: nih_patient(twin.file_name) for r, twin in zip(records, twins, strict=True)}
    return patients


def _mismatch(records: Sequence[Record], twins: Sequence[Record]) -> tuple[int | None, str] | None:
    """Find the first record that differs, and how."""
    if len(records) != len(twins):
        return None, f"{len(twins)} records for {len(records)} images; take the file of the same revision"
    for i, (record, twin) in enumerate(zip(records, twins, strict=True)):
        if not (np.array_equal(record.boxes, twin.boxes) and np.array_equal(record.labels, twin.labels)):
            return i, f"{twin.file_name} has other boxes or findings than {record.file_name}; are revisions mixed?"
        if not nih_patient(twin.file_name):
            return i, f"{twin.file_name} is not an NIH file name, PPPPPPPP_VVV.png"
    return None
