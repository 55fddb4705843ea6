"""Records and the official JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from chestlib.data import Record, read_annotations, write_annotations
from chestlib.data.annotations import Reading
from chestlib.data.formats import official
from chestlib.errors import ChestlibError

GOOD = {"file_name": "1.png", "syms": ["Mass", "Nodule"], "boxes": [[1, 2, 30, 40], [5, 6, 7.25, 8]]}


def write(path, items):
    path.write_text(items if isinstance(items, str) else json.dumps(items))
    return path


def test_there_and_back(tmp_path):
    records = read_annotations(write(tmp_path / "a.json", [GOOD, {"file_name": "2.png", "syms": [], "boxes": []}]))
    first, second = records
    assert first.findings == ("Mass", "Nodule") and first.diseased and not second.diseased
    assert first.boxes.dtype == np.float32 and first.labels.dtype == np.int64
    assert second.boxes.shape == (0, 4)
    write_annotations(records, tmp_path / "b.json")
    assert json.loads((tmp_path / "b.json").read_text())[0] == GOOD
    assert repr(first) == "Record('1.png', 2 boxes, findings=['Mass', 'Nodule'])"


def test_record_refuses_other_shapes():
    with pytest.raises(ChestlibError, match=r"expected boxes \(2, 4\)"):
        Record("x.png", np.zeros((1, 4)), [1, 2])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "not readable as JSON"),
        ("\xff", "not readable as JSON"),
        ("[" * 100_000, "not readable as JSON"),
        ({"images": []}, "expected a list of records, got dict"),
        ([3], "record 0: expected an object"),
        ([{"file_name": "1.png"}], "record 0: expected an object"),
        ([{**GOOD, "syms": "Mass"}], "must be lists"),
        ([GOOD, {**GOOD, "file_name": 7}], "record 1: file_name 7 is not"),
        ([{**GOOD, "file_name": "../../etc/passwd"}], "is not the name of an image below"),
        ([{**GOOD, "file_name": "/etc/passwd"}], "is not the name of an image below"),
        ([{**GOOD, "syms": ["Mass"]}], r"1\.png: 1 findings but 2 boxes"),
        ([{**GOOD, "syms": ["Mass", "Tumour"]}], r"1\.png: unknown finding 'Tumour'; known are Atelectasis"),
        ([{**GOOD, "boxes": [[1, 2, 3, 4], [1, 2, 3]]}], "Nodule: box .* is not four numbers"),
        (
            [{**GOOD, "boxes": [[1, 2, 3, 4], [1, 2, 3, "4,5"]]}],
            "is not four numbers x1, y1, x2, y2; write decimals with a point",
        ),
        ([{**GOOD, "boxes": [[1, 2, 3, 4], None]}], "is not four numbers"),
        ([{**GOOD, "boxes": [[1, 2, 3, 4], [1, 2, float("nan"), 4]]}], "is not finite"),
        ([{**GOOD, "boxes": [[1, 2, 3, 4], [1, 2, 1e300, 4]]}], "is not finite"),
        ([{**GOOD, "boxes": [[1, 2, 3, 4], [5, 2, 3, 4]]}], "is swapped"),
        ([{**GOOD, "boxes": [[1, 2, 3, 4], [3, 2, 3, 4]]}], "is empty"),
        ([GOOD, GOOD], r"record 1: 1\.png: is listed before"),
    ],
)
def test_bad_file_is_one_line_that_names_it(tmp_path, content, message):
    path = write(tmp_path / "bad.json", content)
    with pytest.raises(ChestlibError, match=rf"bad\.json: .*{message}") as caught:
        read_annotations(path)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ChestlibError, match="no such file"):
        read_annotations(tmp_path / "none.json")
    with pytest.raises(ChestlibError, match="is a folder"):
        read_annotations(tmp_path)


def test_reading_goes_on_after_problems(tmp_path):
    bad = {**GOOD, "file_name": "2.png", "boxes": [[1, 2, 3, 4], [3, 2, 1, 4]]}
    path = write(tmp_path / "a.json", [bad, 5, GOOD])
    reading = Reading()
    records = official.read(path, reading)
    assert [(r.file_name, len(r.labels), r.origin) for r in records] == [
        ("2.png", 1, (path, 0)),
        ("1.png", 2, (path, 2)),
    ]
    assert [(p.severity, p.record) for p in reading.problems] == [("error", 0), ("error", 1)]
    with pytest.raises(ChestlibError, match="and 1 more"):
        reading.finish()


def test_findings_outside_the_ten(tmp_path):
    path = write(tmp_path / "a.json", [{**GOOD, "syms": ["nodule", "Cardiomegaly"]}])
    dropped, kept = Reading("drop"), Reading("keep")
    (record,) = official.read(path, dropped)
    assert record.findings == ("Nodule",) and dropped.dropped == {"Cardiomegaly": 1} and not dropped.problems
    (record,) = official.read(path, kept)
    assert record.labels.tolist() == [9, 11] and kept.names[10] == "Cardiomegaly" and record.findings == ("Nodule",)
    with pytest.raises(ChestlibError, match="not a choice"):
        Reading("ignore")


def test_write_leaves_the_old_file_when_it_fails(tmp_path):
    path = write(tmp_path / "a.json", "old")
    with pytest.raises(IndexError):
        write_annotations([Record("x.png", [[1, 2, 3, 4]], [11])], path)
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.json"]
