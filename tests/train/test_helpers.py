"""The processes that a study starts: they end with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from chestlib import devices, settings
from chestlib.data import DataFolder
from chestlib.settings import TuneSettings
from chestlib.train import Run, tune
from chestlib.train.helpers import pay

BASE = replace(settings.QUICK.classifier, image_size=32, width=8, depth=2)
FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["chestlib.train.study"])


@pytest.mark.parametrize(
    ("cores", "trials", "device", "processes"),
    [(2, 12, "cpu", 2), (1, 12, "cpu", 1), (16, 12, "cpu", 3), (2, 4, "cpu", 1), (2, 1, "cpu", 1), (16, 12, "cuda", 1)],
)
def test_a_study_takes_the_cores_that_pay(
    cores: int, trials: int, device: str, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "cores", lambda: cores)
    monkeypatch.setattr(devices, "device", lambda: device)
    assert pay(TuneSettings(trials=trials, at_once=3)) == processes


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_what_ends_a_study_ends_its_helpers(ending: int, small: DataFolder, tmp_path: Path) -> None:
    def workers() -> int:
        return len(list(tmp_path.glob("study.log.?*.lock")))  # each holds a lock for as long as it lives

    options = {"storage": tmp_path / "study.log", "cache": tmp_path / "cache", "processes": 2}
    plan = TuneSettings(trials=500, epochs=2)
    one = FORK.Process(target=tune, args=(small, Run(tmp_path / "run"), BASE, plan), kwargs=options)
    one.start()
    try:
        _wait(lambda: workers() == 2 or one.exitcode is not None)
        assert one.exitcode is None
        os.kill(one.pid, ending)
    except AssertionError:
        one.kill()  # or it would train on beside all tests that follow
        raise
    one.join(30)
    assert one.exitcode
    _wait(lambda: all(_is_free(lock) for lock in tmp_path.glob("study.log.?*.lock")))


def _wait(until: Callable[[], bool]) -> None:
    start = time.monotonic()
    while not until():
        assert time.monotonic() - start < 180, "a busy machine takes its time"
        time.sleep(0.1)


def _is_free(lock: Path) -> bool:
    try:
        with FileLock(lock, timeout=0):
            return True
    except Timeout:
        return False
