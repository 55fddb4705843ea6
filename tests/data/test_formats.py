"""There and back between all formats is the identity, to a thousandth of a pixel."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from chestlib.data import Record, open_data, write_annotations
from chestlib.data.annotations import Reading
from chestlib.data.convert import FORMATS, convert
from chestlib.data.folder import scan
from chestlib.detections import Detections
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
    found = Detections([[1, 2, 3, 4.25]], [9], [0.5]).to_challenge()
    (tmp_path / "5.json").write_text(json.dumps([{"nodule": next(iter(found[0].values()))}]))
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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("names: [", "not readable as YAML"),
        ("names: 3\ntrain: images", "names: expected a list"),
        ("names: [mass]\ntrain: nowhere", "train: 'nowhere' is not a folder"),
        ("names: [mass]\ntrain: [a, b]", "is not a folder of images"),
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
