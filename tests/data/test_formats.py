"""There and back between all formats is the identity, to a thousandth of a pixel."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from chestlib.data import Record, open_data, write_annotations
from chestlib.data.annotations import Reading
from chestlib.data.convert import FORMATS, convert
from chestlib.data.folder import scan
from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS


@st.composite
def record(draw, name):
    """Boxes with corners in thousandths of a pixel, in an image of 1024 x 1024."""
    boxes = []
    for _ in range(draw(st.integers(0, 4))):
        x = sorted(draw(st.lists(st.integers(0, 1_024_000), min_size=2, max_size=2, unique=True)))
        y = sorted(draw(st.lists(st.integers(0, 1_024_000), min_size=2, max_size=2, unique=True)))
        boxes.append([x[0] / 1000, y[0] / 1000, x[1] / 1000, y[1] / 1000])
    labels = draw(st.lists(st.integers(1, 10), min_size=len(boxes), max_size=len(boxes)))
    return Record(name, np.array(boxes, np.float32), labels, draw(st.sampled_from(["", "p 1", 'p,"2"'])))


NAMES = st.lists(
    st.sampled_from([f"{i}{s}" for i in "3aÄ" for s in (".png", ".jpg", "/z.png")]), unique_by=lambda n: n[0]
)


@st.composite
def parts(draw):
    """Train and test with names in any order, of any image type, also in sub-folders."""
    names = draw(NAMES)
    cut = draw(st.integers(0, len(names)))
    records = [draw(record(name)) for name in names]
    return records[:cut], records[cut:]


def same(a: list[Record], b: list[Record]) -> bool:
    return len(a) == len(b) and all(
        x.file_name == y.file_name
        and x.patient == y.patient
        and np.array_equal(x.boxes, y.boxes)
        and np.array_equal(x.labels, y.labels)
        for x, y in zip(a, b, strict=True)
    )


def write(folder: Path, train: list[Record], test: list[Record]) -> Path:
    write_annotations(train, folder / "train.json")
    write_annotations(test, folder / "test.json")
    rows = [f'"{r.file_name}","{r.patient.replace(chr(34), chr(34) * 2)}"' for r in train + test if r.patient]
    (folder / "patients.csv").write_text("\n".join(["file_name,patient", *rows]))
    return folder


@pytest.mark.parametrize("to", FORMATS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=parts())
def test_there_and_back(tmp_path_factory, to, parts):
    folder = tmp_path_factory.mktemp("data")
    source = write(folder / "source", *parts)
    convert(source, folder / "there", to)
    if not any(parts):  # nothing to write down but for the official form
        return
    there = scan(folder / "there", Reading())
    assert same(there.records, [*parts[0], *parts[1]]) and there.layout == to
    convert(folder / "there", folder / "back", "chestx-det10")
    back = open_data(folder / "back")
    assert same(back.train, parts[0]) and same(back.test, parts[1])


@pytest.fixture
def source(tmp_path):
    """Two train images (one 40 x 20, one missing) and a test image."""
    records = [
        Record("1.png", [[1, 2, 11, 12], [0.125, 0, 40, 20]], [8, 1], "p"),
        Record("2.png"),
        Record("3.jpg", [[5, 5, 10, 10]], [10], "q"),
    ]
    folder = write(tmp_path / "source", records[:2], records[2:])
    for name in ("train_data/1.png", "test_data/3.jpg"):
        (folder / name).parent.mkdir()
        Image.new("L", (40, 20), 90).save(folder / name)
    return folder


def test_coco_form(source, tmp_path):
    report = convert(source, tmp_path / "out", "coco")
    document = json.loads((tmp_path / "out/annotations/train.json").read_text())
    assert document["images"][0] == {"id": 1, "file_name": "1.png", "width": 40, "height": 20}
    assert document["annotations"][1] == {
        "id": 2, "image_id": 1, "category_id": 1, "bbox": [0.125, 0, 39.875, 20], "area": 797.5, "iscrowd": 0,
    }  # fmt: skip
    assert [c["name"] for c in document["categories"]] == list(FINDINGS)
    assert open_data(tmp_path / "out").missing == 1
    assert str(report).splitlines()[1:] == [
        "1 of 3 images have no patient listed",
        "1 images are missing",
        "1 of them were taken for 1024 x 1024 pixels",
    ]
    from pycocotools.coco import COCO

    assert COCO(tmp_path / "out/annotations/train.json").getAnnIds() == [1, 2]


def test_yolo_form(source, tmp_path):
    convert(source, tmp_path / "out", "yolo")
    first, second = sorted((tmp_path / "out/labels").glob("*/[12].txt"), key=lambda path: path.name)
    assert [float(v) for v in first.read_text().split("\n")[0].split()] == [7, 0.15, 0.35, 0.25, 0.5]
    assert second.read_text() == "" and {first.parent.name, second.parent.name} == {"train", "val"}
    assert (tmp_path / "out/images/test/3.jpg").exists() and open_data(tmp_path / "out").missing == 1


def test_challenge_form(source, tmp_path):
    convert(source, tmp_path / "out", "challenge")
    assert json.loads((tmp_path / "out/train/1.json").read_text()) == [
        {"Mass": [1, 2, 11, 12, 1]},
        {"Atelectasis": [0.125, 0, 40, 20, 1]},
    ]


def test_predictions_of_the_challenge_are_read_as_boxes(tmp_path):
    (tmp_path / "5.json").write_text(json.dumps([{"nodule": [1, 2, 3, 4.25, 0.5]}]))
    (tmp_path / "6.json").touch()
    (first, second) = open_data(tmp_path).test
    assert first.file_name == "5.png" and first.findings == ("Nodule",) and first.boxes.tolist() == [[1, 2, 3, 4.25]]
    assert not second.diseased


def test_one_file(source, tmp_path):
    convert(source / "train.json", tmp_path / "train-coco.json", "coco")
    convert(tmp_path / "train-coco.json", tmp_path / "back.json", "chestx-det10")
    assert (tmp_path / "back.json").read_bytes() == (source / "train.json").read_bytes()
    with pytest.raises(ChestlibError, match="one file holds one part"):
        convert(source, tmp_path / "all.json", "coco")
    with pytest.raises(ChestlibError, match="one file holds one part"):
        convert(source / "train.json", tmp_path / "x.json", "yolo")


def test_other_peoples_yolo(tmp_path):
    """Another order of names, a list of them, no listing, and a path written for another folder."""
    for part in ("train", "val"):
        (tmp_path / "labels" / part).mkdir(parents=True)
        (tmp_path / "images" / part).mkdir(parents=True)
        Image.new("L", (40, 20)).save(tmp_path / "images" / part / f"{part}.jpg")
        (tmp_path / "labels" / part / f"{part}.txt").write_text("1 0.5 0.5 0.5 0.5\n\n")
    (tmp_path / "data.yaml").write_text("train: ../images/train\nval: ../images/val\nnames: [mass, NODULE]\n")
    data = open_data(tmp_path)
    assert data.missing == 0 and data.test[0].findings == ("Nodule",)
    assert data.train[0].boxes.tolist() == [[10, 5, 30, 15]] and data.train[0].file_name == "train.jpg"
    (tmp_path / "images/train/train.jpg").unlink()
    with pytest.raises(ChestlibError, match="the image is missing, so its boxes have no size"):
        open_data(tmp_path)
    (tmp_path / "labels/train/train.txt").write_text("7 0.5 0.5 x 0.5")
    with pytest.raises(ChestlibError, match="line 1 is not class, x, y, width, height"):
        open_data(tmp_path)


def test_findings_outside_the_ten_are_kept_or_dropped_when_told(tmp_path):
    write_annotations(
        [Record("1.png", [[1, 2, 3, 4], [5, 6, 7, 8]], [8, 11])], tmp_path / "train.json", [*FINDINGS, "Tube"]
    )
    with pytest.raises(ChestlibError, match="unknown finding 'Tube'"):
        convert(tmp_path, tmp_path / "a", "coco")
    assert not (tmp_path / "a").exists()
    assert "1 boxes dropped: Tube" in str(convert(tmp_path / "train.json", tmp_path / "dropped", "coco", others="drop"))
    for to in FORMATS:
        convert(tmp_path / "train.json", tmp_path / to, to, others="keep")
        convert(tmp_path / to, tmp_path / f"{to}-back", "chestx-det10", others="keep")
        assert (tmp_path / f"{to}-back/train.json").read_bytes() == (tmp_path / "train.json").read_bytes()


def yolo(folder: Path, text: str = "train: images", *lines: str, images: tuple[str, ...] = ("images/1.png",)) -> Path:
    """Images of 100 x 200, the first with these lines."""
    names = "" if "names" in text else "\nnames: [Mass, Nodule]\n"
    folder.mkdir(exist_ok=True)
    (folder / "data.yaml").write_text(text + names)
    for name in images:
        label = folder / name.replace("images", "labels").replace(".png", ".txt")
        for path in (folder / name, label):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (100, 200)).save(folder / name)
        label.write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize(
    ("line", "box", "note"),
    [
        ("1 0.5 0.5 0.2 0.1", [40, 90, 60, 110], None),
        ("1.0\t5e-1 +.5  2.0E-1 0.1  ", [40, 90, 60, 110], None),
        ("1 0.5 0.5 0.2 0.1 # mine", [40, 90, 60, 110], None),
        ("1 0.5 0.5 0.2 0.1 0.87", [40, 90, 60, 110], "1 label lines end with a confidence, left out"),
        ("1 0.1 0.1 0.3 0.1 0.3 0.4", [10, 20, 30, 80], "1 polygons read as their bounding boxes"),
        ("1 0.1 0.1 0.3 0.1 0.3 0.4 0.1 0.4", [10, 20, 30, 80], "1 polygons read as their bounding boxes"),
        ("1 0,5 0,5 0,2 0,1", None, r"line 1 is not .*; write decimals with a point: '1 0,5"),
        ("1 0.5 0.5 0.2", None, "line 1 is not class, x, y, width, height: "),
        ("1 0.5 0.5 nan 0.1", None, "line 1 is not class"),
        ("1 0.5 0.5 inf 0.1", None, "line 1 is not class"),
        ("1.5 0.5 0.5 0.2 0.1", None, "line 1 is not class"),
    ],
)
def test_label_lines_as_other_programs_write_them(tmp_path, line, box, note):
    folder = yolo(tmp_path, "train: images", line)
    if box is None:
        with pytest.raises(ChestlibError, match=rf"1\.txt: record 0: 1\.png: {note}"):
            open_data(folder)
        return
    data = scan(folder, Reading())
    assert data.train[0].boxes.tolist() == [box] and data.train[0].findings == ("Nodule",)
    assert len(data.notes) == bool(note) and (not note or note in data.notes[0])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_yolo_text_of_other_systems(tmp_path, encoding):
    folder = yolo(tmp_path, "train: images", images=("images/Müller.png",))
    (folder / "data.yaml").write_bytes("# für YOLO\r\ntrain: images\r\nnames: [Mass]\r\n".encode(encoding))
    (folder / "labels/Müller.txt").write_bytes("0 0.5 0.5 0.2 0.1\r\n\r\n".encode(encoding))
    assert open_data(folder).records[0].boxes.tolist() == [[40, 90, 60, 110]]


@pytest.mark.parametrize(
    "names", ["[Mass, Nodule]", "{0: Mass, 1: Nodule}", "{'0': Mass, '1': Nodule}", "\n- Mass\n- Nodule"]
)
def test_classes_in_every_form(tmp_path, names):
    folder = yolo(tmp_path, f"train: images\nnames: {names}\n", "1 0.5 0.5 0.2 0.1")
    assert open_data(folder).records[0].findings == ("Nodule",)


@pytest.mark.parametrize(
    "text",
    [
        "train: ./a/images",
        "train: ../a/images",
        "train: a\\images",
        "train: ..\\a\\images\\",
        "train: C:\\Users\\me\\scans\\a\\images",
        "train: D:/scans/a/images",
        "train: D:/Scans/A/Images",
        "train: //server/share/a/images",
        "path: C:\\Users\\me\\scans\ntrain: a\\images",
        "path: /kaggle/working/scans\ntrain: a/images",
        "path: ../datasets/scans\ntrain: a/images",
        "train: /content/scans-3/a/images",
        "train: [a/images]",
        "train:\n- ../a/images\n",
        "train: a/list.txt",
        "train: /content/scans/a/list.txt",
    ],
)
def test_yolo_paths_of_other_machines(tmp_path, text):
    folder = yolo(tmp_path / "my [*] data", text, "0 0.5 0.5 0.2 0.1", images=("a/images/1.png", "a/images/2.png"))
    (folder / "a/list.txt").write_text("./images/1.png\r\nC:\\scans\\a\\images\\2.png\r\n")
    data = scan(folder, Reading())
    assert [(r.file_name, r.path, len(r.boxes)) for r in data.train] == [
        (name, folder / "a/images" / name, 1) for name in ("1.png", "2.png")
    ]


def test_a_part_of_several_folders_with_equal_names(tmp_path):
    images = ("fold1/images/1.png", "fold2/images/1.png", "fold3/images/1.png")
    data = open_data(yolo(tmp_path, "train: [fold1/images, fold2/images]\nval: fold3/images", images=images))
    assert [(r.file_name, r.path) for r in data.records] == [
        ("fold1/images/1.png", tmp_path / "fold1/images/1.png"),
        ("fold2/images/1.png", tmp_path / "fold2/images/1.png"),
        ("1.png", tmp_path / "fold3/images/1.png"),
    ]


def test_the_validation_part_of_yolo_is_drawn_of_train_by_patient_and_comes_back(tmp_path):
    train = [Record(f"{i}.png", [[1, 2, 3, 4]] * (i % 2), [8] * (i % 2), f"p{i // 4}") for i in range(40)]
    test = [Record(f"t{i}.png", patient="p0") for i in range(4)]
    report = convert(write(tmp_path / "source", train, test), tmp_path / "out", "yolo")
    document = yaml.safe_load((tmp_path / "out/data.yaml").read_text())
    assert [document[part] for part in ("train", "val", "test")] == ["images/train", "images/val", "images/test"]
    drawn = {path.stem for path in (tmp_path / "out/labels/val").iterdir()}
    of = {part: {r.patient for r in train if (Path(r.file_name).stem in drawn) == (part == "val")} for part in document}
    assert 0 < len(drawn) <= 8 and not of["val"] & of["train"]
    assert {path.stem for path in (tmp_path / "out/labels/test").iterdir()} == {f"t{i}" for i in range(4)}
    assert f"{len(drawn)} of 40 train images drawn by patient as validation part" in str(report)
    assert "1 patients are in train or validation and in test" in report.notes
    back = open_data(tmp_path / "out")
    assert same(back.train, train) and same(back.test, test)
    assert back.notes[0] == f"{len(drawn)} images of the validation part joined to train; splits draw their own"


@pytest.mark.parametrize("name", ["images/{}.png", "x/images/y/{}.png", "images/images/{}.png"])
def test_labels_lie_where_trainers_look_for_them(tmp_path, name):
    folder = tmp_path / "source"
    names = [name.format(i) for i in range(3)]
    write(folder, [Record(n, [[1, 2, 3, 4]], [8]) for n in names], [])
    for n in names:
        (folder / "train_data" / n).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (100, 200)).save(folder / "train_data" / n)
    convert(folder, tmp_path / "out", "yolo")
    pictures = sorted((tmp_path / "out").rglob("*.png"))
    assert len(pictures) == 3
    for path in pictures:
        head, _, tail = path.as_posix().rpartition("/images/")
        assert Path(head, "labels", tail).with_suffix(".txt").read_text().startswith("7 ")
    back = scan(tmp_path / "out", Reading())
    assert (
        [r.file_name for r in back.train] == names and not back.missing and sum(len(r.boxes) for r in back.train) == 3
    )


def test_labels_that_0_1_0_wrote_elsewhere_are_still_read(tmp_path):
    yolo(tmp_path, "train: images/train", images=("images/train/images/1.png",))
    (tmp_path / "labels/train/images").mkdir(parents=True, exist_ok=True)
    (tmp_path / "labels/train/images/1.txt").write_text("0 0.5 0.5 0.2 0.1")
    shutil.rmtree(tmp_path / "labels/train/labels", ignore_errors=True)
    assert open_data(tmp_path).records[0].boxes.tolist() == [[40, 90, 60, 110]]


@pytest.mark.parametrize(
    ("image", "item", "category", "box"),
    [
        ({}, {}, {}, [1, 2, 4, 6]),
        ({"id": "7"}, {}, {}, [1, 2, 4, 6]),
        ({"id": 7.0}, {"image_id": "7"}, {}, [1, 2, 4, 6]),
        ({"id": "a7"}, {"image_id": "a7"}, {}, [1, 2, 4, 6]),
        ({}, {"category_id": 3.0}, {"id": "3"}, [1, 2, 4, 6]),
        ({}, {"bbox": ["1", "2.0", " 3e0 ", 4]}, {}, [1, 2, 4, 6]),
        ({"width": 100.0, "height": "200"}, {}, {}, [1, 2, 4, 6]),
        ({"width": None, "height": 0}, {}, {}, [1, 2, 4, 6]),
        ({}, {"image_id": True}, {}, "annotation 0: expected image_id"),
        ({"id": "007"}, {}, {}, "annotation 0: no image has the id 7"),
        ({}, {"bbox": ["1,5", 2, 3, 4]}, {}, "is not four numbers x1, y1, x2, y2; write decimals with a point"),
        ({}, {"bbox": [True, 2, 3, 4]}, {}, "is not four numbers"),
        ({}, {"bbox": [float("nan"), 2, 3, 4]}, {}, "is not finite"),
        ({}, {"bbox": [float("inf"), 2, 3, 4]}, {}, "is not finite"),
        ({"width": 100, "height": 200}, {"bbox": [100, 2, 0.004, 4]}, {}, "lies outside the image"),
    ],
)
def test_numbers_of_coco_in_every_form(tmp_path, image, item, category, box):
    document = {
        "images": [{"id": 7, "file_name": "1.png", **image}],
        "annotations": [{"image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4], **item}],
        "categories": [{"id": 3, "name": "Mass", **category}],
    }
    (tmp_path / "all.json").write_text(json.dumps(document))
    if isinstance(box, str):
        with pytest.raises(ChestlibError, match=rf"all\.json: .*{box}"):
            open_data(tmp_path)
    else:
        (record,) = open_data(tmp_path).records
        assert record.boxes.tolist() == [box] and record.size in (None, (100, 200))


def test_crowds_are_boxes_and_told(tmp_path):
    item = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
    document = {
        "images": [{"id": 1, "file_name": "1.png"}],
        "annotations": [
            item,
            {**item, "bbox": [5, 6, 3, 4], "iscrowd": 1},
            {**item, "bbox": [7, 6, 3, 4], "iscrowd": 0},
        ],
        "categories": [{"id": 1, "name": "Mass"}],
    }
    (tmp_path / "all.json").write_text(json.dumps(document))
    data = open_data(tmp_path)
    assert len(data.records[0].boxes) == 3 and "1 boxes marked iscrowd read as boxes" in data.notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nc: 2\ntrain: images", "names the number of classes and not the classes; add names"),
        ("names: {No: a, 1: b}\ntrain: images", "names: expected a list"),
        ("train: /\nnames: [", "not readable as YAML"),
        ("names: [", "not readable as YAML"),
        ("names: 3\ntrain: images", "names: expected a list"),
        ("names: [mass]\ntrain: nowhere", "train: 'nowhere' is not a folder"),
        ("names: [mass]\ntrain: [a, b]", "is not a folder of images"),
        ("names: [mass]\ntrain: [[a]]", "a list is not a folder of images"),
    ],
)
def test_bad_yolo(tmp_path, text, message):
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(ChestlibError, match=rf"data\.yaml: .*{message}"):
        open_data(tmp_path)


@pytest.mark.parametrize("to", ["yolo", "challenge"])
def test_two_images_of_one_stem_are_told(tmp_path, to):
    write_annotations([Record("1.png"), Record("1.jpg")], tmp_path / "train.json")
    with pytest.raises(ChestlibError, match="two images would share this file"):
        convert(tmp_path, tmp_path / "out", to)


def test_whole_or_not_there(source, tmp_path, monkeypatch):
    with pytest.raises(ChestlibError, match="is there already"):
        convert(source, source, "coco")
    with pytest.raises(ChestlibError, match="not a format"):
        convert(source, tmp_path / "out", "voc")
    (source / "train_data/1.png").write_bytes(b"broken")
    with pytest.raises(ChestlibError, match=r"1\.png"):
        convert(source, tmp_path / "out", "yolo")
    assert [p.name for p in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize("to", FORMATS)
def test_real_annotations_there_and_back(real, tmp_path, to):
    convert(real / "test.json", tmp_path / to, to)
    convert(tmp_path / to, tmp_path / "back", "chestx-det10")
    assert same(open_data(tmp_path / "back").test, open_data(real).test)
