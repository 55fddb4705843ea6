"""Which files are annotations, of which part, and which image is meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from counting import calls

from chestlib.data import open_data
from chestlib.data.annotations import Reading
from chestlib.data.formats.recognise import find
from chestlib.errors import ChestlibError


def coco(path: Path, *names: str) -> Path:
    images = [{"id": i, "file_name": name} for i, name in enumerate(names)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    return path


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("all.json", "train"),
        ("TEST.json", "test"),
        ("instances_val2017.json", "val"),
        ("valid/_annotations.coco.json", "val"),
        ("my validation.json", "val"),
        ("test/labels.json", "test"),
        ("contest.json", "train"),
        ("evaluation.json", "test"),
    ],
)
def test_a_coco_file_is_the_part_that_its_path_names(tmp_path, file, part):
    coco(tmp_path / file, "1.png")
    root, layout, parts = find(tmp_path, Reading())
    assert (root, layout) == (tmp_path, "coco") and list(parts) == [part]


@pytest.mark.parametrize(
    ("there", "name", "meant"),
    [
        (["a/1.png", "b/1.png"], "b/1.png", "b/1.png"),
        (["deep/down/1.PNG"], "1.png", "deep/down/1.PNG"),
        (["x/1.png", "train-old/1.png"], "1.png", "train-old/1.png"),
        (["1.png", "train/1.png"], "1.png", "1.png"),
        (["x/1.png", "x/1.PNG"], "1.PNG", "x/1.PNG"),
        ([".hidden/1.png", "__MACOSX/1.png"], "1.png", None),
        (["1/1.png", "11/1.png"], "1/1.png", "1/1.png"),
        (["p1/a/1.png", "p2/a/1.png"], "elsewhere/p2/a/1.png", "p2/a/1.png"),
    ],
)
def test_which_image_is_meant(tmp_path, there, name, meant):
    touch(tmp_path, *there)
    coco(tmp_path / "all.json", name)
    _, _, parts = find(tmp_path, Reading())
    assert parts["train"][0].path == (tmp_path / meant if meant else None)


def test_an_image_is_not_given_to_a_record_that_means_another(tmp_path):
    touch(tmp_path, "p1/view.png")
    coco(tmp_path / "all.json", "p1/view.png", "p2/view.png")
    _, _, parts = find(tmp_path, Reading())
    assert [record.path for record in parts["train"]] == [tmp_path / "p1/view.png", None]


def shared_names(folder: Path, layout: str, n: int) -> Path:
    """Data whose images have one base name, each in its patient's folder."""
    names = [f"p{i:03}/view.png" for i in range(n)]
    if layout == "coco":
        touch(folder / "images", *names)
        coco(folder / "all.json", *names)
    elif layout == "chestx-det10":
        touch(folder / "train_data", *names)
        records = [{"file_name": name, "syms": [], "boxes": []} for name in names]
        (folder / "train.json").write_text(json.dumps(records))
    elif layout == "challenge":
        touch(folder / "images", *names)
        touch(folder / "train", *(name.replace(".png", ".json") for name in names))
    else:
        touch(folder / "images" / "train", *names)
        (folder / "data.yaml").write_text("train: images/train\nnames: [Mass]\n")
        rows = "".join(f"train,{name},8,8\n" for name in names)
        (folder / "images.csv").write_text(f"part,file_name,width,height\n{rows}")
    return folder


@pytest.mark.parametrize("layout", ["coco", "chestx-det10", "challenge", "yolo"])
def test_opening_four_times_the_images_of_one_base_name_is_four_times_the_work(tmp_path, layout):
    few, many = (shared_names(tmp_path / str(n), layout, n) for n in (40, 160))
    data = open_data(few)  # also loads what is loaded once
    assert data.layout == layout and not data.missing and len({r.path for r in data.records}) == 40
    assert calls(lambda: open_data(many)) < 4.5 * calls(lambda: open_data(few))


def test_one_file_is_one_part_with_the_images_around_it(tmp_path):
    touch(tmp_path, "pictures/1.png")
    (tmp_path / "my-test.json").write_text('[{"file_name": "1.png", "syms": [], "boxes": []}]')
    root, layout, parts = find(tmp_path / "my-test.json", Reading())
    assert (root, layout, list(parts)) == (tmp_path, "chestx-det10", ["test"])
    assert parts["test"][0].path == tmp_path / "pictures/1.png"
    assert find(coco(tmp_path / "b.json", "1.png"), Reading())[1] == "coco"


def test_work_folders_and_other_peoples_files_are_no_data_set(tmp_path):
    touch(tmp_path, "nih-names/x.txt", "notes/1.png")
    (tmp_path / "nih-names" / "train.json").write_text("[]")
    (tmp_path / "settings.yaml").write_text("names: [")
    assert find(tmp_path, Reading()) is None
    touch(tmp_path, ".fetch/lock")
    with pytest.raises(ChestlibError, match="a fetch was broken off"):
        find(tmp_path, Reading())


def test_the_flat_form_of_the_challenge_beside_an_empty_folder(tmp_path):
    touch(tmp_path, "1.json", "2.json")
    (tmp_path / "test").mkdir()
    _, layout, parts = find(tmp_path, Reading())
    assert layout == "challenge" and [record.file_name for record in parts["test"]] == ["1.png", "2.png"]


@pytest.mark.parametrize("row", ["train,,8,8", "train,/,8,8", "train,1.png,0,8", "train,1.png,8", "train,1.png,x,8"])
def test_a_bad_row_of_the_list_of_images(tmp_path, row):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "1.json").write_text("[]")
    (tmp_path / "images.csv").write_text(f"part,file_name,width,height\n{row}\n")
    with pytest.raises(ChestlibError, match=r"images\.csv: expected a CSV file with the columns part,file_name"):
        find(tmp_path, Reading())
