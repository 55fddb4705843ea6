"""Patients: their file, and those in NIH file names."""

from __future__ import annotations

import pytest

from chestlib.data import Record, patient_groups, write_annotations, write_patients
from chestlib.data.annotations import Reading
from chestlib.data.patients import match_nih, nih_patient, patient_of, read_patients
from chestlib.errors import ChestlibError


def test_there_and_back(tmp_path):
    patients = {"1.png": "a", "b/ä.png": 'p,"2"', "3.png": ""}
    write_patients(patients, tmp_path / "patients.csv")
    assert read_patients(tmp_path / "patients.csv") == patients


def test_as_a_spreadsheet_saves_it(tmp_path):
    """A mark in front, other line ends, more columns in another order, spaces, a row twice."""
    text = "\ufeffpatient,age,file_name\r\np1 ,51, 1.png\r\np1,51,1.png\r\n"
    (tmp_path / "patients.csv").write_bytes(text.encode())
    assert read_patients(tmp_path / "patients.csv") == {"1.png": "p1"}


@pytest.mark.parametrize("between", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_as_programs_of_other_systems_save_it(tmp_path, between, encoding, end):
    rows = [["File_Name", " age", "PATIENT "], ["scans\\1.png", "51", "Jürgen"], ['"2,;.png"', "", "b"], ["", "", ""]]
    (tmp_path / "patients.csv").write_bytes(end.join(map(between.join, rows)).encode(encoding))
    assert read_patients(tmp_path / "patients.csv") == {"scans/1.png": "Jürgen", "2,;.png": "b"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,who\n1.png,a\n", "expected a CSV file with the columns file_name,patient"),
        ("file_name,patient\n1.png\n", "expected a CSV file with the columns file_name,patient"),
        ("\xff\xfe", "expected a CSV file with the columns file_name,patient"),
        ("file_name,patient\n1.png,a\n1.png,b\n", r"1\.png has two patients, a and b"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, text, message):
    (tmp_path / "patients.csv").write_text(text, encoding="latin-1")
    with pytest.raises(ChestlibError, match=rf"patients\.csv: {message}"):
        read_patients(tmp_path / "patients.csv")


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("00000007_012.png", "00000007"),
        ("images_001/images/00000007_012.png", "00000007"),
        ("00000007_012.jpg", "00000007"),
        ("00000007_012", "00000007"),
        ("00000007_012_png.rf.0a1b2c3d.jpg", "00000007"),
        ("0000007_012.png", ""),
        ("a00000007_012.png", ""),
        ("00000007_012.png/other.png", ""),
    ],
)
def test_patient_of_an_nih_name(name, patient):
    assert nih_patient(name) == patient


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("train/patient00042/study1/view1_frontal.jpg", "patient00042"),  # CheXpert
        ("p10/p10000032/s50414267/02aa804e.jpg", "p10000032"),  # MIMIC-CXR
        ("patients/study1/00000007_012.png", "00000007"),
        ("patients/inpatient7/1.png", ""),
        ("patient00042.png", ""),
    ],
)
def test_patient_of_a_folder(name, patient):
    assert patient_of(name) == patient


def test_groups_keep_images_of_unknown_patients_apart():
    records = [Record("1.png", patient="2.png"), Record("2.png"), Record("3.png", patient="2.png")]
    first, second, third = patient_groups(records)
    assert first == third != second


def test_a_part_that_does_not_match_has_no_patients_and_the_other_has(tmp_path):
    parts = {
        "train": [Record("1.png", [[1, 2, 3, 4]], [8]), Record("2.png", [[1, 2, 3, 5]], [8])],
        "test": [Record("3.png")],
    }
    twins = [Record("00000001_000.png", [[1, 2, 3, 4]], [8]), Record("00000002_000.png", [[1, 2, 3, 4]], [8])]
    write_annotations(twins, tmp_path / "train.json")
    write_annotations([Record("00000003_000.png")], tmp_path / "test.json")
    reading = Reading()
    assert match_nih(tmp_path, parts, reading) == {"3.png": "00000003"}
    (problem,) = reading.problems
    assert (problem.file, problem.record) == (str(tmp_path / "train.json"), 1)
