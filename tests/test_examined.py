"""What `evaluate` and `view` make of a truth and its predictions: whose ids, whose findings, whose thresholds."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from chestlib import cli, metrics
from chestlib.cli.examined import compared, examined, fused
from chestlib.data import DataFolder, open_data, splits
from chestlib.errors import ChestlibError

NAMES = ("Scar", "Plate")


def part(folder: Path, name: str, ids: dict[int, str], images: int = 3) -> list[dict]:
    """A COCO part with a box an image; its results, by its own ids."""
    listed = [{"id": i, "file_name": f"{name}{i}.png"} for i in range(images)]
    for i in range(images):
        (folder / name).mkdir(parents=True, exist_ok=True)
        pixels = np.full((40, 40 + i), 10 * i, np.uint8)
        Image.fromarray(pixels).save(folder / name / f"{name}{i}.png")
    boxes = [{"image_id": i, "category_id": [*ids][i % 2], "bbox": [2, 3, 10, 20]} for i in range(images)]
    document = {"images": listed, "annotations": boxes, "categories": [{"id": i, "name": n} for i, n in ids.items()]}
    (folder / f"{name}.json").write_text(json.dumps(document))
    return [{**box, "score": 0.9} for box in boxes]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "findings.txt").write_text("\n".join(NAMES))
    return tmp_path


def ap50(truth: Path, results: list[dict], place: Path, run: Path | None = None) -> float:
    (place / "results.json").write_text(json.dumps(results))
    records, found, thresholds, _ = examined(truth, place / "results.json", run, None)
    return metrics.evaluate(records, found, thresholds=thresholds)["coco"]["AP50"]


def test_category_ids_are_those_of_the_part_that_is_scored(place: Path) -> None:
    part(place, "train", {3: "Scar", 7: "Plate"})
    results = part(place, "test", {7: "Scar", 3: "Plate"})
    assert ap50(place, results, place) == 1 and ap50(place / "test.json", results, place) == 1


def test_one_id_with_two_meanings_is_refused(place: Path) -> None:
    part(place, "test_a", {3: "Scar", 7: "Plate"})
    results = part(place, "test_b", {7: "Scar", 3: "Plate"})
    with pytest.raises(ChestlibError, match=r"category \d is (Plate|Scar), and (Plate|Scar) elsewhere; give one file"):
        ap50(place, results, place)
    document = json.loads((place / "test_b.json").read_text())
    document["categories"] += [{"id": 7, "name": "Plate"}]
    (place / "test_b.json").write_text(json.dumps(document))
    with pytest.raises(ChestlibError, match="category id 7 is Plate, and another before"):
        open_data(place / "test_b.json")


@pytest.mark.parametrize("at", [".", "annotations/all.json", "images"])
def test_findings_are_found_beside_above_and_below(tmp_path: Path, at: str) -> None:
    part(tmp_path / "set", "images", {1: "Scar", 2: "Plate"})
    (tmp_path / "set/annotations").mkdir()
    (tmp_path / "set/images.json").rename(tmp_path / "set/annotations/all.json")
    (tmp_path / "set/findings.txt").write_bytes("\ufeffScar\r\nPlate\r\n".encode("utf-16-le"))
    if at == "images":
        (tmp_path / "set/annotations/all.json").rename(tmp_path / "set/all.json")
    assert open_data(tmp_path / "set" / at).findings == NAMES
    if at == ".":
        assert open_data(tmp_path).findings == NAMES


def results_of(truth: Path, place: Path, name: str, first: int = 0) -> Path:
    """Results as one JSON object: file name to the challenge's list, from one image on."""
    listed = json.loads(truth.read_text())["images"][first:]
    (place / name).write_text(json.dumps({image["file_name"]: [{"Scar": [2, 3, 12, 23, 0.9]}] for image in listed}))
    return place / name


def test_two_are_compared_on_the_same_images_alone(place: Path) -> None:
    part(place, "test", {3: "Scar", 7: "Plate"})
    truth = place / "test.json"
    a, b, short = results_of(truth, place, "a.json"), results_of(truth, place, "b.json"), place / "short.json"
    results_of(truth, place, "short.json", first=1)
    row = compared(truth, a, b, 20)["differences"]["AP50"]
    assert row["difference"] == 0 and row["interval"] == [0, 0]
    for pair in ((a, short), (short, a)):
        with pytest.raises(ChestlibError, match=r"^test0\.png: predicted by .*a\.json and not by .*short\.json \(1 "):
            compared(truth, *pair, 20)
    result = CliRunner().invoke(cli.app, ["compare", str(truth), str(a), str(b), "--bootstrap", "20"])
    assert "B - A" in result.output and "3 images of 3 patients, 20 resamples" in result.output
    assert "AP50 Scar" in result.output and "2*" in result.output, "two boxes are few"
    assert "the patient of 3 of 3 images is unknown" in result.stderr


def test_files_are_fused_on_the_same_images_and_called_from_one_half_on(place: Path) -> None:
    part(place, "test", {3: "Scar", 7: "Plate"})
    truth, out = place / "test.json", place / "out"
    a, short = results_of(truth, place, "a.json"), results_of(truth, place, "short.json", first=1)
    out.mkdir()
    (out / "about.json").write_text(json.dumps({"finding_thresholds": {"Scar": 0.01, "Plate": 0.01}}))
    boxes = [{"finding": "Scar", "box": [2, 3, 12, 28], "score": 0.3}]
    rows = [{"file": f"test{i}.png", "detections": boxes, "error": None} for i in range(3)]
    (out / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = CliRunner().invoke(cli.app, ["evaluate", str(truth), str(out), "--fuse", str(a), "--json"])
    scores = json.loads(result.stdout)
    assert scores["thresholds"] == {"Scar": 0.5, "Plate": 0.5} and scores["thresholds_of"] is None
    _, found, *_ = fused(truth, [out, a], None, False)
    assert found["test0.png"].to_list() == [{"finding": "Scar", "box": [2, 3, 12, 24.25], "score": 0.6}]
    assert "fused, where" in CliRunner().invoke(cli.app, ["evaluate", str(truth), str(out), "--fuse", str(a)]).output
    with pytest.raises(ChestlibError, match=r"^test0\.png: predicted by .*a\.json and not by .*short\.json"):
        fused(truth, [a, short], None, False)
    with pytest.raises(ChestlibError, match=r"a\.json: no run, so .* leave --flip out"):
        fused(truth, [a], None, True)


def test_two_runs_are_compared_if_they_are_of_a_kind(small: DataFolder, watched_runs: dict) -> None:
    one, two = (watched_runs[kind][0].path for kind in ("classifier", "detector"))
    said = compared(small.root, one, one, 20)
    scores = watched_runs["classifier"][0].read("test")["scores"]
    assert said["differences"]["auroc"]["b"] == scores["auroc"] and said["differences"]["auroc"]["interval"] == [0, 0]
    of = compared(small.root, two, two, 0)["differences"]["AP50"]
    assert of["a"] == pytest.approx(watched_runs["detector"][0].read("test")["scores"]["coco"]["AP50"])
    for pair in ((one, two), (two, one)):
        with pytest.raises(ChestlibError, match=r"classifier: a run of stage 1, the other is not; compare two of a"):
            compared(small.root, *pair, 20)
    for typed in ([one, "--flip"], [one, "--fuse", two], [two, "--fuse", one], [one, "--coco", "results.json"]):
        result = CliRunner().invoke(cli.app, ["evaluate", str(small.root), *map(str, typed)])
        assert re.search("classifier.* (has no boxes; leave|expected a detector run)", str(result.exception)), typed


def test_a_run_that_finds_something_else_is_told(place: Path, watched_runs: dict) -> None:
    run = watched_runs["detector"][0].path
    results = part(place, "test", {7: "Scar", 3: "Plate"})
    with pytest.raises(ChestlibError, match=r"finds Atelectasis, .*; the truth names Scar, Plate"):
        ap50(place, results, place, run)
    with pytest.raises(ChestlibError, match=r"leave --run .* out"):
        examined(place, run, run, None)


def test_what_was_decided_in_reading_is_told(place: Path, capfd: pytest.CaptureFixture) -> None:
    results = part(place, "all", {3: "Scar", 7: "Plate"}, images=10)
    with pytest.raises(ChestlibError, match=r"for another part than the 2 images .* 2 of 10 images drawn as test"):
        ap50(place, results, place)
    document = json.loads((place / "all.json").read_text())
    document["annotations"] = [{**box, "iscrowd": 1} for box in document["annotations"]]
    (place / "all.json").write_text(json.dumps(document))
    assert ap50(place / "all.json", results, place) == 1
    assert "10 boxes marked iscrowd read as boxes" in capfd.readouterr().err


def test_an_image_of_the_split_that_is_missing_is_no_other_data(small: DataFolder) -> None:
    split = splits.default(small.train, small.test).to_json()
    gone = [replace(record, path=None) for record in small.test[:1]] + small.test[1:]
    with pytest.raises(ChestlibError, match="its image is missing, complete the data"):
        splits.Split.from_json(split, small.train, gone)


def test_few_films_choose_on_more_of_them(small: DataFolder) -> None:
    normal, ill = ([r for r in small.train if r.diseased is kind] for kind in (False, True))
    few = [replace(r, patient=r.file_name) for r in (*normal[:14], *ill[:16])]
    split = splits.default(few, small.test)
    assert sum(not r.diseased for r in split.val) >= 4 and len(split.val) > 0.15 * len(few) + 1
    splits.require_trainable(split, "few")
