"""Predictions in every form that people have them, and what is said when they are broken."""

import json

import numpy as np
import pytest

from chestlib.data import Record
from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.findings import ID
from chestlib.metrics import read_predictions

NAMES = ["36199.png", "36302.png", "36331.png"]
TRUTH = [Record(name, size=(100, 200)) for name in NAMES]
FOUND = {
    "36199.png": Detections([[10, 20, 30, 60], [5.5, 6.5, 7.25, 9]], [8, 10], [0.9, 0.25]),
    "36302.png": Detections.empty(),
    "36331.png": Detections([[1, 2, 3, 4]], [1], [0.5]),
}


def coco(image_id, detections):
    """COCO results of one image."""
    for d in detections.to_list():
        x1, y1, x2, y2 = d["box"]
        box = {"bbox": [x1, y1, x2 - x1, y2 - y1], "score": d["score"]}
        yield {"image_id": image_id, "category_id": ID[d["finding"]], **box}


def challenge(detections):
    return [{d["finding"]: [*d["box"], d["score"]]} for d in detections.to_list()]


def write(folder, form):
    """FOUND in one of the forms; the path to give to `read_predictions`."""
    path = folder / "found.json"
    if form == "object":
        data = {name: challenge(d) for name, d in FOUND.items()}
    elif form == "own":
        data = [{"file": f"chest/{n}", "width": 9, "detections": d.to_list(), "error": None} for n, d in FOUND.items()]
    elif form == "own folder":
        path = write(folder, "own").rename(folder / "predictions.json").parent
        return path
    elif form == "coco, positions":
        data = [item for i, d in enumerate(FOUND.values(), start=1) for item in coco(i, d)]
    elif form == "coco, stems":
        data = [item for name, d in FOUND.items() for item in coco(int(name[:5]), d)]
    elif form == "challenge folder":
        for name, d in FOUND.items():
            text = json.dumps([{k.lower(): v for k, v in pair.items()} for pair in challenge(d)])
            (folder / name).with_suffix(".json").write_text(text if len(d) else "")
        return folder
    path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize("form", ["object", "own", "own folder", "coco, positions", "coco, stems", "challenge folder"])
def test_every_form_reads_the_same(tmp_path, form):
    read = read_predictions(write(tmp_path, form), TRUTH)
    assert list(read) == NAMES
    for name, expected in FOUND.items():
        for key in ("boxes", "labels", "scores"):
            np.testing.assert_array_equal(getattr(read[name], key), getattr(expected, key))


def test_an_image_without_an_entry_or_with_an_error_is_left_out(tmp_path):
    write(tmp_path, "challenge folder")
    (tmp_path / "36302.json").unlink()
    assert set(read_predictions(tmp_path, TRUTH)) == {"36199.png", "36331.png"}
    path = tmp_path / "predictions.json"
    path.write_text(json.dumps([{"file": NAMES[0], "detections": [], "error": "cannot be read"}]))
    assert read_predictions(path, TRUTH) == {}


def box(finding="Mass", x1=1, y1=2, x2=3, y2=4, score=0.5):
    return {finding: [x1, y1, x2, y2, score]}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"36199.png": [box("Tumour")]}, "36199.png: unknown finding 'Tumour'"),
        ({"36199.png": [box(score=float("nan"))]}, "36199.png: scores lie in [0, 1]; got nan"),
        ({"36199.png": [box(x2=0)]}, "36199.png: box [1.0, 2.0, 0.0, 4.0] is empty, swapped or not finite"),
        ({"36199.png": [box(y1=9)]}, "is empty, swapped or not finite"),
        ({"36199.png": [{"Mass": [1, 2, 3, 4]}]}, "36199.png: not a list of detections"),
        ({"36199.png": 3}, "36199.png: not a list of detections"),
        ({"1.png": [], "2.png": []}, "2 images that the truth lacks (1.png, 2.png)"),
        ([{"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 1}], "image_id (7, …) is neither"),
        ([{"image_id": 1, "category_id": 11, "bbox": [1, 2, 3, 4], "score": 1}], "36199.png: unknown category 11"),
        ([{"image_id": 1, "category_id": 1, "bbox": [1, 2, -1, 4], "score": 1}], "is empty, swapped or not finite"),
        ([{"image_id": 1, "category_id": 1, "score": 1}], "36199.png: a detection has no 'bbox'; expected"),
        ([{"file": "36199.png", "detections": [{"finding": "Mass"}]}], "36199.png: a detection has no"),
        ([{"file": "36199.png", "detections": []}] * 2, "36199.png is listed twice"),
        ([[1, 2]], "not a form of predictions known here"),
        (3, "not a form of predictions known here"),
    ],
)
def test_bad_predictions_are_one_clear_line(tmp_path, data, says):
    path = tmp_path / "found.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ChestlibError) as error:
        read_predictions(path, TRUTH)
    assert str(error.value).startswith(str(path)) and says in str(error.value) and "\n" not in str(error.value)


def test_image_ids_that_fit_two_readings_are_refused(tmp_path):
    path = tmp_path / "found.json"
    path.write_text(json.dumps([{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 1}]))
    assert len(read_predictions(path, [Record("1.png"), Record("2.png")])["1.png"]) == 1
    with pytest.raises(ChestlibError, match=r"image_id 1 is 1.png by name and 0.png by the place"):
        read_predictions(path, [Record("0.png"), Record("1.png")])


def test_a_folder_without_files_and_a_missing_file_are_told(tmp_path):
    for path in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(ChestlibError, match=str(path)):
            read_predictions(path, TRUTH)


def results(entries, **more):
    """COCO results of (image id, category id), the second box of Effusion's place."""
    return [{"image_id": i, "category_id": c, "bbox": [2, 3, 10, 20], "score": 0.9, **more} for i, c in entries]


OWN = [Record(f"{part}/x{i}.png", [[2, 3, 12, 23]], [i], id=900 - i) for i, part in enumerate("cab", start=1)]
CATEGORIES = {5: "Atelectasis", 7: "Consolidation", 9: "Calcification"}


@pytest.mark.parametrize(
    ("entries", "categories", "tells"),
    [
        ([(899, 5), (898, 9), (897, 7)], CATEGORIES, "annotation file's own: 5 is Atelectasis"),
        ([("899", "5"), (898.0, 9.0), ("897", 7)], CATEGORIES, "annotation file's own: 5 is Atelectasis"),
        ([("c/x1.png", 50), ("x2", 90), ("/data/b/x3.png", 70)], {10 * i: n for i, n in CATEGORIES.items()}, ""),
        ([("c\\x1.png", 1), ("x2.png", 2), ("b/x3", 3)], {}, "counted from 1: 1 is Atelectasis, 10 is Pneumothorax"),
        ([(899, 0), (898, 2), (897, 1)], CATEGORIES, "counted from 0: 0 is Atelectasis"),
    ],
)
def test_ids_of_others_are_those_of_the_truth(tmp_path, entries, categories, tells):
    path = tmp_path / "r.json"
    path.write_text(json.dumps(results(entries)))
    found = read_predictions(path, OWN, categories)
    assert {name: d.labels.tolist() for name, d in found.items()} == {r.file_name: [r.labels[0]] for r in OWN}
    assert tells in "".join(found.notes) and bool(tells) == bool(found.notes)


def test_places_in_the_truth_may_be_counted_from_0_where_there_is_a_0(tmp_path):
    path = tmp_path / "r.json"
    path.write_text(json.dumps(results([(0, 1), (2, 3)])))
    found = read_predictions(path, [Record(f"{name}.png") for name in "zyx"])
    assert [len(found[f"{name}.png"]) for name in "zyx"] == [1, 0, 1]
    assert "image_id is read as the place in the truth, counted from 0" in found.notes


def in_form(folder, form):
    """One box of Calcification on c/x1.png and two boxes on a/x2.png, as another tool writes them."""
    boxes = {"x1": [[2.0, 3.0, 12.0, 23.0]], "x2": [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 70.0, 80.0]]}
    labels, names = {"x1": [2], "x2": [2, 1]}, ["Atelectasis", "Calcification"]
    scores, path = {"x1": [0.5], "x2": [0.75, 0.25]}, folder / "found.json"
    lists = {s: {"labels": labels[s], "scores": scores[s]} for s in boxes}
    if form == "torchvision, object":
        path.write_text(json.dumps({s: {"boxes": boxes[s], **lists[s]} for s in boxes}))
    elif form == "torchvision, list":
        path.write_text(json.dumps([{"image_id": s, "boxes": boxes[s], **lists[s]} for s in boxes]))
    elif form == "torchvision, lines":
        path = path.with_suffix(".jsonl")
        path.write_text("".join(json.dumps({"file": s, "boxes": boxes[s], **lists[s]}) + "\n" for s in boxes))
    elif form == "mmdetection":
        (folder / "preds").mkdir()
        for s in boxes:
            own = {"bboxes": boxes[s], "labels": [i - 1 for i in labels[s]], "scores": scores[s]}
            (folder / f"preds/{s}.json").write_text(json.dumps(own))
        return folder
    elif form == "ultralytics, json":
        for s in boxes:
            rows = zip(boxes[s], labels[s], scores[s], strict=True)
            own = [
                {
                    "name": names[i - 1],
                    "class": i - 1,
                    "confidence": c,
                    "box": dict(zip(("x1", "y1", "x2", "y2"), b, strict=True)),
                }
                for b, i, c in rows
            ]
            (folder / f"{s}.json").write_text(json.dumps(own))
        return folder
    elif form == "ultralytics, txt":
        (folder / "labels").mkdir()
        for s in boxes:
            rows = zip(boxes[s], labels[s], scores[s], strict=True)
            lines = [
                f"{i - 1} {(x1 + x2) / 200} {(y1 + y2) / 400} {(x2 - x1) / 100} {(y2 - y1) / 200} {c}\r\n"
                for (x1, y1, x2, y2), i, c in rows
            ]
            (folder / f"labels/{s}.txt").write_text("".join(lines))
        return folder
    elif form == "a COCO document":
        images = [{"id": i, "file_name": s} for i, s in enumerate(boxes)]
        own = [
            {"image_id": i, "category_id": c, "bbox": [b[0], b[1], b[2] - b[0], b[3] - b[1]], "score": p}
            for i, s in enumerate(boxes)
            for b, c, p in zip(boxes[s], labels[s], scores[s], strict=True)
        ]
        cats = [{"id": i, "name": name} for i, name in enumerate(names, start=1)]
        path.write_text(json.dumps({"images": images, "annotations": own, "categories": cats}))
    return path


@pytest.mark.parametrize(
    "form",
    ["torchvision, object", "torchvision, list", "torchvision, lines", "mmdetection", "ultralytics, json",
     "ultralytics, txt", "a COCO document"],
)  # fmt: skip
def test_results_of_other_tools_are_recognised(tmp_path, form):
    truth = [Record("c/x1.png", size=(100, 200)), Record("a/x2.png", size=(100, 200))]
    found = read_predictions(in_form(tmp_path, form), truth)
    assert list(found) == ["c/x1.png", "a/x2.png"]
    assert [d.labels.tolist() for d in found.values()] == [[2], [2, 1]]
    assert [d.scores.tolist() for d in found.values()] == [[0.5], [0.75, 0.25]]
    np.testing.assert_allclose(found["c/x1.png"].boxes, [[2, 3, 12, 23]], atol=1e-4)
    np.testing.assert_allclose(found["a/x2.png"].boxes[1], [5, 6, 70, 80], atol=1e-4)


def test_a_flat_box_and_a_score_beside_1_are_counted_not_refused(tmp_path):
    path = tmp_path / "r.json"
    odd = [{**item, "bbox": box, "score": score} for item, box, score in zip(
        results([(899, 5)] * 4), ([2, 3, 10, 20], [2, 3, 0, 20], [2, 3, 10, 0], [9, 9, 1, 1]),
        (1.0000001, 0.5, 0.5, -1e-6), strict=True,
    )]  # fmt: skip
    path.write_text(json.dumps(odd))
    found = read_predictions(path, OWN, CATEGORIES)
    assert found["c/x1.png"].scores.tolist() == [1, 0]
    assert found.notes[1:] == ["boxes without area, left out: 2", "scores just outside [0, 1], taken to its end: 2"]


@pytest.mark.parametrize("name", ["r.pkl", "r.pt"])
def test_a_pickle_is_not_opened(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ChestlibError, match="write the results as JSON"):
        read_predictions(tmp_path / name, OWN)


def test_labels_without_confidence_say_how_to_get_it(tmp_path):
    (tmp_path / "x1.txt").write_text("1 0.5 0.5 0.1 0.1\n")
    with pytest.raises(ChestlibError, match=r"x1.txt: line 1 has no confidence; predict again with save_conf=True"):
        read_predictions(tmp_path, OWN)


def told(tmp_path, data, truth, categories=None):
    path = tmp_path / "r.json"
    path.write_text(json.dumps(data))
    found = read_predictions(path, truth, categories)
    return {name: len(d) for name, d in found.items()}, " ".join(found.notes)


NUMBERED = [Record(f"{4 - i}.png", id=i) for i in (1, 2, 3)]
"""Whose ids are the numbers of others."""


def test_ids_that_could_be_numbers_of_files_are_told_and_a_name_beside_them_counts(tmp_path):
    counts, notes = told(tmp_path, results([(1, 1)]), NUMBERED, {1: "Mass"})
    assert counts["3.png"] == 1 and "image_id 1 is 3.png by the id in the annotation file and 1.png by name" in notes
    counts, _ = told(tmp_path, results([(1, 1)], file_name="1.png"), NUMBERED, {1: "Mass"})
    assert counts["1.png"] == 1 and counts["3.png"] == 0


def test_torchvision_s_object_by_image_id_is_read_and_refused_where_it_could_be_names(tmp_path):
    output = {"boxes": [[1, 2, 3, 4]], "labels": [5], "scores": [0.5]}
    assert told(tmp_path, {"899": output}, OWN, CATEGORIES)[0] == {"c/x1.png": 1}
    with pytest.raises(ChestlibError, match=r"image_id 1 is 3.png by the id in the annotation file and 1.png by name"):
        told(tmp_path, {"1": output}, NUMBERED, {5: "Mass"})


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (results([([1], 5)]), "image_id [1] is neither a number nor a name"),
        (results([("train/x1.png", 5), ("test/x1.png", 5)]), "test/x1.png and train/x1.png are one image here"),
        ({"x1.png": {"boxes": [[1, 2, 3, 4]], "labels": 5, "scores": [0.5]}}, "labels: expected a list"),
        ({"x1.png": {"boxes": [[1, 2, 3, 4]], "labels": [5], "scores": []}}, "1 boxes, 1 labels and 0 scores"),
        (
            {"x1.png": {"boxes": [[1, 2, 3]], "labels": [5], "scores": [1]}},
            "c/x1.png: not a list of detections; expected",
        ),
        ({"x1.png": [{"Mass": [1e39, 2, 3, 4, 0.5]}]}, "is empty, swapped or not finite"),
        ({"x1.png": [{"Mass": [-1e30, 2, 1e30, 4, 0.5]}]}, "c/x1.png: box [-1.0000000150474662e+30, 2.0, 1.00000001"),
    ],
)
def test_results_that_mean_nothing_or_two_things_are_refused(tmp_path, data, says):
    with pytest.raises(ChestlibError) as error:
        told(tmp_path, data, OWN, CATEGORIES)
    assert says in str(error.value) and "r.json" in str(error.value)


def test_ids_of_two_files_that_are_the_same_mean_none(tmp_path):
    truth = [Record("a.png", id=1), Record("b.png", id=1), Record("c.png", id=2)]
    with pytest.raises(ChestlibError, match="neither an id in the annotation file"):
        told(tmp_path, results([(1, 1)]), truth, {1: "Mass"})
    assert told(tmp_path, results([(2, 1)]), truth, {1: "Mass"})[0]["c.png"] == 1


def test_images_in_other_folders_than_those_that_were_said_are_told(tmp_path):
    truth = [Record("a.png", path=tmp_path / "test" / "a.png")]
    _, notes = told(tmp_path, [{"file": "train/a.png", "detections": []}], truth)
    assert f"1 images are taken by their names alone, from other folders (as train/a.png for {tmp_path}" in notes
    assert told(tmp_path, [{"file": "/x/test/a.png", "detections": []}], truth)[1] == ""


def test_classes_by_number_are_told_and_a_list_of_classes_is_passed_over(tmp_path):
    (tmp_path / "x1.txt").write_text("\ufeff1 0.5 0.5 0.1 0.1 0.75 17\n", encoding="utf-8")  # a tracker's number
    (tmp_path / "classes.txt").write_text("Mass")
    found = read_predictions(tmp_path, [Record("x1.png", size=(100, 100))], {7: "Nodule", 8: "Mass"})
    assert found["x1.png"].labels.tolist() == [8] and "0 is Nodule" in found.notes[0]


def test_a_folder_that_holds_one_file_of_results_is_that_file(tmp_path):
    (tmp_path / "best.bbox.json").write_text(json.dumps(results([(899, 5)])))
    assert len(read_predictions(tmp_path, OWN, CATEGORIES)["c/x1.png"]) == 1
