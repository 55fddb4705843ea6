"""The study of stage 1: what it tries, and that processes share it. Kills are in tests/faults."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import optuna
import pytest

from chestlib import settings
from chestlib.data import DataFolder, identify, open_data, splits
from chestlib.errors import ChestlibError
from chestlib.settings import TuneSettings
from chestlib.train import Run, tune
from chestlib.train.draws import Draws, suggest
from chestlib.train.storage import open_storage
from chestlib.train.study import FINISHED

BASE = replace(settings.QUICK.classifier, image_size=32, width=8, depth=2)


@pytest.mark.parametrize("profile", settings.PROFILES.values(), ids=lambda profile: profile.name)
def test_the_defaults_are_tried_first(profile: settings.Profile) -> None:
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage, sampler=Draws(profile.classifier, storage))
    assert suggest(study.ask(), profile.classifier) == profile.classifier


def work(data: Path, place: Path, trials: int, together: Barrier) -> None:
    folder = open_data(data)
    together.wait()
    plan = TuneSettings(trials=trials, epochs=2)
    tune(folder, Run(place / "run"), BASE, plan, storage=place / "study.log", cache=place / "cache")


def test_processes_share_the_trials_of_one_storage(small: DataFolder, tmp_path: Path) -> None:
    spawn, trials = multiprocessing.get_context("spawn"), 6
    together = spawn.Barrier(2)
    workers = [spawn.Process(target=work, args=(small.root, tmp_path, trials, together)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    study = optuna.load_study(study_name="stage 1", storage=open_storage(tmp_path / "study.log"))
    ended = study.get_trials(states=FINISHED)
    assert trials <= len(ended) <= trials + 1  # the other one may be about to end its trial
    assert len({trial.user_attrs["worker"] for trial in ended}) == 2
    assert len({str(trial.params) for trial in ended}) == len(ended)  # none was tried twice
    assert {"recall", "precision", "f1", "accuracy", "auroc", "seconds"} <= study.best_trial.user_attrs.keys()
    identity = identify(splits.default(small.train, small.test), tmp_path / "cache")
    assert Run(tmp_path / "run").tuned(BASE, identity).learning_rate == study.best_params["learning_rate"]
    with pytest.raises(ChestlibError, match=r"study\.log: holds a study of other settings"):
        other = replace(BASE, width=16)
        tune(small, Run(tmp_path / "run"), other, TuneSettings(trials=7), storage=tmp_path / "study.log")
