"""Several folders as one data set: no patient in two parts, nothing looked for that was not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chestlib.data import open_data, splits
from chestlib.errors import ChestlibError


def folder(root: Path, films: dict[str, list[str]], part: str = "train", patients: str = "") -> Path:
    """A data set in the official form; a film's pixels are those of its name's last word."""
    (root / f"{part}_data").mkdir(parents=True)
    for name in films:
        rng = np.random.default_rng(sum(name.split()[-1].encode()))
        Image.fromarray(rng.integers(0, 256, (40, 40), np.uint8)).save(root / f"{part}_data" / name)
    items = [{"file_name": n, "syms": s, "boxes": [[2, 3, 20, 30]] * len(s)} for n, s in films.items()]
    (root / f"{part}.json").write_text(json.dumps(items))
    if patients:
        (root / "patients.csv").write_text(f"file_name,patient\n{patients}")
    return root


OWN = "y w.png,00000002\nn v.png,k\n00000001_009.png,other\n"


def test_no_patient_is_in_two_parts_across_folders(tmp_path: Path) -> None:
    names = ["00000001_000.png", "00000002_000.png", "00000003_000.png", "00000004_000.png"]
    a = folder(tmp_path / "a", {name: [] for name in (*names[:2], "own q.png", "own r.png")}, "test")
    b = folder(
        tmp_path / "b", {"1 q.png": ["Mass"], "00000001_007.png": ["Mass"], "x z.png": [], "00000004_001.png": []}
    )
    c = folder(tmp_path / "c", {"y w.png": [], "n v.png": [], "00000001_009.png": []}, patients=OWN)
    data = open_data([a, b, c])
    assert [len(data.train), len(data.test)] == [7, 4] and all(record.patient for record in data.records)
    assert data.train[0].file_name == "b/1 q.png" and data.test[0].file_name == "a/00000001_000.png"
    assert "1 images are in several of the folders: one patient each" in data.notes, "own q and 1 q"
    split = splits.default(data.train, data.test)
    assert split.name == "patient-clean"
    parts = [{record.patient for record in part} for part in (split.train, split.val, split.test)]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    left = {record.file_name for record in (*split.train, *split.val)}
    assert left == {"b/x z.png", "b/00000004_001.png", "c/n v.png"}


def test_a_finding_that_one_folder_brings_was_not_looked_for_in_the_other(tmp_path: Path) -> None:
    a = folder(tmp_path / "a", {"1 q.png": ["Mass"], "2 r.png": []})
    b = folder(tmp_path / "b", {"1 s.png": ["Scar"], "2 t.png": []})
    (b / "findings.txt").write_text("Scar\nMass\n")
    data = open_data([a, b])
    assert (
        data.findings[-1] == "Scar" and len(data.findings) == 11 and {r.names for r in data.records} == {data.findings}
    )
    own = {record.file_name: record for record in data.records}
    assert own["a/2 r.png"].annotated == own["a/1 q.png"].annotated == frozenset(range(1, 11))
    assert own["b/2 t.png"].annotated == {8, 11} and own["b/1 s.png"].findings == ("Scar",)
    assert not own["a/2 r.png"].normal and len(data.train) + len(data.test) == 4
    assert open_data([a]).records[0].file_name == "1 q.png", "one folder is what it was"


def test_folders_of_one_name_stay_apart_and_none_is_named_twice(tmp_path: Path) -> None:
    one = folder(tmp_path / "x" / "data", {"1 q.png": ["Mass"], "2 q.png": []})
    two = folder(tmp_path / "y" / "data", {"1 q.png": ["Mass"], "3 u.png": []})
    names = {record.file_name for record in open_data([one, two]).records}
    assert names == {"x/data/1 q.png", "x/data/2 q.png", "y/data/1 q.png", "y/data/3 u.png"}
    for wrong, says in (
        ([one, two, one], "is named twice"),
        ([], "no data folder given"),
        ([one, tmp_path / "z"], "z: no such"),
    ):
        with pytest.raises(ChestlibError, match=says):
            open_data(wrong)


def test_real_films_of_two_folders(real: Path, tmp_path: Path) -> None:
    """The films of NIH and of ChestX-Det10's test part share patients; a split of both does not."""
    folders = [real.parent / "chestx-det10-part", real.parent / "nih"]
    if not all(one.is_dir() for one in folders):
        pytest.skip(f"no films at {folders}")
    merged = {"Infiltrate": "Consolidation", "Pneumonia": "Consolidation"}
    data = open_data(folders, others="drop", mapping=merged)
    shared = data.shared_patients & {r.patient for r in data.train if r.file_name.startswith("nih/")}
    split = splits.default(data.train, data.test)
    parts = [{record.patient for record in part} for part in (split.train, split.val, split.test)]
    assert shared and split.name == "patient-clean" and len(split.test) == 38
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert len(split.known(boxes=False).train) > 1000 and 300 < len(split.known(boxes=True).train) < 1200
