"""The study of stage 1: what it tries, that it loses nothing, and that workers share it. More kills: tests/faults."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import optuna
import pytest
from postgres import postgres

from chestlib import settings
from chestlib.data import DataFolder, Identity, identify, open_data, splits
from chestlib.errors import ChestlibError, Interrupted
from chestlib.settings import ClassifierSettings, TuneSettings
from chestlib.train import Run, ended, failures, storage, study, tune
from chestlib.train.draws import Draws, Halving, suggest
from chestlib.train.storage import open_storage

BASE = replace(settings.QUICK.classifier, image_size=32, width=8, depth=2)
FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["chestlib.train.study"])


def identity(data: DataFolder) -> Identity:
    return identify(splits.default(data.train, data.test), data.root.parent / "cache")


def opened(where: str | Path) -> optuna.Study:
    return optuna.load_study(study_name="stage 1", storage=open_storage(where))


# --- what is tried ---


@pytest.mark.parametrize("profile", settings.PROFILES.values(), ids=lambda profile: profile.name)
def test_the_defaults_are_tried_first(profile: settings.Profile) -> None:
    place = optuna.storages.InMemoryStorage()
    trials = optuna.create_study(storage=place, sampler=Draws(profile.classifier, place))
    assert suggest(trials.ask(), profile.classifier) == profile.classifier
    assert suggest(trials.ask(), profile.classifier) != profile.classifier


def test_a_study_comes_out_the_same_whoever_is_faster() -> None:
    def played(together: int) -> list[tuple[dict, str]]:
        """Trials that begin `together`, and end in the other order."""
        place = optuna.storages.InMemoryStorage()
        sampler, pruner = Draws(BASE, place, at_once=2), Halving(epochs=8, at_once=2)
        trials = optuna.create_study(storage=place, sampler=sampler, pruner=pruner, direction="maximize")
        for _ in range(0, 20, together):
            begun = [(trial := trials.ask(), suggest(trial, BASE)) for _ in range(together)]
            for trial, settings_ in reversed(begun):
                for epoch in range(1, 9):
                    trial.report(value := -abs(np.log(settings_.learning_rate / 2e-3)) - 1 / epoch, epoch)
                    if pruned := trial.should_prune():
                        break
                trials.tell(trial, None if pruned else value, optuna.trial.TrialState.PRUNED if pruned else None)
        return [(trial.params, trial.state.name) for trial in trials.trials]

    alone = played(1)
    assert played(2) == alone
    assert 5 < sum(state == "PRUNED" for _, state in alone) < 17


Trains = Callable[[ClassifierSettings], float]


@pytest.fixture
def trains(monkeypatch: pytest.MonkeyPatch, small: DataFolder) -> Callable[..., Trains]:
    """Put a function of the settings in the place of a training, and of the recall."""

    def put(function: Trains) -> None:
        def fit(run: Run, module: object, *_: object, **__: object) -> SimpleNamespace:
            return SimpleNamespace(callback_metrics={"val_average_precision": function(module.settings)})

        monkeypatch.setattr(study, "fit", fit)

    return put


def tried(found: optuna.Study) -> list[dict]:
    """The settings of the finished trials, in order."""
    return [trial.params for trial in found.get_trials(states=study.FINISHED)]


def search(data: DataFolder, place: Path, trials: int, **options: object) -> optuna.Study:
    plan = TuneSettings(trials=trials, epochs=2, at_once=options.pop("at_once", 3))
    base = options.pop("base", BASE)
    return tune(data, Run(place / "run"), base, plan, cache=data.root.parent / "cache", **options)


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_a_trial_that_fails_is_kept_and_one_that_is_interrupted_tried_again(
    seed: int, trains: Callable, small: DataFolder, tmp_path: Path
) -> None:
    base, calls = replace(BASE, seed=seed), []
    trains(lambda chosen: chosen.learning_rate)
    undisturbed = tried(search(small, tmp_path / "a", 7, base=base))
    assert len({str(params) for params in undisturbed}) == 7

    def disturbed(chosen: ClassifierSettings) -> float:
        calls.append(chosen)
        if len(calls) == 4:
            raise [KeyboardInterrupt, Interrupted("run: training interrupted")][seed > 0]
        return chosen.learning_rate

    trains(disturbed)
    with pytest.raises((KeyboardInterrupt, Interrupted)):
        search(small, tmp_path / "b", 7, base=base)
    assert tried(search(small, tmp_path / "b", 7, base=base)) == undisturbed
    assert calls[3] == calls[4]

    def failing(chosen: ClassifierSettings) -> float:
        calls.append(chosen)
        if len(calls) == 2:
            raise ChestlibError("7.png: the loss of this batch is nan")
        return float("nan") if len(calls) == 3 else chosen.learning_rate

    calls.clear()
    trains(failing)
    found = search(small, tmp_path / "c", 5, base=base)
    assert (ended(found), len(tried(found)), len(calls)) == (5, 3, 5)
    assert [error.split(": ")[1] for error in failures(found)] == [
        "the loss of this batch is nan",
        "val_average_precision is nan",
    ]
    assert len({str(chosen) for chosen in calls}) == 5, "none is proposed again"
    assert search(small, tmp_path / "c", 5, base=base) and len(calls) == 5


def test_a_trial_cut_short_while_its_settings_are_drawn_is_drawn_as_it_would_have_been(
    trains: Callable, small: DataFolder, tmp_path: Path
) -> None:
    trains(lambda chosen: chosen.learning_rate)
    undisturbed = tried(search(small, tmp_path / "a", 3))
    search(small, tmp_path / "b", 1)
    cut = opened(tmp_path / "b" / "run" / "study.log")
    cut.sampler = Draws(BASE, cut._storage)
    cut.ask().suggest_float("learning_rate", 3e-4, 3e-3, log=True)  # and is killed
    assert tried(search(small, tmp_path / "b", 3)) == undisturbed


def test_a_study_whose_trials_all_fail_is_one_line(trains: Callable, small: DataFolder, tmp_path: Path) -> None:
    def fails(chosen: ClassifierSettings) -> float:
        raise ChestlibError("run: the device ran out of memory")

    trains(fails)
    with pytest.raises(ChestlibError, match=r"study\.log: all 2 trials failed, the last one: run: the device ran out"):
        search(small, tmp_path, 2)
    assert not (tmp_path / "run" / "tuned.json").exists()


def test_what_is_fixed_is_not_searched(trains: Callable, small: DataFolder, tmp_path: Path) -> None:
    trains(lambda chosen: chosen.dropout)
    base = replace(BASE, batch_size=5, learning_rate=0.5)
    found = search(small, tmp_path, 3, base=base, fixed={"batch_size", "learning_rate"})
    assert all("batch_size" not in params and "width" in params for params in tried(found))
    tuned = Run(tmp_path / "run").tuned(BASE, identity(small))
    assert (tuned.batch_size, tuned.learning_rate) == (5, 0.5) and tuned.dropout == found.best_value
    with pytest.raises(ChestlibError, match=r"study of other fixed \(\['batch_size', 'learning_rate'\], not \[\]\)"):
        search(small, tmp_path, 3, base=base)


def test_a_worker_that_slept_leaves_its_trial_to_who_took_it(
    trains: Callable, small: DataFolder, tmp_path: Path
) -> None:
    calls = []

    def sleeps(chosen: ClassifierSettings) -> float:
        calls.append(chosen)
        if len(calls) == 1:
            opened(tmp_path / "run" / "study.log").tell(0, state=optuna.trial.TrialState.FAIL)
        return 0.5

    trains(sleeps)
    assert ended(search(small, tmp_path, 2)) == 2 and calls[0] == calls[1]


# --- where it is kept ---


@pytest.mark.parametrize("settings_of_old", [{"settings": {"seed": 0}}, {}], ids=["0.1.0", "foreign"])
def test_a_study_of_another_program_is_left_alone(settings_of_old: dict, small: DataFolder, tmp_path: Path) -> None:
    place = tmp_path / "study.log"
    old = optuna.create_study(study_name="stage 1", storage=open_storage(place), direction="maximize")
    for key, value in settings_of_old.items():
        old.set_user_attr(key, value)
    old.ask()
    before = place.read_bytes()
    with pytest.raises(ChestlibError, match=r"study\.log: holds a study of chestlib 0\.1\.0.*name another --storage"):
        search(small, tmp_path, 2, storage=place)
    assert place.read_bytes() == before


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("nosuch://me:secret@host/x", "nosuch://me:***@host/x: cannot be opened (Can't load plugin: "),
        ("postgresql://me:sec@ret@127.0.0.1:1/x", "postgresql://me:***@127.0.0.1:1/x: more than one @"),
        ("postgresql+psycopg2://me:secret@127.0.0.1:1/x", "me:***@127.0.0.1:1/x: cannot be opened (connection to"),
        ("postgresql+psycopg2://me:secret@/x", "pip install 'chestlib[postgres]'"),
        ("postgresql+psycopg2://h:x/y?password=secret&a=b", "?password=***&a=b: cannot be opened"),
        ("sqlite:///nowhere/x.db", "sqlite:///nowhere/x.db: cannot be opened (unable to open database file)"),
        ("sqlite:///text.db", "sqlite:///text.db: cannot be opened (file is not a database)"),
        ("sqlite:/x.db", "sqlite:/x.db: not a URL; write sqlite://"),
    ],
    ids=lambda value: value.partition(":")[0],
)
def test_a_storage_that_cannot_be_opened_is_one_line(
    where: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.db").write_text("no database, but a text that is long enough for SQLite to look at it " * 9)
    if "pip" in says:
        monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(ChestlibError) as error:
        open_storage(where)
    line = str(error.value)
    assert says in line and "sec" not in line.replace("psycopg2", "") and "\n" not in line
    assert os.listdir() == ["text.db"]


def test_a_database_that_goes_away_is_one_line(trains: Callable, small: DataFolder, tmp_path: Path) -> None:
    place = tmp_path / "study.db"

    def breaks(chosen: ClassifierSettings) -> float:
        place.write_bytes(b"broken " * 9999)
        return 0.5

    trains(breaks)
    with pytest.raises(ChestlibError, match=r"^sqlite:///.*/study\.db: .*; the same command goes on from here$"):
        search(small, tmp_path, 2, storage=f"sqlite:///{place}")


# --- workers ---


def work(data: Path, place: Path, where: str | Path, trials: int, together: object, stuck: object, hangs: bool) -> None:
    """One worker. The one that hangs does so in its first trial, and the others wait until it does."""

    def fit(run: Run, module: object, *_: object, callbacks: list[study.Prune], **__: object) -> SimpleNamespace:
        figures = dict.fromkeys(("val_recall", "val_precision", "val_f1", "val_accuracy", "val_auroc"), 0.5)
        figures["val_average_precision"] = module.settings.learning_rate
        trainer = SimpleNamespace(current_epoch=0, max_epochs=2, callback_metrics=figures)
        if not hangs:
            stuck.wait(120)  # first, or pruned ones would end all trials before the other has one
        callbacks[0].on_validation_end(trainer, module)
        if hangs:
            stuck.set()
            time.sleep(600)
        return trainer

    study.fit = fit
    # A busy machine may let a living worker stand still for seconds.
    storage.HEARTBEAT, storage.GRACE, study.POLL = 1, 10, 0.2
    folder = open_data(data)
    together.wait()
    plan = TuneSettings(trials=trials, epochs=2, at_once=together.parties)
    tune(folder, Run(place / "run"), BASE, plan, storage=where, cache=place / "cache")


@pytest.fixture(params=["journal", "sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str | Path]:
    """A storage of each kind."""
    if request.param == "postgres":
        with postgres() as url:
            yield url
    else:
        yield tmp_path / "study.log" if request.param == "journal" else f"sqlite:///{tmp_path}/study.db"


def test_workers_share_a_study_and_lose_nothing_of_one_that_is_killed(
    place: str | Path, small: DataFolder, tmp_path: Path
) -> None:
    many, trials = (4, 6) if str(place).startswith("postgres") else (2, 4)
    together, stuck = FORK.Barrier(many), FORK.Event()
    workers = [
        FORK.Process(target=work, args=(small.root, tmp_path, place, trials, together, stuck, i == 0))
        for i in range(many)
    ]
    for worker in workers:
        worker.start()
    assert stuck.wait(120)
    os.kill(workers[0].pid, signal.SIGKILL)
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [-9] + [0] * (many - 1)
    found = opened(place)
    (killed,) = [trial for trial in found.trials if trial.state.name == "FAIL"]
    assert killed.params in tried(found) and failures(found) == []
    assert trials <= ended(found) < trials + many, "more only if workers began at the same moment"
    draws = [trial for trial in found.trials if "again" not in trial.user_attrs]
    assert len({str(trial.params) for trial in draws}) == len(draws), "none was drawn twice"
    assert draws[0].params["learning_rate"] == BASE.learning_rate
    assert {"recall", "precision", "f1", "accuracy", "auroc", "seconds"} <= found.best_trial.user_attrs.keys()
    assert Run(tmp_path / "run").tuned(BASE, identity(small)).learning_rate == found.best_params["learning_rate"]
    with pytest.raises(ChestlibError, match=r"holds a study of other settings \(width\)"):
        search(small, tmp_path, 7, base=replace(BASE, width=16), at_once=many, storage=place)
