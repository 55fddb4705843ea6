"""The check tells everything that is wrong, and nothing that is not."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from chestlib.data.annotations import number
from chestlib.data.check import check
from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS


@pytest.fixture
def folder(tmp_path):
    """Four sound images of 40 x 40."""
    rng = np.random.default_rng(0)
    for part, names in (("train", "abc"), ("test", "d")):
        (tmp_path / f"{part}_data").mkdir()
        for name in names:
            Image.fromarray(rng.integers(0, 256, (40, 40), np.uint8)).save(tmp_path / f"{part}_data" / f"{name}.png")
        items = [{"file_name": f"{name}.png", "syms": ["Mass"], "boxes": [[0, 0, 40, 40]]} for name in names]
        (tmp_path / f"{part}.json").write_text(json.dumps(items))
    (tmp_path / "patients.csv").write_text("file_name,patient\na.png,x\nb.png,y\nc.png,y\nd.png,x\n")
    return tmp_path


def edit(folder, index, **changes):
    path = folder / "train.json"
    items = json.loads(path.read_text())
    items[index].update(changes)
    path.write_text(json.dumps(items))


def test_sound(folder):
    ticks = []
    report = check(folder, progress=lambda done, total: ticks.append((done, total)))
    assert report.ok and not report.problems and ticks[-1] == (4, 4)
    assert report.to_json() == {
        "images": 4,
        "missing_images": 0,
        "boxes": 4,
        "patients": 2,
        "findings": {finding: 4 * (finding == "Mass") for finding in FINDINGS},
        "patient_overlap": {"train_test": 1},
        "notes": [],
        "problems": [],
    }
    assert "0 errors, 0 warnings" in str(report)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"boxes": [[0, 0, 40.5, 40]]}, "b.png: Mass: box [0, 0, 40.5, 40] leaves the image of 40 x 40"),
        ({"boxes": [[-1, 0, 40, 40]]}, "b.png: Mass: box [-1, 0, 40, 40] leaves the image of 40 x 40"),
        ({"boxes": [[30, 0, 20, 40]]}, "b.png: Mass: box [30, 0, 20, 40] is swapped; expected x2 > x1 and y2 > y1"),
        ({"boxes": [[30, 0, 30, 40]]}, "b.png: Mass: box [30, 0, 30, 40] is empty; expected x2 > x1 and y2 > y1"),
        (
            {"syms": ["Tumour"]},
            f"b.png: unknown finding 'Tumour'; known are {', '.join(FINDINGS)}; name your own in findings.txt",
        ),
        ({"syms": []}, "b.png: 0 findings but 1 boxes"),
        ({"file_name": "a.png"}, "a.png: is listed before; keep one record an image"),
    ],
)
def test_bad_record(folder, changes, message):
    edit(folder, 1, **changes)
    report = check(folder)
    assert [vars(p) for p in report.problems] == [
        {"severity": "error", "file": str(folder / "train.json"), "record": 1, "message": message}
    ]
    assert not report.ok and f"error   {folder / 'train.json'}: record 1: {message}" in str(report)


@pytest.mark.parametrize(
    ("layout", "box", "leaves"),
    [
        ("chestx-det10", [-0.0004, -0.0, 40.004, 40], False),
        ("chestx-det10", [0, 0, 40.03, 40], True),
        ("coco", [10.33, 3, 40.01, 40], False),
        ("coco", [-0.01, 3, 30, 40], False),
        ("coco", [10, 3, 44, 40], True),
        ("yolo", [2.5, 5, 40.0000006, 40], False),
        ("yolo", [2.5, -3, 40, 40], True),
    ],
)
def test_what_rounding_explains_is_no_error(tmp_path, layout, box, leaves):
    name, (x1, y1, x2, y2) = "1.png", box
    (tmp_path / "images").mkdir()
    Image.fromarray(np.eye(40, dtype=np.uint8)).save(tmp_path / "images" / name)
    if layout == "chestx-det10":
        (tmp_path / "train.json").write_text(json.dumps([{"file_name": name, "syms": ["Mass"], "boxes": [box]}]))
    elif layout == "coco":
        item = {"image_id": 1, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1]}
        image = {"id": 1, "file_name": name, "width": 40, "height": 40}
        document = {"images": [image], "annotations": [item], "categories": [{"id": 1, "name": "Mass"}]}
        (tmp_path / "all.json").write_text(json.dumps(document))
    else:
        shares = (x1 + x2) / 80, (y1 + y2) / 80, (x2 - x1) / 40, (y2 - y1) / 40
        (tmp_path / "data.yaml").write_text("train: images\nnames: [Mass]\n")
        (tmp_path / "labels").mkdir()
        (tmp_path / "labels" / "1.txt").write_text(" ".join(["0", *(f"{v:.8f}" for v in shares)]))
    report = check(tmp_path)
    assert [problem.message for problem in report.problems if "leaves the image" in problem.message] == (
        [f"1.png: Mass: box {[*map(number, report.data.train[0].boxes[0].tolist())]} leaves the image of 40 x 40"]
        if leaves
        else []
    )
    if layout != "chestx-det10" and not leaves:  # the size is known, so the box is clipped
        x1, y1, x2, y2 = report.data.train[0].boxes[0].tolist()
        assert x1 >= 0 and y1 >= 0 and x2 <= 40 and y2 <= 40


@pytest.mark.parametrize("size", [(60, 30), (30, 60)], ids=["broad", "high"])
def test_a_film_s_sides_are_not_exchanged(folder, size):
    """Boxes up to both borders are sound, and one pixel beyond either is not."""
    Image.fromarray(np.random.default_rng(1).integers(0, 256, size[::-1], np.uint8)).save(
        folder / "train_data" / "b.png"
    )
    width, height = size
    edit(folder, 1, boxes=[[0, 0, width, height]])
    assert not check(folder).problems
    for box in ([0, 0, width + 1, height], [0, 0, width, height + 1]):
        edit(folder, 1, boxes=[box])
        (problem,) = check(folder).problems
        assert problem.message == f"b.png: Mass: box {box} leaves the image of {width} x {height}"


def test_bad_images(folder):
    images = folder / "train_data"
    (images / "b.png").write_bytes((images / "a.png").read_bytes())
    (images / "c.png").write_bytes((images / "a.png").read_bytes()[:200])
    report = check(folder)
    assert [(p.file, p.record) for p in report.problems] == [(str(images / "b.png"), 1), (str(images / "c.png"), 2)]
    same, broken = (p.message for p in report.problems)
    assert same == f"b.png: same bytes as {images / 'a.png'}" and "c.png: not readable as an image" in broken


def test_warnings_leave_it_sound(folder):
    (folder / "train_data" / "a.png").unlink()
    edit(folder, 1, syms=["Mass", "Mass", "Nodule", "Nodule"], boxes=[[1, 2, 3, 4]] * 3 + [[1, 2, 3, 5]])
    report = check(folder)
    assert [(p.severity, p.record, p.message) for p in report.problems] == [
        ("warning", 0, "a.png: image missing"),
        ("warning", 1, "b.png: Mass [1, 2, 3, 4]: box repeated"),
    ]
    assert report.ok and report.shared_boxes == 1 and report.to_json()["missing_images"] == 1


def test_all_problems_and_not_only_the_first(folder):
    edit(folder, 0, syms=["Mass", "Tumour", "Mass"], boxes=[[0, 0, 99, 9], [0, 0, 9, 9], [5, 5, 5, 9]])
    edit(folder, 2, boxes="none")
    report = check(folder)
    assert [p.record for p in report.problems] == [0, 0, 2, 0] and report.to_json()["boxes"] == 3


def test_long_lists_of_warnings_are_cut_in_the_table_only(folder):
    items = [{"file_name": f"{i}.png", "syms": [], "boxes": []} for i in range(30)]
    (folder / "train.json").write_text(json.dumps(items))
    report = check(folder)
    assert len(report.to_json()["problems"]) == 30
    assert str(report).count("image missing") == 11 and "warning ... and 20 more: image missing" in str(report)


def test_file_that_is_no_json_is_a_problem_and_a_missing_folder_an_error(folder, tmp_path):
    (folder / "train.json").write_text("[")
    report = check(folder)
    (problem,) = report.problems
    assert problem.file == str(folder / "train.json") and not report.ok and report.to_json()["images"] == 0
    with pytest.raises(ChestlibError, match="no such folder"):
        check(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ChestlibError, match="no data set here"):
        check(tmp_path / "empty")


def test_phantom_is_sound(small):
    report = check(small.root)
    assert report.ok and not report.problems


def test_real(real, real_missing):
    report = check(real)
    assert report.ok and len(report.problems) == real_missing + 1 and report.shared_boxes == 500
    counts = report.to_json()
    assert (counts["images"], counts["missing_images"]) == (3543, real_missing)
    assert (counts["boxes"], counts["patients"]) == (8339, 1677)
    assert counts["patient_overlap"] == {"train_test": 271}
    (repeated,) = [p for p in report.problems if "repeated" in p.message]
    assert repeated.message == "57467.png: Fracture [689, 420, 863, 552]: box repeated"
