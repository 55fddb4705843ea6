"""Tables of rows image, finding, box: whoever wrote them, they are the same films."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chestlib.data import check, convert, open_data
from chestlib.errors import ChestlibError

NIH_BOXES = "Image Index,Finding Label,Bbox [x,y,w,h],,,\n"
NIH_LABELS = "Image Index,Finding Labels,Patient ID\n"


def film(path: Path, size: tuple[int, int] = (40, 60)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = zlib.crc32(path.name.encode())
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, size[::-1], np.uint8)).save(path)


def table(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return folder


TABLES = {
    "VinBigData": "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max\n"
    "a,Mass,8,R9,2,4,12,24\na,Nodule,9,R9,0.0,0,6,8\nb,No finding,14,R8,,,,\n",
    "boxes of nothing": "image_id,class_name,x_min,y_min,x_max,y_max\n"
    "a,mass,2,4,12,24\nb,No finding,0,0,1,1\na,NODULE,0,0,6,8\n",
    "TensorFlow": "filename,width,height,class,xmin,ymin,xmax,ymax\n"
    "a.png,80,60,Mass,4,4,24,24\na.png,80,60,Nodule,0,0,12,8\nb.png,80,60,normal,,,,\n",
    "corner and sides": "path;finding;x;y;w;h\n"
    "C:\\x\\a.png;Mass;2;4;10;20\nC:\\x\\a.png;Nodule;0;0;6;8\nC:\\x\\b.png;no_finding;;;;\n",
    "tabs": "File_Name\tLabel\tLeft\tTop\tRight\tBottom\n"
    " a.png\tMass\t2\t4\t12\t24\na.png\tNodule\t0\t0\t6\t8\nb.png\tNormal\t\t\t\t\n",
    "image's own columns": "dicom_id,category_name,x,y,w,h,image_width,image_height\n"
    "a,Mass,20,40,100,200,400,600\na,Nodule,0,0,60,80,400,600\nb,No Finding,,,,,400,600\n",
}  # fmt: skip


@pytest.mark.parametrize("name", ["boxes.csv", "boxes.csv.gz"])
@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES)
def test_one_reader_for_all(tmp_path: Path, text: str, name: str) -> None:
    for stem in "ab":
        film(tmp_path / f"pictures/{stem}.png")
    data = open_data(table(tmp_path, name, text), draw=False, findings=["Mass", "Nodule"])
    (a, b), boxes = data.train, [[2, 4, 12, 24], [0, 0, 6, 8]]
    assert [a.file_name, b.file_name] == ["a.png", "b.png"] and data.layout == "tables" and not data.missing
    assert sorted(a.boxes.tolist()) == sorted(boxes) and sorted(a.findings) == ["Mass", "Nodule"]
    assert b.normal and not b.diseased and len(b.boxes) == 0 and data.notes == ()
    assert check(tmp_path, findings=["Mass", "Nodule"]).ok
    convert(tmp_path, tmp_path / "out", "coco", findings=["Mass", "Nodule"])
    assert sorted(open_data(tmp_path / "out", draw=False).train[0].boxes.tolist()) == sorted(boxes)


def test_several_readers_of_one_film_are_kept_and_told(tmp_path: Path) -> None:
    film(tmp_path / "train/a.png")
    rows = ["a,Mass,R1,2,4,12,24", "a,Mass,R2,2,4,12,25", "a,No finding,R3,,,,"]
    text = "\n".join(["image_id,class_name,rad_id,x_min,y_min,x_max,y_max", *rows])
    data = open_data(table(tmp_path, "train.csv", text), draw=False, findings=["Mass"])
    assert len(data.train[0].boxes) == 2 and data.train[0].diseased
    assert "1 images are boxed by several readers: every box is kept" in data.notes


def test_a_table_is_the_part_that_its_name_says(tmp_path: Path) -> None:
    for part in ("train", "test"):
        film(tmp_path / f"{part}/{part}1.png")
        rows = f"image_id,class_name,x_min,y_min,x_max,y_max\n{part}1,Mass,2,4,12,24\n"
        table(tmp_path / "annotations", f"annotations_{part}.csv", rows)
    table(tmp_path / "annotations", "image_labels_test.csv", "image_id,Mass,Nodule\ntest1,1,0\n")
    data = open_data(tmp_path)
    assert [r.file_name for r in data.train] == ["train1.png"] and [r.file_name for r in data.test] == ["test1.png"]
    assert open_data(tmp_path / "annotations/annotations_train.csv").records[0].findings == ("Mass",)


@pytest.mark.parametrize("classes", [True, False])
def test_rsna_names_no_finding_and_its_target_is_not_normal(tmp_path: Path, classes: bool) -> None:
    for stem in "abc":
        film(tmp_path / f"stage_2_train_images/{stem}.png")
    text = "patientId,x,y,width,height,Target\na,2,4,10,20,1\nb,,,,,0\nc,,,,,0\n"
    table(tmp_path, "stage_2_train_labels.csv", text)
    if classes:
        words = "a,Lung Opacity\nb,No Lung Opacity / Not Normal\nc,Normal\n"
        table(tmp_path, "stage_2_detailed_class_info.csv", f"patientId,class\n{words}")
    with pytest.raises(ChestlibError, match=r"labels\.csv: record 0: a: unknown finding 'Lung Opacity'"):
        open_data(tmp_path)
    a, b, c = open_data(tmp_path, mapping={"lung opacity": "Consolidation"}, draw=False).train
    assert a.findings == ("Consolidation",) and a.boxes.tolist() == [[2, 4, 12, 24]]
    assert (b.diseased, b.normal, c.diseased, c.normal) == (classes, False, False, classes)
    assert a.annotated == b.annotated == {3}, "nobody looked for the other nine"
    assert c.annotated == (None if classes else {3})


@pytest.fixture
def nih(tmp_path: Path) -> Path:
    """Four films here of half NIH's size, one missing that has a box, one that is only in the catalogue."""
    names = ["00000001_000", "00000001_001", "00000002_000", "00000003_000"]
    for i, name in enumerate(names):
        film(tmp_path / f"images_00{1 + i % 2}/images/{name}.jpg", (512, 512))
    labels = ["Mass|Effusion", "No Finding", "Infiltration|Hernia", "Cardiomegaly|Mass", "Mass", "Mass"]
    films = [*names, "00000004_000", "00000005_000"]
    rows = [f"{name}.png,{said},{int(name[:8])}\n" for name, said in zip(films, labels, strict=True)]
    table(tmp_path, "Data_Entry_2017_v2020.csv.gz", NIH_LABELS + "".join(rows))
    boxes = ["00000001_000.png,Mass,100,200,300,400", "00000003_000.png,Cardiomegaly,10.5,20,30,40,,,"]
    table(tmp_path, "BBox_List_2017.csv", NIH_BOXES + "\n".join([*boxes, "00000004_000.png,Mass,1,2,3,4"]))
    return tmp_path


def test_nih_as_it_is_unpacked(nih: Path) -> None:
    with pytest.raises(ChestlibError, match="unknown finding 'Cardiomegaly'"):
        open_data(nih)
    data = open_data(nih, others="drop", draw=False)
    own = {record.file_name: record for record in data.records}
    one, two, three, four = (own[f"0000000{n}.png"] for n in ("1_000", "1_001", "2_000", "3_000"))
    assert data.layout == "nih" and "NIH Clinical Center" in data.source and data.missing == 1 and len(own) == 5
    assert one.boxes.tolist() == [[50, 100, 200, 300]] and one.patient == "00000001"
    assert one.annotated == {8}, "its Effusion has no box, and nobody boxed the rest"
    assert two.normal and two.annotated is None
    assert three.diseased and three.annotated == frozenset() and len(three.boxes) == 0
    assert four.diseased and four.annotated == frozenset() and len(four.boxes) == 0, "its box was dropped"
    assert "1 boxes dropped: Cardiomegaly is not one of the ten" in data.notes
    assert "1 images have labels alone and are not here: left out" in data.notes
    assert "  Cardiomegaly                 1       0" in repr(open_data(nih, others="keep", draw=False)).splitlines()
    kept = open_data(nih, others="keep", mapping={"cardiomegaly": "MASS", "Pneumonia": "Nodule"}, draw=False)
    assert {"1 boxes of cardiomegaly read as Mass", "no boxes of Pneumonia read as Nodule"} <= {*kept.notes}
    assert check(nih, others="drop").ok and not check(nih).ok


def test_nih_lists_give_the_parts(nih: Path) -> None:
    (nih / "train_val_list.txt").write_text("00000001_000.png\n00000001_001.png\r\n00000004_000.png\n")
    (nih / "test_list.txt").write_text("00000002_000.png\n00000003_000.png\n")
    data = open_data(nih, others="drop")
    assert [r.file_name[:8] for r in data.test] == ["00000003", "00000002"] and len(data.train) == 3


BOX = "image,finding,x1,y1,x2,y2\n"


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        (BOX + "a.png,Mass,2,4,12,24\n", {"frame": 20}, "leaves its frame of 20 x 20 pixels"),
        (BOX + "a.png,Mass,-2,4,12,24\n", {"frame": 40}, "leaves its frame of 40 x 40 pixels"),
        (BOX + "a.png,Mass,2,4,12,24\n", {"frame": 0}, "frame: 0 is not the side of an image"),
        (BOX + "a.png,Mass,2,4,,24\n", {}, "is not four numbers"),
        (BOX + "a.png,Mass,12,4,2,24\n", {}, "is swapped"),
        (BOX + "a.png,Wart,2,4,12,24\n", {}, "record 0: a.png: unknown finding 'Wart'"),
        (BOX + "a.png,Mass\n", {}, r"boxes\.csv: expected a CSV file with the columns"),
        (BOX + ",Mass,2,4,12,24\n", {}, "file_name '' is not the name of an image"),
        ("image,x1,y1,x2,y2\na.png,2,4,12,24\n", {}, r"boxes\.csv: no column names the finding"),
        (BOX.replace("y2", "y2,score") + "a.png,Mass,2,4,12,24,.5\n", {}, "no data set here"),
        ("picture,what,where\na.png,Mass,1\n", {}, "no data set here; expected .* CSV tables of boxes"),
        (BOX + "a.png,Mass,2,4,12,24\n", {"mapping": {"Wart": "Warts"}}, "map: 'Warts' is not among the findings"),
    ],
)
def test_a_table_that_cannot_be(tmp_path: Path, text: str, options: dict, says: str) -> None:
    film(tmp_path / "a.png")
    with pytest.raises(ChestlibError, match=says):
        open_data(table(tmp_path, "boxes.csv", text), **options)


def test_nih_says_how_large_a_film_was_before_it_was_resized(tmp_path: Path) -> None:
    said = ["2500,2048,0.168,0.2,", "2500,2048,0,0.2,", "2500,2048,nan,0.2,", "2500,2048,-1,0.2,", ",,,,"]
    header = (
        "Image Index,Finding Labels,Follow-up #,Patient ID,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],"
    )
    rows = [f"00000001_{i:03}.png,Mass,{i + 7},1,{lengths}" for i, lengths in enumerate(said)]
    for i in range(len(said)):
        film(tmp_path / f"images/00000001_{i:03}.png", (125, 128))
    table(tmp_path, "Data_Entry_2017.csv", "\n".join([header, *rows]))
    data = open_data(tmp_path, draw=False)
    assert [r.visit for r in data.records] == [7, 8, 9, 10, 11]
    known, *unknown = (r.extent for r in data.records)
    assert (known.width, known.height) == pytest.approx((420, 409.6)) and unknown == [None] * 4
    assert "3 images have a size or pixel spacing that is no length: taken as unknown" in data.notes


@pytest.mark.parametrize("name", ["Data_Entry_2017.csv.gz", "BBox_List_2017.csv.gz"])
def test_a_damaged_archive_is_named(nih: Path, name: str) -> None:
    whole = gzip.compress((NIH_BOXES + "00000001_000.png,Mass,100,200,300,400\n" * 9999).encode())
    for damaged in (whole[: len(whole) // 2], whole[:40] + b"\0" * 20 + whole[60:], whole[:4]):
        (nih / name).write_bytes(damaged)
        with pytest.raises(ChestlibError, match=f"{name}: not readable as gzip.*is the file whole"):
            open_data(nih, others="drop")


def test_the_films_of_nih(real: Path) -> None:
    """The figures of ../shared/real/README.md."""
    folder = real.parent / "nih"
    if not folder.is_dir():
        pytest.skip(f"no films at {folder}")
    data = open_data(folder, others="keep", mapping={"Infiltrate": "Consolidation", "Pneumonia": "Consolidation"})
    there = [record for record in data.records if record.path]
    boxed = [record for record in there if len(record.boxes)]
    assert (len(there), len(boxed), sum(len(record.boxes) for record in boxed)) == (1659, 621, 697)
    assert sum(record.normal for record in there) == 418 and all(r.normal or r.diseased for r in there)
    names = [record.names[label - 1] for record in boxed for label in record.labels]
    counts = {"Atelectasis": 135, "Effusion": 114, "Cardiomegaly": 104, "Consolidation": 153, "Pneumothorax": 72}
    assert {name: names.count(name) for name in counts} == counts
    assert all(record.boxes.max() <= 512 and record.size == (512, 512) for record in boxed)
    assert all(record.patient == record.file_name[:8] for record in there) and not data.shared_patients
