"""Prediction: the run's answers on any file; every one kept, gone on with after a stop, never of another model."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from filelock import FileLock

from chestlib import metrics
from chestlib.data import DataFolder, Record, images
from chestlib.errors import ChestlibError
from chestlib.findings import COLOUR
from chestlib.prediction import Summary, TwoStage, predict, read_answers
from chestlib.prediction.ahead import ahead
from chestlib.train import Run, points_together, said_together


@pytest.fixture
def films(small: DataFolder, tmp_path: Path) -> Path:
    """Ten films."""
    folder = tmp_path / "films"
    folder.mkdir()
    for record in small.test[:10]:
        shutil.copy2(record.path, folder)
    return folder


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]


@pytest.fixture
def looked_at(model: TwoStage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the films that the models are shown."""
    names: list[str] = []
    answer = model.answer

    def noted(read: list) -> list:
        names.extend(Path(film.file).name for film in read)
        return answer(read)

    monkeypatch.setattr(model, "answer", noted)
    return names


def test_predictions_do_not_depend_on_the_file_s_form(model: TwoStage, small: DataFolder, tmp_path: Path) -> None:
    grey = cv2.imread(str(small.test[0].path), cv2.IMREAD_GRAYSCALE)
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    cv2.imwrite(str(scans / "a-grey.png"), grey)
    cv2.imwrite(str(scans / "b-rgba.png"), cv2.merge([grey, grey, grey, np.full_like(grey, 255)]))
    cv2.imwrite(str(scans / "c-large.png"), cv2.resize(grey, (512, 512), interpolation=cv2.INTER_NEAREST))
    (scans / "d-broken.png").write_bytes((scans / "a-grey.png").read_bytes()[:900])
    seen: list[tuple[int, int]] = []
    done = predict([scans], model, out, batch=3, progress=lambda *step: seen.append(step))
    plain, rgba, _, broken = found = list(read_answers(out))
    assert plain.disease_probability == rgba.disease_probability
    assert plain.to_json()["detections"] == rgba.to_json()["detections"]
    assert "d-broken.png" in broken.error and broken.detections is None
    assert done == Summary(4, 3, [broken.error]) and seen == [(3, 4), (4, 4)]
    assert [row["file"] for row in lines(out)] == [p.file for p in found] == [str(p) for p in sorted(scans.iterdir())]
    assert not list(out.glob("*.png"))  # nobody asked for pictures
    about = json.loads((out / "about.json").read_text())
    assert about["trained_on"]["detector"]["synthetic"] and 0 <= about["disease_threshold"] <= 1
    scored = metrics.read_predictions(out, [Record(path.name) for path in scans.iterdir()])
    assert scored.keys() == {"a-grey.png", "b-rgba.png", "c-large.png"}
    assert scored["a-grey.png"].to_list() == plain.detections.to_list()


def test_films_of_any_size_reach_the_detector_alike_and_boxes_return_to_them(runs: tuple[Run, Run]) -> None:
    """Whatever the detector has learnt: it is replaced by one that notes what it sees and always answers one box."""
    model = TwoStage(*runs)
    side, seen = model.detectors[0].settings.image_size, []

    def answer(pictures: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        seen.extend(pictures)
        box = {"boxes": torch.tensor([[0.25, 0.5, 0.5, 0.75]]) * side, "labels": torch.tensor([8])}
        return [box | {"scores": torch.tensor([0.9])} for _ in pictures]

    answer.settings = model.detectors[0].settings
    model.detectors = [answer]
    rows = np.linspace(0, 0.6, 200, dtype=np.float32)[:, None]
    film = (rows + np.linspace(0, 0.4, 120, dtype=np.float32))[None]  # 120 wide, 200 high; darkest in the upper left
    large = np.repeat(np.repeat(film, 2, axis=1), 2, axis=2)
    found = model([film, large], ["film", "large"])
    np.testing.assert_allclose(found[0].detections.boxes, [[30, 100, 60, 150]], rtol=1e-4)
    np.testing.assert_allclose(found[1].detections.boxes, [[60, 200, 120, 300]], rtol=1e-4)
    assert (found[1].width, found[1].height) == (240, 400)
    first, second = (picture[0].numpy() for picture in seen)
    assert np.abs(first - second).max() <= 1.01 / 255
    assert first[0, 0] < first[0, -1] < first[-1, 0] < first[-1, -1]  # neither inverted nor turned
    seen.clear()
    model.flip = True
    (both,) = model([film], ["film"])
    np.testing.assert_allclose(both.detections.boxes, [[30, 100, 60, 150], [60, 100, 90, 150]], rtol=1e-4)
    assert torch.equal(seen[1], seen[0].flip(-1)) and both.detections.scores.tolist() == pytest.approx([0.45, 0.45])


def test_the_cascade_leaves_out_what_stage_one_calls_normal(runs: tuple[Run, Run], small: DataFolder) -> None:
    model = TwoStage(*runs, cascade=True)
    model.threshold = 2.0
    picture = images.read(small.test[0].path)
    assert model([picture], ["x"])[0].detections is None
    model.threshold = 0.0
    assert model([picture], ["x"])[0].detections is not None


def test_both_stages_say_again_what_their_runs_say(runs: tuple[Run, Run], small: DataFolder) -> None:
    """Prediction is the run's model on the same pixels, with the run's threshold."""
    pictures, names = [images.read(r.path) for r in small.test], [r.file_name for r in small.test]
    said = {row["file"]: row["disease_probability"] for row in runs[0].read("predictions")["test"]}
    model = TwoStage(*runs)
    threshold = model.threshold = sorted(said.values())[10]  # one that a film has, as the chosen one was on val
    for reply in model(pictures, names):  # all at once, as the run saw them
        assert reply.disease_probability == pytest.approx(said[reply.file], abs=1.1e-6)
        assert reply.disease_present == (reply.disease_probability >= threshold)
    found = runs[1].read("predictions")["test"]
    assert any(found.values())
    for at in range(0, len(names), 8):
        for reply in model(pictures[at : at + 8], names[at : at + 8]):
            assert reply.detections.to_list() == found[reply.file]


@pytest.mark.parametrize("flip", [False, True])
def test_runs_say_together_what_they_said_of_their_test_part(
    flip: bool, runs: tuple[Run, Run], small: DataFolder, tmp_path: Path
) -> None:
    shutil.copytree(runs[1].path, tmp_path / "other")
    said = runs[1].read("mirrored")
    Run(tmp_path / "other").write("predictions", said)  # a model that confuses left and right
    Run(tmp_path / "other").write("mirrored", runs[1].read("predictions"))
    several = [runs[1], Run(tmp_path / "other")]
    model = TwoStage(runs[0], several, flip=flip)
    model.detectors[1].forward, own = (lambda images: mirrored(own, images)), model.detectors[1].forward
    expected, names = said_together(several, "test", flip), [r.file_name for r in small.test[:8]]
    assert any(map(len, expected.values())) and model.thresholds == points_together(several, flip)["thresholds"]
    for reply in model([images.read(r.path) for r in small.test[:8]], names):
        found = expected[reply.file]
        np.testing.assert_allclose(np.sort(reply.detections.scores), np.sort(found.scores), atol=2e-5)
        assert sorted(reply.detections.labels) == sorted(found.labels)
        np.testing.assert_allclose(np.sort(reply.detections.boxes, 0), np.sort(found.boxes, 0), atol=0.05)
    about = model.about()
    assert [*about["models"]] == [*about["weights_sha256"]] == ["classifier", "detector", "detector 2"]
    assert about.get("flip", False) is flip


def mirrored(detect: Callable, pictures: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
    """What a detector says that sees everything in a mirror."""
    found = detect([picture.flip(-1) for picture in pictures])
    for one, picture in zip(found, pictures, strict=True):
        left, top, right, bottom = one["boxes"].unbind(1)
        one["boxes"] = torch.stack([picture.shape[-1] - right, top, picture.shape[-1] - left, bottom], 1)
    return found


def test_a_stopped_prediction_goes_on(model: TwoStage, films: Path, tmp_path: Path, looked_at: list[str]) -> None:
    names = sorted(path.name for path in films.iterdir())
    whole, out = films / names[1], tmp_path / "out"
    content = whole.read_bytes()
    predict([films], model, tmp_path / "alone", batch=4)
    expected = lines(tmp_path / "alone")
    whole.write_bytes(content[:500])

    def stop(done: int, total: int) -> None:
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict([films], model, out, batch=4, progress=stop)
    assert [bool(row["error"]) for row in lines(out)] == [False, True] + [False] * 6
    with open(out / "predictions.jsonl", "a") as file:
        file.write('{"file": "half a li')
    whole.write_bytes(content)
    os.utime(films / names[5], ns=(1, 1))  # as if written again
    looked_at.clear()
    assert predict([films], model, out, batch=4) == Summary(10, 10, [])
    assert looked_at == [names[i] for i in (1, 5, 8, 9)]
    again = sorted(lines(out), key=lambda row: row["number"])
    assert [row["number"] for row in again] == list(range(1, 11))
    for row, alone in zip(again, expected, strict=True):
        # Films that are asked again come in smaller batches, and a processor may add those up in another order.
        scores = [[found["score"] for found in one.pop("detections")] for one in (row, alone)]
        assert scores[0] == pytest.approx(scores[1], abs=1e-3)
        assert row.pop("disease_probability") == pytest.approx(alone.pop("disease_probability"), abs=1e-3)
        assert row | {"mtime_ns": 0} == alone | {"mtime_ns": 0}
    looked_at.clear()
    with open(out / "predictions.jsonl", "a") as file:
        file.write('{"file": "half a li')
    (films / "b.png").write_bytes(content)  # first in order; the others keep their numbers
    predict([films], model, out)
    assert looked_at == ["b.png"] and [row["number"] for row in lines(out)][-1] == 11


def test_pictures_are_drawn_when_asked_for_of_all_that_was_answered(
    model: TwoStage, films: Path, tmp_path: Path, looked_at: list[str]
) -> None:
    out = tmp_path / "out"
    predict([films], model, out)
    looked_at.clear()
    seen: list[tuple] = []
    predict([films], model, out, overlays=True, progress=lambda *step: seen.append(step))
    pictures = [f"{i:04d}-{path.stem}.png" for i, path in enumerate(sorted(films.iterdir()), start=1)]
    assert sorted(path.name for path in out.glob("*.png")) == pictures
    assert not looked_at and seen[-1] == (10, 10, "overlays")
    assert images.size(out / pictures[3]) == (256, 256)
    dates = {name: (out / name).stat().st_mtime_ns for name in pictures}
    (out / pictures[2]).unlink()
    changed = sorted(films.iterdir())[6]
    os.utime(changed, ns=(1, 1))  # its picture is out of date with it
    predict([films], model, out, overlays=True)
    assert [name for name in pictures if (out / name).stat().st_mtime_ns != dates[name]] == [pictures[2], pictures[6]]


BOXES = {"Mass": (0.25, 0.125, 0.5, 0.25), "Nodule": (0.6, 0.3, 0.8, 0.4)}
"""In parts of a film's breadth."""


@pytest.mark.parametrize("side", [256, 2048], ids=["as it is", "shrunk"])
def test_a_picture_has_the_boxes_that_reach_their_thresholds_in_place(
    side: int, runs: tuple[Run, Run], films: Path, tmp_path: Path
) -> None:
    """Two boxes are put into the answer of a grey film twice as broad as high; one is below its finding's threshold."""
    model, film, out = TwoStage(*runs), films / "film.png", tmp_path / "out"
    model.thresholds = dict.fromkeys(model.thresholds, 0.5) | {"Nodule": 0.9}
    cv2.imwrite(str(film), np.full((side // 2, side), 100, np.uint8))
    predict([film], model, out)
    (row,) = lines(out)
    box = {name: [x * side for x in places] for name, places in BOXES.items()}
    row["detections"] = [{"finding": name, "box": box[name], "score": 0.8} for name in BOXES]
    (out / "predictions.jsonl").write_text(json.dumps(row) + "\n")
    predict([film], model, out, overlays=True)
    (picture,) = out.glob("*.png")
    pixels = cv2.cvtColor(cv2.imread(str(picture)), cv2.COLOR_BGR2RGB).astype(int)
    longer = min(side, 1024)
    assert pixels.shape == (longer // 2, longer, 3)
    colour = [int(COLOUR["Mass"][i : i + 2], 16) for i in (1, 3, 5)]
    y, x = np.nonzero((np.abs(pixels - colour) < 9).all(2))
    left, top, right, bottom = (v * longer / side for v in box["Mass"])
    assert np.abs([x.min() - left, x.max() - right, y.max() - bottom]).max() <= 2
    assert ((np.abs(x - left) <= 2) & (y > top + 9) & (y < bottom - 9)).sum() >= 0.9 * (bottom - top - 18)
    assert (pixels[int(bottom) + 9 :] == 100).all(), "where the nodule would be"


def retrained(out: Path) -> None:
    about = json.loads((out / "about.json").read_text())
    about["weights_sha256"]["detector"] = "0" * 64
    (out / "about.json").write_text(json.dumps(about))


def old(out: Path) -> None:
    for name in ("predictions.jsonl", "about.json", ".predictions.lock"):
        (out / name).unlink(missing_ok=True)
    (out / "predictions.json").write_text("[]")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (retrained, "out: holds predictions of other models; name another folder"),
        (lambda out: (out / "about.json").unlink(), "out: holds predictions of other models"),
        (old, r"out: holds a predictions\.json, of chestlib 0\.1\.0.*another folder"),
        (lambda out: (out / "predictions.jsonl").write_text("{}\n"), r"predictions\.jsonl: line 1 is no prediction"),
    ],
)
def test_another_s_folder_is_left_alone(
    model: TwoStage, films: Path, tmp_path: Path, change: Callable[[Path], None], told: str
) -> None:
    out = tmp_path / "out"
    predict([films], model, out)
    change(out)
    before = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(ChestlibError, match=told):
        predict([films], model, out)
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_a_folder_is_of_the_models_and_views_it_was_begun_with(
    runs: tuple[Run, Run], model: TwoStage, films: Path, tmp_path: Path
) -> None:
    shutil.copytree(runs[1].path, tmp_path / "other")
    others = [TwoStage(*runs, flip=True), TwoStage(runs[0], [runs[1], Run(tmp_path / "other")])]
    film, made = [min(films.iterdir())], [model, *others]
    for i, one in enumerate(made):
        assert predict(film, one, tmp_path / f"{i}") == predict(film, one, tmp_path / f"{i}") == Summary(1, 1, [])
    for i, one in enumerate(made):
        for j in {0, 1, 2} - {i}:
            with pytest.raises(ChestlibError, match="holds predictions of other models"):
                predict(film, one, tmp_path / f"{j}")


def test_the_second_of_two_predictions_is_told(model: TwoStage, films: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with (
        FileLock(tmp_path / "out" / ".predictions.lock"),
        pytest.raises(ChestlibError, match="out: another prediction writes into it"),
    ):
        predict([films], model, tmp_path / "out")


def test_films_of_which_none_can_be_read_leave_nothing(model: TwoStage, films: Path, tmp_path: Path) -> None:
    for path in films.iterdir():
        path.write_bytes(b"no image")
    done = predict([films], model, tmp_path / "new" / "out")
    assert (done.films, done.answered, len(done.errors)) == (10, 0, 10)
    assert not (tmp_path / "new").exists()


def test_few_films_are_read_ahead() -> None:
    begun: list[int] = []
    results = ahead(lambda i: begun.append(i) or -i, ([i, i + 1] for i in range(0, 1000, 2)), threads=2, most=6)
    assert next(results) == [0, -1]
    time.sleep(0.05)
    assert len(begun) <= 8  # not all thousand
    assert next(results) == [-2, -3]
    results.close()


def test_ctrl_c_is_one_line_and_the_same_command_goes_on(runs: tuple[Run, Run], films: Path, tmp_path: Path) -> None:
    for path in list(films.iterdir()):
        for i in range(20):
            os.link(path, films / f"{i}-{path.name}")
    options = ["--classifier", runs[0].path, "--detector", runs[1].path, "--out", tmp_path / "out"]
    command = [sys.executable, "-m", "chestlib", "predict", films, *options]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    written = tmp_path / "out" / "predictions.jsonl"
    while not (written.exists() and written.stat().st_size):
        time.sleep(0.01)
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, ""), err
    (line,) = err.splitlines()
    assert "same command goes on" in line
    kept = lines(tmp_path / "out")
    assert 0 < len(kept) < len(list(films.iterdir()))
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout == f"{tmp_path / 'out'}: 210 of 210 images predicted\n"
    assert lines(tmp_path / "out")[: len(kept)] == kept and len(lines(tmp_path / "out")) == 210
