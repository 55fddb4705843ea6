"""Every layout that people have, opened as one thing."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from chestlib.data import images, open_data, splits
from chestlib.errors import ChestlibError


def item(name, *findings):
    return {"file_name": name, "syms": list(findings), "boxes": [[2, 3, 20, 30]] * len(findings)}


def image(path, grey=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((40, 30), grey, np.uint8)).save(path)


def data_set(root, train="train_data", test="test_data"):
    """1.png and 2.png to train, 3.png to test; 4.png is missing."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "train.json").write_text(json.dumps([item("1.png", "Mass"), item("2.png")]))
    (root / "test.json").write_text(json.dumps([item("3.png", "Mass", "Nodule"), item("4.png")]))
    for i, folder in ((1, train), (2, train), (3, test)):
        image(root / folder / f"{i}.png")
    return root


@pytest.mark.parametrize(
    ("below", "train", "test"),
    [
        ("", "train_data", "test_data"),
        ("", "train_data/train-old", "test_data/test_data"),
        ("archive", "train_data/train-old", "test_data/test_data"),
        ("a/b", "train_data", "test_data"),
    ],
)
def test_official_layouts(tmp_path, below, train, test):
    root = data_set(tmp_path / below, train, test)
    data = open_data(tmp_path)
    assert data.root == root and data.layout == "chestx-det10" and not data.synthetic and data.missing == 1
    assert [r.path for r in data.records] == [
        root / train / "1.png",
        root / train / "2.png",
        root / test / "3.png",
        None,
    ]
    assert not any(r.patient for r in data.records)


def test_repr_is_a_stable_table(tmp_path):
    data_set(tmp_path / "mine")
    (tmp_path / "mine" / "patients.csv").write_text("file_name,patient\n1.png,a\n2.png,b\n3.png,a\n4.png,c\n")
    lines = repr(open_data(tmp_path / "mine")).splitlines()
    assert lines[0] == "DataFolder mine"
    assert [" ".join(line.split()) for line in lines[1:7]] == [
        "train test",
        "images listed 2 2",
        "images present 2 1",
        "images without finding 1 1",
        "patients 2 2",
        "boxes 1 2",
    ]
    assert "  Mass                         1       1" in lines and "patients in both parts         1" in lines
    assert lines[-1].startswith("source: ChestX-Det10: Liu, Lian, Yu, arXiv:2006.10550")


def test_patients_by_nih_names(tmp_path):
    data_set(tmp_path)
    nih = tmp_path / "nih-names"
    nih.mkdir()
    twins = [item("00000007_000.png", "Mass"), item("00000007_001.png")]
    (nih / "train.json").write_text(json.dumps(twins))
    (nih / "test.json").write_text(json.dumps([item("00000007_002.png", "Mass", "Nodule"), item("00000009_000.png")]))
    data = open_data(tmp_path)
    assert [r.patient for r in data.records] == ["00000007"] * 3 + ["00000009"]
    assert data.shared_patients == {"00000007"}
    for bad, message in (
        (twins[::-1], "record 0: 00000007_001.png has other boxes or findings than 1.png"),
        (twins[:1], "1 records for 2 images"),
        ([item("x.png", "Mass"), twins[1]], "x.png is not an NIH file name"),
    ):
        (nih / "train.json").write_text(json.dumps(bad))
        with pytest.raises(ChestlibError, match="nih-names/train.json.*" + message):
            open_data(tmp_path)


def test_patients_in_nih_file_names_themselves(tmp_path):
    (tmp_path / "train.json").write_text(json.dumps([item("00000007_000.png")]))
    assert open_data(tmp_path).train[0].patient == "00000007"


def test_what_is_no_data_set(tmp_path):
    with pytest.raises(ChestlibError, match="none: no such file or folder"):
        open_data(tmp_path / "none")
    with pytest.raises(ChestlibError, match="no data set here"):
        open_data(tmp_path)
    data_set(tmp_path / "a")
    data_set(tmp_path / "b")
    with pytest.raises(ChestlibError, match=r"several data sets \(a, b\)"):
        open_data(tmp_path)
    (tmp_path / "a" / "train.json").write_text('{"not": "a list"}')
    with pytest.raises(ChestlibError, match=r"train\.json: not the ChestX-Det10 format"):
        open_data(tmp_path / "a")


def test_phantom_that_is_not_whole(tmp_path):
    data_set(tmp_path)
    (tmp_path / ".phantom-begun.json").touch()
    with pytest.raises(ChestlibError, match="the same chestlib phantom finishes it"):
        open_data(tmp_path)
    (tmp_path / "phantom.json").touch()
    assert open_data(tmp_path).synthetic


def test_where_was_looked_is_told_when_no_image_is_there(tmp_path):
    data_set(tmp_path)
    for part in ("train", "test"):
        shutil.rmtree(tmp_path / f"{part}_data")
    assert open_data(tmp_path).notes == (f"none of the 4 images was found below {tmp_path}",)


def test_patients_are_known_by_any_spelling_of_the_name_and_gaps_are_told(tmp_path):
    (tmp_path / "train.json").write_text(json.dumps([item("a/Mu\u0308ller.png"), item("b.png"), item("c.png")]))
    (tmp_path / "patients.csv").write_text("patient;file_name\np;A\\M\u00fcller.PNG\nq;b.png\n")
    data = open_data(tmp_path)
    assert [r.patient for r in data.train] == ["p", "q", ""] and "1 of 3 images have no patient listed" in data.notes


def test_real_data(real, real_missing):
    data = open_data(real)
    assert (len(data.train), len(data.test), data.missing) == (3001, 542, real_missing)
    assert len({r.patient for r in data.records}) == 1677 and len(data.shared_patients) == 271
    split = splits.patient_clean(data.train, data.test)
    present = [record for record in data.records if record.path]
    assert split.test == [record for record in data.test if record.path]
    tested = {record.patient for record in data.test}
    assert len(split.train) + len(split.val) == sum(r.patient not in tested for r in present)
    for record in data.records:
        if record.path:
            assert images.size(record.path) == (1024, 1024) and images.read(record.path).shape == (1, 1024, 1024)
    # RGBA and grey files of the same kind of image look alike.
    assert 0.2 < images.read(data.train[0].path).mean() < 0.8 and data.train[0].file_name == "36200.png"


# --- other people's COCO ---------------------------------------------------------------------------------------------

CATEGORIES = [{"id": 90, "name": "PNEUMOTHORAX"}, {"id": 4, "name": "mass"}, {"id": 17, "name": "Calcification"}]


def coco(path, names, category=4, categories=CATEGORIES):
    document = {
        "images": [{"id": 100 + i, "file_name": n, "width": 30, "height": 40} for i, n in enumerate(names)],
        "annotations": [
            {"id": i, "image_id": 100 + i, "category_id": category, "bbox": [2.5, 3, 10, 20]} for i in range(len(names))
        ],
        "categories": categories,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize(
    ("annotations", "folder", "names"),
    [
        ("mine.json", ".", "{}.png"),
        ("labels/whatever.json", ".", "{}.png"),
        ("mine.json", "pictures/deep", "{}.png"),
        ("mine.json", "pictures", "pictures/{}.png"),
        ("mine.json", "pictures", "C:\\\\data\\\\{}.png"),
        ("mine.json", "pictures", "/home/me/pictures/{}.PNG"),
    ],
)
def test_coco_wherever_it_lies(tmp_path, annotations, folder, names):
    for i in range(10):
        image(tmp_path / folder / f"{i}.png", i)
    coco(tmp_path / annotations, [names.format(i).replace("\\\\", "\\") for i in range(10)])
    data = open_data(tmp_path)
    assert data.layout == "coco" and data.missing == 0 and len(data.test) == 2 and len(data.train) == 8
    assert data.notes == ("one part only: 2 of 10 images drawn as test",)
    record = next(r for r in data.records if r.file_name.lower().endswith("7.png"))
    assert record.path == tmp_path / folder / "7.png"
    assert record.findings == ("Mass",) and record.boxes.tolist() == [[2.5, 3, 12.5, 23]] and record.size == (30, 40)
    assert "your own data, in coco format" in repr(data)


def test_coco_above_its_images(tmp_path):
    image(tmp_path / "pictures" / "1.png")
    coco(tmp_path / "all.json", ["1.png", "2.png"])
    (tmp_path / "broken.json").write_text("{")
    data = open_data(tmp_path / "pictures")
    assert data.layout == "coco" and data.missing == 1
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(ChestlibError, match="no data set here"):
        open_data(tmp_path / "elsewhere")


def test_coco_parts_by_name(tmp_path):
    for part, names in (("train", "ab"), ("valid", "c"), ("test", "d")):
        coco(tmp_path / part / "_annotations.coco.json", [f"{n}.png" for n in names])
        image(tmp_path / part / "a.png")  # one name in every folder: the one beside the annotations is meant
    data = open_data(tmp_path)
    assert [r.file_name for r in data.train] == ["a.png", "b.png", "c.png"]
    assert [r.file_name for r in data.test] == ["d.png"] and data.train[0].path == tmp_path / "train" / "a.png"
    shutil.rmtree(tmp_path / "test")
    data = open_data(tmp_path)
    assert [r.file_name for r in data.test] == ["c.png"] and data.notes == ("the validation part serves as test",)


def test_one_part_is_drawn_by_patient(tmp_path):
    """Nine patients of five films each, whose NIH names stand mixed: none is in both parts."""
    names = [f"{1 + patient:08d}_{visit:03d}.png" for visit in range(5) for patient in range(9)]
    coco(tmp_path / "all.json", names)
    for name in names:
        image(tmp_path / name)
    data = open_data(tmp_path)
    assert len(data.train) + len(data.test) == 45 and 5 <= len(data.test) <= 15
    assert all(record.patient for record in data.records) and not data.shared_patients


def test_coco_with_other_categories(tmp_path):
    coco(tmp_path / "x.json", ["1.png"], 5, [*CATEGORIES, {"id": 5, "name": "Cardiomegaly"}])
    with pytest.raises(ChestlibError, match="unknown finding 'Cardiomegaly'"):
        open_data(tmp_path)
    data = open_data(tmp_path, others="drop")
    assert "1 images hold no other box than those dropped: diseased, and not normal" in data.notes
    assert "1 boxes dropped: Cardiomegaly is not one of the ten" in data.notes and data.records[0].diseased


def test_two_images_of_one_name(tmp_path):
    coco(tmp_path / "x.json", ["1.png"])
    image(tmp_path / "a" / "1.png")
    image(tmp_path / "b" / "1.png")
    with pytest.raises(ChestlibError, match=r"1\.png: has the same name as"):
        open_data(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": [{"id": 1}]}, "record 0: expected an image with id and file_name"),
        ({"images": [{"id": 1, "file_name": "a.png"}] * 2}, "record 1: a.png: image id 1 is used before"),
        ({"annotations": [{"image_id": 9, "category_id": 4, "bbox": [1, 2, 3, 4]}]}, "no image has the id 9"),
        ({"annotations": [{"image_id": 100, "category_id": 1, "bbox": [1, 2, 3, 4]}]}, "no category has the id 1"),
        ({"annotations": [{"image_id": 100, "category_id": 4}]}, "annotation 0: expected image_id"),
        ({"annotations": [{"image_id": 100, "category_id": 4, "bbox": [1, 2, 0, 4]}]}, "is empty"),
        ({"annotations": [{"image_id": 100, "category_id": 4, "bbox": [1, 2, -3, 4]}]}, "is swapped"),
        ({"annotations": [{"image_id": 100, "category_id": 4, "bbox": "1234"}]}, "is not four numbers"),
        ({"annotations": [{"image_id": [], "category_id": {}, "bbox": []}]}, "annotation 0: expected image_id"),
    ],
)
def test_bad_coco(tmp_path, change, message):
    path = coco(tmp_path / "x.json", ["1.png"])
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ChestlibError, match=rf"x\.json: .*{message}"):
        open_data(tmp_path)
