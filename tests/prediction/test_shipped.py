"""Without a run the model that ships answers: on the command line, from Python, into a folder, on workers."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import chestlib
from chestlib import cli, prediction
from chestlib.data import DataFolder, images
from chestlib.errors import ChestlibError
from chestlib.prediction import TwoStage, read_answers, shipped
from chestlib.prediction.choice import made_of
from chestlib.train import Run


@pytest.fixture
def films(small: DataFolder, tmp_path: Path) -> Path:
    (tmp_path / "films").mkdir()
    for record in small.test[:3]:
        shutil.copy2(record.path, tmp_path / "films")
    return tmp_path / "films"


def test_films_paths_and_arrays_get_one_answer(films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = sorted(films.iterdir())
    by_folder, by_paths = chestlib.predict(films), chestlib.predict([str(path) for path in paths])
    arrays = [images.read(path)[0] for path in paths]
    by_arrays = chestlib.predict(arrays)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 3 and set(told) == {f"chestlib: {shipped.load().told()}"}
    alone = chestlib.predict(arrays[1][None])
    for said in zip(by_folder, by_paths, by_arrays, strict=True):
        assert len({one.disease_present for one in said}) == 1
        assert [one.disease_probability for one in said] == pytest.approx([said[0].disease_probability] * 3, abs=1e-3)
    assert alone[0].disease_probability == pytest.approx(by_arrays[1].disease_probability, abs=1e-3)
    assert [Path(said.file) for said in by_folder] == paths and by_arrays[2].file == "image 3"
    assert (by_folder[0].width, by_folder[0].height) == (256, 256)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "none"),
        (["a.png", np.zeros((4, 4))], "both"),
        (np.zeros((3, 4, 4)), r"image 1: expected \(H, W\)"),
        (np.zeros((0, 4)), r"image 1: expected \(H, W\)"),
        ([np.zeros((4, 4)), np.full((4, 4), 255)], r"image 2: grey values lie in \[0, 1\]; got 255"),
        (np.full((4, 4), np.nan), r"grey values lie in \[0, 1\]"),
        ("nowhere.png", "nowhere.png"),
        ([b"film"], "got bytes"),
    ],
)
def test_what_is_no_film_is_told(given: object, told: str) -> None:
    with pytest.raises(ChestlibError, match=told):
        chestlib.predict(given)


def test_runs_answer_as_the_predictor_of_runs_does(runs: tuple[Run, Run], model: TwoStage, films: Path) -> None:
    said = chestlib.predict(films, classifier=runs[0].path, detector=str(runs[1].path))
    own = model.answer([model.read(str(path)) for path in sorted(films.iterdir())])
    assert [one.to_json() for one in said] == [one.to_json() for one in own]
    with pytest.raises(ChestlibError, match="stage 1 alone finds no boxes"):
        chestlib.predict(films, classifier=runs[0].path)
    with pytest.raises(ChestlibError, match="a cascade needs stage 1"):
        chestlib.predict(films, cascade=True)


def test_the_command_line_prints_what_it_found(films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (films / "broken.png").write_bytes(b"no image")
    monkeypatch.setattr(shipped.Pretrained, "__call__", _doubting(shipped.Pretrained.__call__))
    result = CliRunner().invoke(cli.app, ["predict", str(films)])
    assert result.exit_code == 2 and "broken.png: not a PNG" in result.stderr
    assert shipped.load().told() in result.stderr and "looks like a teapot" in result.stderr
    said = [one for one in chestlib.predict(films) if not one.error]
    lines = result.stdout.splitlines()
    heads = [line for line in lines if not line.startswith("  ")]
    assert heads == [
        f"{one.file}: {'diseased' if one.disease_present else 'normal'}, disease {one.disease_probability:.2f}, "
        f"called from {shipped.load().threshold:.2f} on"
        for one in said
    ]
    shown = [one.detections.for_display(shipped.load().card["thresholds"]["findings"]) for one in said]
    assert len(lines) - len(heads) == sum(map(len, shown))


def _doubting(own):
    return lambda self, *args: [answer._replace(doubt="looks like a teapot") for answer in own(self, *args)]


def test_a_folder_of_answers_says_which_model_it_was(films: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = CliRunner().invoke(cli.app, ["predict", str(films), "--out", str(out)])
    assert result.exit_code == 0, result.output
    about = json.loads((out / "about.json").read_text())
    card = shipped.load().card
    assert about["weights_sha256"] == {"shipped": card["weights_sha256"]} and about["cascade"] is False
    assert about["finding_thresholds"] == card["thresholds"]["findings"]
    said = {Path(one.file).name: one for one in read_answers(out)}
    for one in chestlib.predict(films):
        there = said[Path(one.file).name]
        assert there.disease_probability == one.disease_probability and there.doubt == one.doubt


@pytest.mark.parametrize("option", [["--overlays"], ["--dask", "2"]])
def test_what_writes_files_needs_a_folder(films: Path, option: list[str]) -> None:
    result = CliRunner().invoke(cli.app, ["predict", str(films), *option])
    assert isinstance(result.exception, ChestlibError) and "--out" in str(result.exception)


def test_another_process_makes_the_same_predictor(runs: tuple[Run, Run]) -> None:
    paths = tuple(str(run.path.resolve()) for run in runs)
    both = (None, paths[1:], False, True)
    for asked in ((paths[0], paths[1:], True, False), both, (None, (), False, False)):
        model = prediction.predictor(*asked)
        assert made_of(model) == asked
        assert prediction.predictor(*made_of(model)).about() == model.about()


def test_a_doubt_travels_with_the_answer() -> None:
    said = prediction.Prediction("a.png", 4, 4, 0.5, True, doubt="a teapot")
    assert prediction.Prediction.from_json(said.to_json()).doubt == "a teapot"
    old = {key: value for key, value in said.to_json().items() if key != "doubt"}
    assert prediction.Prediction.from_json(old).doubt == "" and replace(said, doubt="").doubt == ""
