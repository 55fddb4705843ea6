"""Predictions in every form that people have them, and what is said when they are broken."""

import json

import numpy as np
import pytest

from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.findings import ID
from chestlib.metrics import read_predictions

NAMES = ["36199.png", "36302.png", "36331.png"]
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


def write(folder, form):
    """FOUND in one of the forms; the path to give to `read_predictions`."""
    path = folder / "found.json"
    if form == "object":
        data = {name: d.to_challenge() for name, d in FOUND.items()}
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
            text = json.dumps([{k.lower(): v for k, v in pair.items()} for pair in d.to_challenge()])
            (folder / name).with_suffix(".json").write_text(text if len(d) else "")
        return folder
    path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize("form", ["object", "own", "own folder", "coco, positions", "coco, stems", "challenge folder"])
def test_every_form_reads_the_same(tmp_path, form):
    read = read_predictions(write(tmp_path, form), NAMES)
    assert list(read) == NAMES
    for name, expected in FOUND.items():
        for key in ("boxes", "labels", "scores"):
            np.testing.assert_array_equal(getattr(read[name], key), getattr(expected, key))


def test_an_image_without_an_entry_or_with_an_error_is_left_out(tmp_path):
    write(tmp_path, "challenge folder")
    (tmp_path / "36302.json").unlink()
    assert set(read_predictions(tmp_path, NAMES)) == {"36199.png", "36331.png"}
    path = tmp_path / "predictions.json"
    path.write_text(json.dumps([{"file": NAMES[0], "detections": [], "error": "cannot be read"}]))
    assert read_predictions(path, NAMES) == {}


def box(finding="Mass", x1=1, y1=2, x2=3, y2=4, score=0.5):
    return {finding: [x1, y1, x2, y2, score]}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"36199.png": [box("Tumour")]}, "36199.png: unknown finding 'Tumour'"),
        ({"36199.png": [box(score=float("nan"))]}, "36199.png: scores lie in [0, 1]; got nan"),
        ({"36199.png": [box(x2=1)]}, "36199.png: box [1.0, 2.0, 1.0, 4.0] is empty, swapped or not finite"),
        ({"36199.png": [box(y1=9)]}, "is empty, swapped or not finite"),
        ({"36199.png": [{"Mass": [1, 2, 3, 4]}]}, "36199.png: not a list of detections"),
        ({"36199.png": 3}, "36199.png: not a list of detections"),
        ({"1.png": [], "2.png": []}, "2 images that the truth lacks (1.png, 2.png)"),
        ([{"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 1}], "image_id (7, …) is neither"),
        ([{"image_id": 1, "category_id": 11, "bbox": [1, 2, 3, 4], "score": 1}], "36199.png: unknown category 11"),
        ([{"image_id": 1, "category_id": 1, "bbox": [1, 2, 0, 4], "score": 1}], "is empty, swapped or not finite"),
        ([{"image_id": 1, "category_id": 1, "score": 1}], "36199.png: not a list of detections"),
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
        read_predictions(path, NAMES)
    assert str(error.value).startswith(str(path)) and says in str(error.value) and "\n" not in str(error.value)


def test_image_ids_that_fit_two_readings_are_refused(tmp_path):
    path = tmp_path / "found.json"
    path.write_text(json.dumps([{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 1}]))
    assert len(read_predictions(path, ["1.png", "2.png"])["1.png"]) == 1
    with pytest.raises(ChestlibError, match="fits both"):
        read_predictions(path, ["0.png", "1.png"])


def test_a_folder_without_files_and_a_missing_file_are_told(tmp_path):
    for path in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(ChestlibError, match=str(path)):
            read_predictions(path, NAMES)
