"""What goes out as COCO results: pycocotools finds the printed AP in it, and it is read back to the last digit."""

import contextlib
import io
import json

import numpy as np
import pytest
from random_cases import random_case
from typer.testing import CliRunner

from chestlib import cli
from chestlib.data import Record, open_data
from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS, ID
from chestlib.metrics import Found, coco_scores, read_predictions, write_coco


@pytest.fixture
def place(tmp_path):
    """A COCO truth whose ids are neither places nor ours, and detections in the challenge's form, many of one score."""
    truth, predictions = random_case(3, whole=False)
    category = {label: 70 - label for label in ID.values()}
    document = {
        "images": [{"id": 900 + i, "file_name": r.file_name, "width": 500, "height": 500} for i, r in enumerate(truth)],
        "annotations": [
            {"image_id": 900 + i, "category_id": category[c], "bbox": [x, y, x2 - x, y2 - y]}
            for i, record in enumerate(truth)
            for c, (x, y, x2, y2) in zip(record.labels.tolist(), record.boxes.tolist(), strict=True)
        ],
        "categories": [{"id": category[label], "name": name} for name, label in ID.items()],
    }
    for number, row in enumerate(document["annotations"], start=1):
        row |= {"id": number, "area": row["bbox"][2] * row["bbox"][3], "iscrowd": 0}
    (tmp_path / "test.json").write_text(json.dumps(document))
    said = {
        name: [
            {FINDINGS[c - 1]: [*box, round(s, 1)]}
            for box, c, s in zip(d.boxes.tolist(), d.labels.tolist(), d.scores.tolist(), strict=True)
        ]
        for name, d in predictions.items()
    }
    (tmp_path / "said.json").write_text(json.dumps(said))
    return tmp_path


def test_pycocotools_finds_in_the_export_the_ap_that_is_printed(place, monkeypatch):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    monkeypatch.chdir(place)
    words = ["evaluate", "test.json", "said.json", "--json", "--coco", "results.json"]
    result = CliRunner().invoke(cli.app, words, catch_exceptions=False)
    printed = json.loads(result.stdout)["coco"]
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO("test.json")
        evaluation = COCOeval(reference, reference.loadRes("results.json"), "bbox")
        for step in (evaluation.evaluate, evaluation.accumulate, evaluation.summarize):
            step()
    assert 0 < printed["AP"] < printed["AP50"]
    assert [printed[name] for name in ("AP", "AP50", "AP75")] == pytest.approx(evaluation.stats[:3].tolist(), abs=1e-12)


def test_what_was_written_is_read_back_to_the_last_digit(place):
    data = open_data(place / "test.json")
    found = read_predictions(place / "said.json", data.records, data.categories_of(data.records))
    found["0.png"] = Detections([[0.1, 1 / 3, 1000.7, 2 / 3]], [9], [1 / 3])
    write_coco(place / "out.json", data.records, found)
    again = read_predictions(place / "out.json", data.records, data.categories_of(data.records))
    for name, own in found.items():
        for key in ("boxes", "labels", "scores"):
            np.testing.assert_array_equal(getattr(again[name], key), getattr(own, key))
    assert coco_scores(data.records, again) == coco_scores(data.records, found)


def test_what_has_no_id_or_no_place_is_refused_and_nothing_is_written(tmp_path):
    found, one = Found(), Detections([[1, 2, 3, 4]], [ID["Mass"]], [0.5])
    found["a.png"], found.categories, out = one, {4: "mass"}, tmp_path / "out.json"
    with pytest.raises(ChestlibError, match=r"the truth has none; `chestlib convert DATA NEW --to coco` writes one"):
        write_coco(out, [Record("a.png")], found)
    with pytest.raises(ChestlibError, match="two images of the truth have one id"):
        write_coco(out, [Record("a.png", id=1), Record("b.png", id=1)], found)
    truth = [Record("a.png", id=1), Record("b.png", id=2)]
    write_coco(out, truth, found)  # an image that nothing was said about has no row
    assert json.loads(out.read_text()) == [{"image_id": 1, "category_id": 4, "bbox": [1, 2, 2, 2], "score": 0.5}]
    with pytest.raises(ChestlibError, match=r"out\.json: is there already; give a new name"):
        write_coco(out, truth, found)
    found.categories = {4: "Nodule"}
    with pytest.raises(ChestlibError, match=r"new\.json: the truth has no category Mass; its own are nodule"):
        write_coco(tmp_path / "new.json", truth, found)
    assert [*tmp_path.iterdir()] == [out]
