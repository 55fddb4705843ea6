"""One data set in each of its forms: check, train, evaluate, predict and convert say the same of all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from chestlib import metrics
from chestlib.cli.examined import classified, examined, scored
from chestlib.data import DataFolder, check, convert, identify, open_data, splits
from chestlib.data.patients import read_patients
from chestlib.prediction import TwoStage
from chestlib.train import Run

FORMS = ["chestx-det10", "coco", "yolo"]


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest, shared: Path, small: DataFolder) -> Path:
    folder = shared / f"forms-{request.param}"
    if not folder.exists():
        convert(small.root, folder, request.param)
    return folder


def test_check_counts_and_train_learns_the_same(form: Path, small: DataFolder, tmp_path: Path) -> None:
    told, first = check(form), check(small.root)
    assert told.ok and {**told.to_json(), "notes": []} == first.to_json()
    data = open_data(form)
    of = [identify(splits.default(d.train, d.test), tmp_path / "cache") for d in (small, data)]
    assert of[0] == of[1], "annotations, images and split: a training can't tell them apart"


def test_evaluate_scores_a_run_the_same(form: Path, watched_runs: dict) -> None:
    run = watched_runs["detector"][0]
    records, found, thresholds, source = examined(form, run.path, None, None)
    scores = metrics.evaluate(records, found, thresholds=thresholds)
    written = json.loads((run.path / "test.json").read_text())["scores"]
    assert source == run.path
    assert {key: scores[key] for key in ("coco", "froc", "macro", "thresholds")} == {
        key: written[key] for key in ("coco", "froc", "macro", "thresholds")
    }
    binary = watched_runs["classifier"][0]
    said = classified(form, binary.path)
    assert said and scored(said, 0)["scores"] == json.loads((binary.path / "test.json").read_text())["scores"]


def test_evaluate_scores_coco_results_by_the_ids_of_each_form(form: Path, tmp_path: Path, watched_runs: dict) -> None:
    run = watched_runs["detector"][0]
    data = open_data(form)
    own = json.loads((form / "annotations/test.json").read_text()) if data.layout == "coco" else None
    ids = {i["file_name"]: i["id"] for i in own["images"]} if own else {r.file_name: r.file_name for r in data.test}
    results = [
        {"image_id": ids[name], "category_id": 1 + data.findings.index(box["finding"]), "score": box["score"],
         "bbox": [x1, y1, x2 - x1, y2 - y1]}
        for name, boxes in run.read("predictions")["test"].items()
        for box in boxes
        for x1, y1, x2, y2 in [box["box"]]
    ]  # fmt: skip
    (tmp_path / "results.json").write_text(json.dumps(results))
    records, found, thresholds, source = examined(form, tmp_path / "results.json", run.path, None)
    scores = metrics.evaluate(records, found, thresholds=thresholds)
    assert source == run.path and scores["coco"]["AP50"] == pytest.approx(run.read("test")["scores"]["coco"]["AP50"])


def test_predict_answers_the_same(form: Path, small: DataFolder, watched_runs: dict) -> None:
    model = TwoStage(Run(watched_runs["classifier"][0].path), Run(watched_runs["detector"][0].path))
    films = [[model.read(str(d.test[i].path)) for i in range(4)] for d in (small, open_data(form))]
    for one, other in zip(*map(model.answer, films), strict=True):
        assert one.disease_probability == other.disease_probability
        np.testing.assert_array_equal(one.detections.boxes, other.detections.boxes)


def test_convert_goes_there_and_back(form: Path, small: DataFolder, tmp_path: Path) -> None:
    convert(form, tmp_path / "back", "chestx-det10")
    for part in ("train", "test"):
        assert (tmp_path / f"back/{part}.json").read_bytes() == (small.root / f"{part}.json").read_bytes()
    assert read_patients(tmp_path / "back/patients.csv") == read_patients(small.root / "patients.csv")
