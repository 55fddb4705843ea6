"""Which files are annotations, of which part, and which image is meant."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from counting import calls

from chestlib.data import images, open_data
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
        ("testing/labels.json", "test"),
        ("tests/labels.json", "test"),
        ("Eval/labels.json", "test"),
        ("dev2020.json", "val"),
        ("training/labels.json", "train"),
        ("test-project/instances_train.json", "train"),
        ("train/instances_test.json", "test"),
        ("validation/train_test.json", "val"),
        ("device/developers/latest.json", "train"),
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
        (["Mu\u0308ller/1.png", "Maier/1.png"], "M\u00fcller/1.png", "Mu\u0308ller/1.png"),
        (["M\u00fcller/1.png", "Maier/1.png"], "Mu\u0308ller/1.png", "M\u00fcller/1.png"),
        (["my scan 1.png"], "my%20scan%201.png", "my scan 1.png"),
        (["x/50%25.png", "x/50%.png"], "50%25.png", "x/50%25.png"),
        (["x/a+b.png"], "a%2Bb.png", "x/a+b.png"),
        (["x[1]/a (*) {?}.png"], "a (*) {?}.png", "x[1]/a (*) {?}.png"),
        (["x/ 1.png"], "1.png", "x/ 1.png"),
        (["x/1.png"], " 1.png ", "x/1.png"),
        ([f"x/{'n' * 250}.png"], f"{'n' * 250}.png", f"x/{'n' * 250}.png"),
        (["p1/1.png", "p2/1.png"], "p2\\1.png", "p2/1.png"),
        (["x/1.png"], "C:\\Users\\me\\data\\1.png", "x/1.png"),
        (["x/1.png"], "d:1.png", "x/1.png"),
        (["x/1.png"], "\\\\server\\share\\1.png", "x/1.png"),
        (["x/1.png"], "file:///home/me/1.png", "x/1.png"),
        (["x/1.png"], "s3://bucket/scans/1.png", "x/1.png"),
        (["x/1.png"], "https://host/scans/1.png?key=a/b", "x/1.png"),
        (["x/a 1.png"], "/data/local-files/?d=scans/a%201.png", "x/a 1.png"),
        (["x/1.png"], "../../1.png", "x/1.png"),
        (["x/1.png"], "1.jpg", "x/1.png"),
        (["x/1.png"], "1", "x/1.png"),
        (["x/1.png", "x/1.JPG"], "1.dicom", None),
        (["x/1.png", "x/1.txt"], "1.dicom", "x/1.png"),
        (["x/1.2.3.png"], "1.2.3", "x/1.2.3.png"),
        (["x/1.2.png"], "1.2.3", None),
    ],
)
def test_which_image_is_meant(tmp_path, there, name, meant):
    touch(tmp_path, *there)
    coco(tmp_path / "all.json", name)
    _, _, parts = find(tmp_path, Reading())
    assert parts["train"][0].path == (tmp_path / meant if meant else None)


def test_foreign_paths_keep_the_folders_that_tell_them_apart(tmp_path):
    touch(tmp_path, "scans/1/x.png", "scans/11/x.png")
    coco(tmp_path / "all.json", "C:\\me\\1\\x.png", "C:\\me\\11\\x.png")
    _, _, parts = find(tmp_path, Reading())
    assert [(r.file_name, r.path) for r in parts["train"]] == [
        (name, tmp_path / "scans" / name) for name in ("1/x.png", "11/x.png")
    ]


def test_an_image_beside_one_of_its_name_deeper_down(tmp_path):
    touch(tmp_path, "scans/x.png", "scans/old/x.png")
    coco(tmp_path / "labels" / "all.json", "x.png", "old/x.png")
    _, _, parts = find(tmp_path, Reading())
    assert [r.path for r in parts["train"]] == [tmp_path / "scans/x.png", tmp_path / "scans/old/x.png"]


def test_parts_of_the_same_names_have_their_own_images(tmp_path):
    touch(tmp_path, "training/0.png", "training/1.png", "testing/0.png")
    for part in ("training", "testing"):
        coco(tmp_path / "labels" / f"{part}.json", "0.png", "1.png")
    _, _, parts = find(tmp_path, Reading())
    assert [r.path for r in parts["train"]] == [tmp_path / "training/0.png", tmp_path / "training/1.png"]
    assert [r.path for r in parts["test"]] == [tmp_path / "testing/0.png", None]  # train's 1.png is none of test


def test_a_guess_by_stem_takes_no_image_of_another_record_and_is_told(tmp_path):
    touch(tmp_path, "a.png", "b.png", "b.jpg", "c.png")
    coco(tmp_path / "train.json", "a.dicom", "b.dicom", "a/c.dicom", "b/c.dicom")
    coco(tmp_path / "test.json", "a.png")
    reading = Reading()
    _, _, parts = find(tmp_path, reading)
    assert not any(r.path for r in parts["train"]) and parts["test"][0].path
    assert reading.notes == ["1 images are missing, and several have their stem: b.jpg or b.png for b.dicom"]
    coco(tmp_path / "test.json", "d.png")
    reading = Reading()
    _, _, parts = find(tmp_path, reading)
    assert parts["train"][0].path == tmp_path / "a.png"
    assert reading.notes[0] == "1 images found under another suffix: a.png for a.dicom"


def test_two_files_of_one_part_are_told(tmp_path):
    coco(tmp_path / "a" / "x.json", "1.png")
    coco(tmp_path / "b" / "x.json", "2.png")
    assert "2 annotation files read as one train part: a/x.json, b/x.json" in open_data(tmp_path).notes


@pytest.mark.parametrize(
    ("content", "suffix", "found"),
    [
        (b"\x89PNG\r\n\x1a\n", "", True),
        (b"\xff\xd8\xff\xe0", ".jfif", True),
        (b"\xff\xd8\xff\xe0", ".JPE", True),
        (bytes(128) + b"DICM", "", True),
        (bytes(128) + b"DICM", ".17", True),  # a UID as name
        (bytes(128) + b"DICM", ".IMA", True),
        (bytes(128) + b"DICM", ".txt", False),
        (b"GIF89a", ".gif", False),
        (b"notes", "", False),
        (b"", "", False),
        (b"", ".DCM", True),  # broken: told when it is read
    ],
)
def test_images_are_known_by_content_where_the_suffix_says_nothing(tmp_path, content, suffix, found):
    (tmp_path / "deep").mkdir()
    path = tmp_path / "deep" / f"1{suffix}"
    path.write_bytes(content)
    (tmp_path / "deep" / f".{path.name}").write_bytes(content)
    assert list(images.inside(tmp_path)) == [path] * found
    coco(tmp_path / "all.json", path.name)
    assert find(tmp_path, Reading())[2]["train"][0].path == (path if found else None)


def test_a_search_opens_no_pipe_and_no_index_of_a_cd(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    assert not list(images.inside(tmp_path))


@pytest.mark.parametrize(
    ("annotations", "pictures"),
    [
        ("{}.json", "{}_data"),
        ("Dataset-master/{}.json", "{}_data"),
        ("annotations/{}.json", "{}_data/deep"),
        ("{}.json", "{}"),
        ("{}.json", "pictures"),
        ("{0}/{0}.json", "{0}/{0}_data"),
        ("x/{0}/{0}.json", "pictures"),
        ("{0}ing/{0}.json", "{0}ing"),
    ],
)
def test_official_annotations_wherever_their_images_lie(tmp_path, annotations, pictures):
    for part, names in (("train", ["0.png", "1.png"]), ("test", ["2.png"])):
        touch(tmp_path / pictures.format(part), *names)
        path = tmp_path / annotations.format(part)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([{"file_name": name, "syms": [], "boxes": []} for name in names]))
    _, layout, parts = find(tmp_path, Reading())
    assert layout == "chestx-det10" and {part: [r.path for r in records] for part, records in parts.items()} == {
        "train": [tmp_path / pictures.format("train") / name for name in ("0.png", "1.png")],
        "test": [tmp_path / pictures.format("test") / "2.png"],
    }


def test_an_official_validation_part_joins_train(tmp_path):
    for part in ("train", "val", "test"):
        (tmp_path / f"{part}.json").write_text(json.dumps([{"file_name": f"{part}.png", "syms": [], "boxes": []}]))
    touch(tmp_path, "train_data/train.png", "val_data/val.png", "test_data/test.png")
    data = open_data(tmp_path)
    assert [r.file_name for r in data.train] == ["train.png", "val.png"] and not data.missing and len(data.test) == 1
    assert data.notes == ("1 images of the validation part joined to train; splits draw their own",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("run.log.json", '{"epoch": 1}\n{"epoch": 2}\n'),
        ("settings.json", "{ // mine\n}"),
        ("empty.json", ""),
        ("empty.json", "[]"),
        ("test.json", "[]"),
        ("test.json", "{}"),
        ("train.json", '{"lr": 0.1}'),
        ("val.json", "{ // mine\n}"),
        ("package.json", '{"name": "x"}'),
        ("1.json", '{"version": "5.0", "shapes": [], "imagePath": "1.png"}'),  # labelme
        ("captions.json", '{"images": [], "annotations": []}'),
        ("results.json", '[{"image_id": 1, "category_id": 4, "bbox": [1, 2, 3, 4], "score": 0.5}]'),
        ("test/results.json", "[]"),
    ],
)
@pytest.mark.parametrize("layout", ["coco", "yolo"])
def test_somebody_elses_json_is_passed_over(tmp_path, layout, name, text):
    touch(tmp_path / "images", "1.png")
    if layout == "coco":
        coco(tmp_path / "labels" / "all.json", "1.png")
    else:
        (tmp_path / "images.csv").write_text("part,file_name,width,height\ntrain,1.png,8,8\n")
        (tmp_path / "data.yaml").write_text("train: images\nnames: [Mass]\n")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    _, found, parts = find(tmp_path, Reading())
    assert found == layout and [r.path for r in parts["train"]] == [tmp_path / "images/1.png"]


@pytest.mark.parametrize(("text", "says"), [("{ // mine\n}", "not readable as JSON"), ("{}", "a dict, and neither")])
def test_without_a_data_set_the_error_names_the_file_that_might_have_been_one(tmp_path, text, says):
    (tmp_path / "labels.json").write_text(text)
    with pytest.raises(ChestlibError, match=rf"no data set here; .* \(looked at .*labels\.json: {says}"):
        open_data(tmp_path)


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
