"""What was looked for on which film: read, kept through every format, and no reason to call a film normal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chestlib.data import FORMATS, DataFolder, annotations_digest, check, convert, open_data, splits
from chestlib.errors import ChestlibError

TEXT = """file_name,annotated,diseased
a.png,Mass|nodule,
B.PNG,Mass,
c.png,,yes
d.png,,No
*,*,
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five films; a and e hold a Mass."""
    folder = tmp_path / "data"
    (folder / "train_data").mkdir(parents=True)
    for i, name in enumerate("abcde"):
        Image.fromarray(np.full((40, 40), i, np.uint8)).save(folder / f"train_data/{name}.png")
    said = {name: ["Mass"] if name in "ae" else [] for name in "abcde"}
    items = [{"file_name": f"{n}.png", "syms": s, "boxes": [[2, 3, 20, 30]] * len(s)} for n, s in said.items()]
    (folder / "train.json").write_text(json.dumps(items))
    (folder / "annotated.csv").write_text(TEXT)
    return folder


def known(data: DataFolder) -> list[tuple]:
    return [(r.file_name, r.annotated, r.diseased, r.normal) for r in data.records]


KNOWN = [
    ("a.png", {8, 9}, True, False),
    ("b.png", {8}, False, False),
    ("c.png", frozenset(), True, False),
    ("d.png", None, False, True),
    ("e.png", None, True, False),
]


def test_what_is_said_of_films(folder: Path) -> None:
    data = open_data(folder)
    assert known(data) == KNOWN and check(folder).ok
    assert data.notes[-1].startswith("partial labels: on 2 of 5 images some findings were looked for, on 1 none; 1 are")
    split = splits.Split("official", 0, data.train)
    assert [r.file_name[0] for r in split.known(boxes=False).train] == ["a", "c", "d", "e"]
    assert [r.file_name[0] for r in split.known(boxes=True).train] == ["a", "b", "d", "e"]


@pytest.mark.parametrize("to", FORMATS)
def test_every_format_keeps_it(folder: Path, to: str) -> None:
    convert(folder, folder.parent / "out", to)
    again = open_data(folder.parent / "out", draw=False)
    assert sorted(known(again)) == KNOWN
    assert annotations_digest(again.records) == annotations_digest(open_data(folder).records)
    (folder / "annotated.csv").unlink()
    assert annotations_digest(again.records) != annotations_digest(open_data(folder).records)


def test_a_box_of_what_nobody_looked_for_was_looked_for(folder: Path) -> None:
    (folder / "annotated.csv").write_text("file_name,annotated,diseased\n*,Nodule,\n")
    assert [r.annotated for r in open_data(folder).records] == [{8, 9}, {9}, {9}, {9}, {8, 9}]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file_name,diseased\na.png,yes\n", "expected a CSV file with the columns file_name,annotated,diseased"),
        ("file_name,annotated,diseased\na.png,*,perhaps\n", "record 0: a.png: diseased is 'perhaps'"),
        ("file_name,annotated,diseased\na.png,Mass|Wart,\n", "record 0: a.png: unknown finding 'Wart'"),
    ],
)
def test_a_bad_table_is_named(folder: Path, text: str, says: str) -> None:
    (folder / "annotated.csv").write_text(text)
    with pytest.raises(ChestlibError, match=f"annotated.csv: {says}"):
        open_data(folder)
