"""What a notebook begins with: where things lie, which data the models learn from, and what is claimed of them."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

import chestlib
from chestlib import course
from chestlib.course import Course, environment, lesson
from chestlib.data import DataFolder
from chestlib.errors import ChestlibError
from chestlib.settings import FULL, QUICK, TuneSettings, to_json
from chestlib.train import Classifier, Run, classifier, study


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with one notebook, and no variable of chestlib's set."""
    for name in ("CHESTLIB_HOME", "CHESTLIB_DATA", "CHESTLIB_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "project" / "notebooks" / "deep").mkdir(parents=True)
    (tmp_path / "project" / "notebooks" / "01_a.ipynb").touch()
    return tmp_path / "project"


def test_home_is_named_or_found_upwards(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place / "notebooks" / "deep")
    assert course.home() == place and course.data_folder() == place / "data" and course.runs_folder() == place / "runs"
    assert course.notebooks() == [place / "notebooks" / "01_a.ipynb"]
    monkeypatch.setenv("CHESTLIB_HOME", str(place.parent))
    assert course.home() == place.parent
    with pytest.raises(ChestlibError, match="no notebooks here"):
        course.notebooks()


def test_models_learn_from_the_reader_s_data(place: Path, small: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("CHESTLIB_DATA", str(small.root))
    begun = course.begin()
    assert begun.data is begun.trained_on and not begun.notice and begun.profile is QUICK
    assert "phantom-small (synthetic)" in repr(begun)
    assert begun.run("detector").path == begun.folder / "detector" and begun.figures == begun.folder / "figures"
    assert begun.folder.parent == place / "runs" and re.fullmatch("phantom-small-quick-[0-9a-f]{8}", begun.folder.name)
    with pytest.raises(ChestlibError, match="profile 'fast': unknown"):
        course.begin(profile="fast")


def test_too_little_data_is_shown_and_the_phantom_learnt_from(
    place: Path, small: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(small, root=place / "few", train=small.train[:9])
    monkeypatch.setattr(lesson, "open_data", lambda folder: few)
    monkeypatch.setattr(lesson, "phantom", lambda profile: small)
    begun = course.begin(place)
    assert begun.data is few and begun.trained_on is small
    assert "add films with boxes" in begun.notice and "learn from the phantom" in begun.notice
    assert begun.figures.parent.name.startswith("few-quick-")
    assert begun.folder.name.startswith("phantom-small-quick-")


def test_runs_are_found_by_what_they_depend_on(place: Path, small: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    record = next(record for record in small.train if record.diseased)
    edited = [replace(record, boxes=record.boxes + 1), *(r for r in small.train if r is not record)]
    less = [replace(small.train[0], path=None), *small.train[1:]]
    own = course.run_folder(small, QUICK)
    others = [
        course.run_folder(replace(small, train=edited), QUICK),  # a box was edited
        course.run_folder(replace(small, train=less), QUICK),  # a film is not there any more, or not yet
        course.run_folder(small, replace(QUICK, resamples=7)),  # the profile has changed
        course.run_folder(small, FULL),
    ]
    assert len({own, *others}) == 5
    assert course.run_folder(replace(small, root=place / "phantom-quick"), QUICK).name.startswith("phantom-quick-")
    assert "quick-quick" not in course.run_folder(replace(small, root=place / "phantom-quick"), QUICK).name
    monkeypatch.setattr(chestlib, "__version__", "9.9")
    assert course.run_folder(small, QUICK) != own


def test_a_claim_must_hold_on_the_data_it_was_written_on(
    small: DataFolder, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = Course(small, small, QUICK)
    elsewhere.claim("the loss falls", True, "to 0.1")
    elsewhere.claim("the loss falls", False, "to 0.9")
    assert capsys.readouterr().out == "holds: the loss falls\nnot so here: the loss falls (to 0.9)\n"
    monkeypatch.setenv("CHESTLIB_HOME", str(tmp_path))
    data = replace(small, root=tmp_path / "data" / "phantom-quick")
    with pytest.raises(AssertionError, match=r"does not hold: the loss falls \(to 0\.9\)"):
        Course(data, data, QUICK).claim("the loss falls", False, "to 0.9")


def test_env_tells_what_is_too_old_or_not_there(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    assert all(row.ok for row in environment.rows())
    known = metadata.version

    def version(name: str) -> str:
        if name == "pydicom":
            raise metadata.PackageNotFoundError(name)
        return {"torch": "2.4.1+cpu", "torchvision": "0.20.1+cpu"}.get(name) or known(name)

    monkeypatch.setattr(metadata, "version", version)
    rows = {row.name: row for row in environment.rows()}
    assert rows["torch"] == ("torch", "2.4.1+cpu", False) and rows["torchvision"].ok
    assert not rows["pydicom"].ok and "make env" in rows["pydicom"].value


def test_a_run_is_tuned_and_trained_once(small: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHESTLIB_HOME", str(tmp_path))
    toy = replace(QUICK.classifier, image_size=32, width=8, depth=2, epochs=1)
    profile = replace(QUICK, classifier=toy, tune=TuneSettings(trials=2, epochs=1), resamples=20)

    def fit(run: Run, module: Classifier, *_: object, **__: object) -> SimpleNamespace:
        """The trial of other settings than the defaults is better."""
        return SimpleNamespace(
            callback_metrics={classifier.MONITOR: abs(module.settings.learning_rate - toy.learning_rate)}
        )

    monkeypatch.setattr(study, "fit", fit)
    run = Course(small, small, profile).classifier()
    best = run.read("tuned")["settings"]
    assert run.finished and run.read("settings")["settings"] == best != to_json(toy)
    written = (run.path / "test.json").stat().st_mtime_ns
    assert Course(small, small, profile).classifier().path == run.path
    assert (run.path / "test.json").stat().st_mtime_ns == written
