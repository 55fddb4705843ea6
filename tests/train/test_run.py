"""A run is of its data, settings and version; of others it is told, and never shown."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import chestlib
from chestlib import cli, settings
from chestlib.data import DataFolder, identify, open_data, splits, write_annotations
from chestlib.errors import ChestlibError
from chestlib.train import Run, train_stage, tune

TOY = replace(settings.QUICK.classifier, image_size=32, width=8, depth=2, epochs=1)
TINY = settings.DetectorSettings(image_size=64, epochs=1, fpn_channels=8, head_units=16, regions=16, proposals=40)


@pytest.fixture(scope="module")
def data(small: DataFolder, tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    folder = tmp_path_factory.mktemp("own") / "cxr"
    shutil.copytree(small.root, folder)
    return open_data(folder)


@pytest.fixture(scope="module")
def run(data: DataFolder, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train_stage(data, Run(tmp_path_factory.mktemp("runs") / "detector"), TINY, resamples=20)


@pytest.fixture
def other(data: DataFolder, tmp_path: Path) -> DataFolder:
    """The same data but for one box of the test part, under the same name."""
    shutil.copytree(data.root, tmp_path / "cxr")
    at = next(i for i, record in enumerate(data.test) if record.diseased)
    moved = replace(data.test[at], boxes=data.test[at].boxes + np.float32(5))
    write_annotations([*data.test[:at], moved, *data.test[at + 1 :]], tmp_path / "cxr" / "test.json")
    return open_data(tmp_path / "cxr")


def test_a_finished_run_is_taken_for_its_own_data_alone(run: Run, data: DataFolder, other: DataFolder) -> None:
    assert train_stage(data, run, TINY, resume=True).finished  # nothing to do
    with pytest.raises(ChestlibError, match=r"a run of other annotations; name another folder"):
        train_stage(other, run, TINY, resume=True)
    with pytest.raises(ChestlibError, match=r"a run of other settings \(batch_size, seed\); name"):
        train_stage(data, run, replace(TINY, batch_size=3, seed=9), split=_split(data), resume=True)


def test_a_film_that_was_exchanged_is_noticed(run: Run, data: DataFolder, other: DataFolder) -> None:
    shutil.copy(data.root / "test.json", other.root / "test.json")
    first, second = other.train[0].path, other.train[1].path
    assert first and second
    shutil.copy(second, first)
    with pytest.raises(ChestlibError, match="a run of other image contents; name another folder"):
        train_stage(open_data(other.root), run, TINY, resume=True)


def test_another_version_does_not_go_on(run: Run, data: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chestlib, "__version__", "9.9")
    with pytest.raises(ChestlibError, match=r"a run of other chestlib \(0\.2.*, not 9\.9\)"):
        train_stage(data, run, TINY, resume=True)


def test_what_a_study_found_is_for_its_data_alone(data: DataFolder, other: DataFolder, tmp_path: Path) -> None:
    run = Run(tmp_path / "classifier")
    tune(data, run, TOY, settings.TuneSettings(trials=1, epochs=1, train_share=1.0))
    identity = identify(_split(data), run.cache)
    assert run.tuned(TOY, identity) == TOY  # the defaults are the first trial
    with pytest.raises(ChestlibError, match=r"tuned\.json: tuned on other annotations; remove it and tune again"):
        run.tuned(TOY, identify(_split(other), run.cache))
    with pytest.raises(ChestlibError, match=r"study\.log: holds a study of other annotations"):
        tune(other, run, TOY, settings.TuneSettings(trials=2, epochs=1))


@pytest.mark.parametrize("file", [False, True], ids=["folder", "file"])
def test_a_run_is_scored_against_its_own_truth_alone(
    file: bool, run: Run, data: DataFolder, other: DataFolder, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    def evaluate(truth: Path, *options: str) -> object:
        monkeypatch.setattr(sys, "argv", ["chestlib", "evaluate", str(truth), str(run.path), *options])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code

    assert not evaluate(data.root / "test.json" if file else data.root, "--json")
    scores, own = json.loads(capsys.readouterr().out), run.read("test")["scores"]
    assert scores["thresholds"] == own["thresholds"] == run.finding_thresholds()
    assert scores["per_finding"] == own["per_finding"] and scores["without_prediction"] == []
    assert evaluate(other.root / "test.json" if file else other.root) == 2
    told = capsys.readouterr()
    assert told.out == "" and ("scored on other images or boxes" if file else "of other annotations") in told.err


def test_a_run_of_the_first_version_is_told_and_left_alone(run: Run, data: DataFolder, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "old")
    about = run.read("settings")
    del about["identity"]
    (tmp_path / "old" / "settings.json").write_text(json.dumps(about))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "old").rglob("*")}
    for use in (lambda old: old.require("detector"), lambda old: train_stage(data, old, TINY, resume=True)):
        with pytest.raises(ChestlibError, match=r"old/settings\.json: written by chestlib 0\.1\.0.*another folder"):
            use(Run(tmp_path / "old"))
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "old").rglob("*")} == before


def _split(data: DataFolder) -> splits.Split:
    return splits.default(data.train, data.test, TINY.seed)
