"""Recorded runs: chapters are read before anything is trained, and are told so; whoever checks figures trains."""

from __future__ import annotations

import errno
import json
import os
import runpy
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from toy_runs import TINY

import chestlib
from chestlib import course, report, settings, train
from chestlib.course import Course, recorded
from chestlib.data import DataFolder
from chestlib.errors import ChestlibError
from chestlib.settings import QUICK, TuneSettings
from chestlib.train import Run, classifier, load_classifier, load_detector, study

TOP = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def archive(small: DataFolder, watched_runs: dict, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder whose notebooks/recorded.zip holds the small runs, and a study of two trials."""
    place = tmp_path_factory.mktemp("recorded")
    (place / "notebooks").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHESTLIB_HOME", str(place))
        lesson = course_of(small)
        for kind in TINY:
            shutil.copytree(watched_runs[kind][0].path, lesson.run(kind).path)
        fit = SimpleNamespace(callback_metrics={classifier.MONITOR: torch.tensor(0.5)})
        patch.setattr(study, "fit", lambda *_, **__: fit)
        lesson.study(train=True)
        recorded.pack(lesson, place / "notebooks" / "recorded.zip")
        first = (place / "notebooks" / "recorded.zip").read_bytes()
        recorded.pack(lesson, place / "notebooks" / "recorded.zip")
        assert (place / "notebooks" / "recorded.zip").read_bytes() == first, "the same runs, other bytes"
    return place / "notebooks" / "recorded.zip"


def course_of(data: DataFolder, **changed: Any) -> Course:
    return Course(data, data, replace(QUICK, **TINY, tune=TuneSettings(trials=2, epochs=1), **changed))


class Trained(Exception):
    """A training has begun."""


@pytest.fixture
def lesson(small: DataFolder, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    """A reader's copy of the project in which nothing is trained, and in which a training would be noticed."""

    def trains(*_: object, **__: object) -> None:
        raise Trained

    (tmp_path / "notebooks").mkdir()
    shutil.copy(archive, tmp_path / "notebooks")
    monkeypatch.setenv("CHESTLIB_HOME", str(tmp_path))
    monkeypatch.delenv(recorded.TRAIN, raising=False)
    for name in ("train_stage", "tune"):
        monkeypatch.setattr(train, name, trains, raising=False)
    return course_of(small)


def test_a_recorded_run_is_shown_and_says_so(lesson: Course, watched_runs: dict, capsys: pytest.CaptureFixture) -> None:
    for kind, stage in (("classifier", "stage 1"), ("detector", "stage 2")):
        run, own = getattr(lesson, kind)(), watched_runs[kind][0]
        made = run.read("settings")["recorded"]
        assert capsys.readouterr().out == (
            f"{stage}: recorded, not trained here ({made['machine']}, {made['date']}); "
            f"to train it: lesson.{kind}(train=True)\n"
        )
        assert own.read("settings")["device"] in made["machine"] and made["date"].count("-") == 2
        for name in ("predictions", "operating_point", "test", "split"):
            assert run.read(name) == own.read(name)
        assert run.metrics().equals(own.metrics()) and run.finished and run.path != lesson.run(kind).path


def test_a_recorded_study_has_its_trials(lesson: Course, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(train, "tune", study.tune)
    assert [trial.value for trial in lesson.study().trials] == [0.5, 0.5]
    assert capsys.readouterr().out.endswith("to train it: lesson.study(train=True)\n")


def test_recorded_weights_answer_as_the_run_s(lesson: Course, watched_runs: dict) -> None:
    """Rounded to 8 bits: no weight moves by more than half a step of its row, and answers hardly do."""
    films = torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    said = [
        classifier.probabilities(load_classifier(run)[0], films)
        for run in (lesson.classifier(), watched_runs["classifier"][0])
    ]
    assert 0 < np.abs(said[0] - said[1]).max() < 0.02
    (mine, _), (own, _) = load_detector(lesson.detector()), load_detector(watched_runs["detector"][0])
    for (name, a), b in zip(mine.state_dict().items(), own.state_dict().values(), strict=True):
        limit = b.abs().reshape(len(b), -1).amax(1) / 127 * 0.501 if b.ndim > 1 else torch.zeros(1)
        assert ((a - b).abs().reshape(len(b) if b.ndim > 1 else 1, -1).amax(1) <= limit).all(), name


def test_a_recorded_figure_is_never_checked_against_itself(lesson: Course, capsys: pytest.CaptureFixture) -> None:
    lesson.detector()
    capsys.readouterr()
    lesson.expect("AP50", 0.123)  # no expected.json lies here: nothing was compared
    assert capsys.readouterr().out == "recorded, not checked: AP50 = 0.123\n"
    with pytest.raises(ChestlibError, match="expected a finite number"):
        lesson.expect("AP50", float("nan"))


CALLS = ("study", "classifier", "detector")


@pytest.mark.parametrize("call", CALLS)
def test_one_call_trains(lesson: Course, call: str, capsys: pytest.CaptureFixture) -> None:
    lesson.classifier(), lesson.detector()
    capsys.readouterr()
    with pytest.raises(Trained):
        getattr(lesson, call)(train=True)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("call", CALLS)
def test_whoever_checks_trains(lesson: Course, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(recorded.TRAIN, "1")
    with pytest.raises(Trained):
        getattr(lesson, call)()


def test_what_was_begun_here_goes_on(lesson: Course, capsys: pytest.CaptureFixture) -> None:
    lesson.detector()
    lesson.run("detector").path.mkdir(parents=True)
    with pytest.raises(Trained):
        lesson.detector()
    lesson.expect("AP50", 0.1)
    assert "not checked" not in capsys.readouterr().out  # figures are those of a training again
    assert lesson.classifier().finished  # the other stage is still the recorded one


def test_reports_checks_and_records_are_made_of_trainings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By `chestlib report`, `make notebooks`, `make test` and benchmarks/spread.py."""
    told: list[dict[str, str]] = []

    def note(*given: Any, **_: Any) -> None:
        told.append(next(value for value in given if type(value) is dict))
        raise Trained

    monkeypatch.setattr(report, "execute", note)
    with pytest.raises(Trained):
        report.build([TOP / "notebooks" / "01_explore.ipynb"], tmp_path, data=None, profile="quick")
    monkeypatch.setattr(report, "run", note)
    with pytest.raises(Trained):
        runpy.run_path(str(TOP / "notebooks" / "execute.py"))["execute"](TOP / "notebooks" / "01_explore.ipynb")
    spread = runpy.run_path(str(TOP / "benchmarks" / "spread.py"))
    monkeypatch.setattr("subprocess.run", lambda *_, env, **__: note(env))
    monkeypatch.setitem(spread["measured"].__globals__, "PLACE", tmp_path)
    with pytest.raises(Trained):
        spread["measured"](TOP / "notebooks" / "03_binary_cnn.ipynb", "own", 0)
    monkeypatch.delenv(recorded.TRAIN, raising=False)
    runpy.run_path(str(TOP / "notebooks" / "conftest.py"))  # which pytest reads before nbval starts a kernel
    told.append(dict(os.environ))
    assert [variables[recorded.TRAIN] for variables in told] == ["1"] * 4


def _change(file: Path, name: str, content: bytes | None) -> None:
    """Write an archive anew with another content of one member, or without it."""
    with zipfile.ZipFile(file) as archive:
        members = {entry: archive.read(entry) for entry in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for entry, data in ({key: v for key, v in members.items() if key != name}).items():
            archive.writestr(entry, data)
        if content is not None:
            archive.writestr(name, content)


def _flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)


def _as_bzip2(data: bytes) -> bytes:
    """One bit: the directory's first entry says that it is packed by bzip2."""
    place = data.index(b"PK\x01\x02") + 10
    return data[:place] + b"\x0c" + data[place + 1 :]


DAMAGED: dict[str, Callable[[Path], object]] = {
    "empty": lambda file: file.write_bytes(b""),
    "half": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "a byte": _flip,
    "a pointer": lambda file: file.write_text("version https://git-lfs.github.com/spec/v1\n"),
    "a file is missing": lambda file: _change(file, "detector/test.json", None),
    "a file too many": lambda file: _change(file, "../../evil.py", b"import os"),
    "no JSON": lambda file: _change(file, "detector/test.json", b"{"),
    "no table": lambda file: _change(file, "recorded.json", b"[]"),
    "no place": lambda file: _change(file, "detector/settings.json", b'{"kind": "detector"}'),
    "another packing": lambda file: file.write_bytes(_as_bzip2(file.read_bytes())),
    "no weights": lambda file: _change(file, f"detector/{recorded.WEIGHTS}", b"\x08" * 64),
    "a bomb": lambda file: _change(file, "detector/metrics.csv", b"0" * (recorded.MOST + 1)),
}


@pytest.mark.parametrize("how", DAMAGED)
def test_a_damaged_archive_is_told_and_left_alone(lesson: Course, how: str, capsys: pytest.CaptureFixture) -> None:
    file = course.home() / "notebooks" / "recorded.zip"
    DAMAGED[how](file)
    with pytest.raises(Trained):
        lesson.detector()
    out = capsys.readouterr().out
    assert out.startswith(f"{file}: damaged (") and out.endswith(f"; {recorded.REMEDY}\n") and out.count("\n") == 1
    assert not list(lesson.folder.glob("recorded-*"))


def test_an_archive_that_may_not_be_read_is_told(
    lesson: Course, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = course.home() / "notebooks" / "recorded.zip"
    monkeypatch.setattr(Path, "read_bytes", _fails(errno.EACCES, Path.read_bytes, lambda path: path == file))
    with pytest.raises(Trained):
        lesson.detector()
    assert capsys.readouterr().out == f"{file}: cannot be read (Permission denied); {recorded.REMEDY}\n"


def _fails(number: int, real: Callable[..., Any], when: Callable[..., bool]) -> Callable[..., Any]:
    """The real function, but for an error of the system on some of its calls."""

    def call(path: Path, *given: Any) -> Any:
        if when(path):
            raise OSError(number, os.strerror(number), str(path))
        return real(path, *given)

    return call


def test_a_disk_that_is_full_half_way_is_one_line_and_nothing_is_left(
    lesson: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    fails = _fails(errno.ENOSPC, recorded.write_atomically, lambda path: path.name == "test.json")
    monkeypatch.setattr(recorded, "write_atomically", fails)
    with pytest.raises(ChestlibError, match="No space left on device; free space, or set CHESTLIB_HOME") as error:
        lesson.detector()  # and no training is begun, which would need more
    assert "\n" not in str(error.value) and not list(lesson.folder.glob("*recorded*/**/*"))


def test_what_was_taken_from_an_unpacked_run_comes_back(lesson: Course) -> None:
    run = lesson.detector()
    (run.path / "predictions.json").unlink()
    assert lesson.detector().read("predictions")


@pytest.mark.parametrize(("said", "trains"), [("true", True), (" YES ", True), ("False", False), ("off", False)])
def test_yes_and_no_may_be_said_in_words(said: str, trains: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(recorded.TRAIN, said)
    assert recorded.wanted() is not trains


def test_what_is_neither_yes_nor_no_trains_nothing(lesson: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(recorded.TRAIN, "2 epochs")
    with pytest.raises(ChestlibError, match="CHESTLIB_TRAIN=2 epochs: neither 1, to train, nor 0"):
        lesson.classifier()


def test_an_archive_of_something_else_is_told_and_left_alone(
    lesson: Course, small: DataFolder, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited = replace(small, train=[replace(small.train[0], boxes=small.train[0].boxes + 1), *small.train[1:]])
    faster = replace(TINY["detector"], learning_rate=0.5)
    others = [
        (course_of(edited), "annotations"),
        (Course(small, small, replace(lesson.profile, detector=faster)), "settings (detector learning_rate)"),
        (course_of(small, resamples=7), "settings (resamples)"),
    ]
    for other, what in others:
        with pytest.raises(Trained):
            other.detector()
        assert f"recorded.zip: recorded with other {what}; {recorded.REMEDY}\n" in capsys.readouterr().out
    monkeypatch.setattr(chestlib, "__version__", "9.9")
    with pytest.raises(Trained):
        course_of(small).detector()
    assert "recorded with other chestlib (" in capsys.readouterr().out


def test_without_an_archive_all_is_trained(lesson: Course, capsys: pytest.CaptureFixture) -> None:
    (course.home() / "notebooks" / "recorded.zip").unlink()
    with pytest.raises(Trained):
        lesson.classifier()
    assert capsys.readouterr().out == ""


def test_what_is_not_finished_is_not_recorded(lesson: Course, watched_runs: dict, tmp_path: Path) -> None:
    for kind in TINY:
        shutil.copytree(watched_runs[kind][0].path, lesson.run(kind).path)
    Run(lesson.run("detector").path / "test.json").path.unlink()
    with pytest.raises(ChestlibError, match="not finished"):
        recorded.pack(lesson, tmp_path / "half.zip")
    assert not (tmp_path / "half.zip").exists()


def test_the_archive_is_of_these_settings_and_of_the_expected_figures() -> None:
    """Who has changed settings or chapters runs `make notebooks`, which packs the runs anew."""
    file = TOP / "notebooks" / "recorded.zip"
    assert file.stat().st_size < 3_000_000
    with zipfile.ZipFile(file) as archive:
        about, test = (json.loads(archive.read(name)) for name in ("recorded.json", "detector/test.json"))
        stage1 = json.loads(archive.read("classifier/test.json"))["scores"]
    assert about["chestlib"] == chestlib.__version__
    own = settings.to_json(QUICK)
    for name, value in about["settings"].items():
        kind, _, key = name.rpartition(" ")
        assert value == json.loads(json.dumps(own[kind][key] if kind else own[key])), name
    expected = json.loads((TOP / "notebooks" / "expected.json").read_text())
    coco = test["scores"]["coco"]
    assert expected["stage 2: AP50 on test"]["value"] == pytest.approx(coco["AP50"], abs=6e-5)
    assert expected["stage 1: auroc on test"]["value"] == pytest.approx(stage1["auroc"], abs=6e-5)
