"""Optuna for stage 1: the highest recall that keeps the specificity floor.

Recall alone has a trivial optimum: call everyone diseased. So the objective is the sensitivity on the validation part
at the best threshold whose specificity is at least the floor; with `floor=0` the study is the degenerate one.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from filelock import FileLock, Timeout
from lightning.pytorch import Callback, LightningModule, Trainer
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import BaseTrial, TrialState

import chestlib
from chestlib.console import Progress
from chestlib.data import DataFolder, Split, identify, splits
from chestlib.errors import ChestlibError
from chestlib.settings import ClassifierSettings, TuneSettings, to_json
from chestlib.train import classifier
from chestlib.train.classifier import Classifier
from chestlib.train.datasets import XrayDataset
from chestlib.train.run import SEARCHED, Run
from chestlib.train.trainer import fit


def suggest(trial: BaseTrial, base: ClassifierSettings) -> ClassifierSettings:
    """Draw the settings of a trial: the six that are searched, the rest from `base`."""
    return replace(
        base,
        learning_rate=trial.suggest_float("learning_rate", 3e-4, 3e-3, log=True),
        weight_decay=trial.suggest_float("weight_decay", 1e-3, 1e-1, log=True),
        width=trial.suggest_categorical("width", [base.width // 2, base.width]),
        dropout=trial.suggest_float("dropout", 0.0, 0.4, step=0.1),
        # Not 0: a trial of few epochs is over before overfitting shows, and would always leave augmentation out.
        augment=trial.suggest_float("augment", 0.25, 1.0, step=0.25),
        batch_size=trial.suggest_categorical("batch_size", [16, 32]),
    )


def open_storage(path: Path) -> JournalStorage:
    """Open the journal file of a study; several processes may share it.

    Raises
    ------
    ChestlibError
        If the file is there but no journal.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with lock(path):
            _cut_half_a_line(path)
            return JournalStorage(JournalFileBackend(str(path), lock_obj=lock(path)))  # type: ignore[arg-type]  # any lock will do
    except OSError as error:
        raise ChestlibError(f"{path}: cannot be opened ({error.strerror}); name another --storage") from None
    except Exception as error:  # a broken journal raises whatever its first broken line leads to
        raise ChestlibError(
            f"{path}: not a study's storage file ({error}); move it away or name another --storage"
        ) from None


def lock(path: Path) -> FileLock:
    """Return the lock of a study's file; unlike Optuna's own, the system frees it when a process is killed."""
    return FileLock(f"{path}.lock", is_singleton=True)


def _cut_half_a_line(path: Path) -> None:
    """Drop the half line that a kill or a full disk leaves: the next one would be glued to it."""
    if not path.exists() or not (journal := path.read_bytes()):
        return
    if not journal.startswith(b'{"op_code":'[: len(journal)]):
        raise ValueError("it holds something else")
    if not journal.endswith(b"\n"):
        os.truncate(path, journal.rfind(b"\n") + 1)


class Prune(Callback):
    """Reports every epoch to the study, and ends a trial that lags behind."""

    def __init__(self, trial: optuna.Trial, tell: Callable[[], None]) -> None:
        self.trial = trial
        self.tell = tell

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Report the recall of this epoch."""
        self.trial.report(float(trainer.callback_metrics["val_recall"]), trainer.current_epoch)
        self.tell()
        if self.trial.should_prune():
            raise optuna.TrialPruned


def tune(
    data: DataFolder,
    run: Run,
    base: ClassifierSettings,
    settings: TuneSettings,
    *,
    storage: Path | None = None,
    name: str = "stage 1",
    split: Split | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> optuna.Study:
    """Search until the study holds `settings.trials` finished trials, and write the best settings as tuned.json.

    A study that was killed goes on, and tries what it would have tried: finished trials are kept in the storage file,
    and what comes next depends on them and the seed alone. Processes that share one storage share the trials.

    Parameters
    ----------
    storage : Path
        The journal file; default study.log in the run folder.

    Raises
    ------
    ChestlibError
        If the data are too few, or the storage is broken or holds a study of other settings.
    """
    split = split or splits.default(data.train, data.test, base.seed)
    splits.require_trainable(split, data.root)
    storage, cache = storage or run.path / "study.log", cache or run.cache
    about = {"chestlib": chestlib.__version__, "identity": identify(split, cache)._asdict()}
    study = _open_study(storage, name, base, about)
    objective = _Objective(run, base, settings, split, cache)

    def told(number: int) -> None:
        if progress:
            progress(ended(study), settings.trials, f"trial {number}")

    with _sign_of_life(storage) as worker:
        while ended(study) < settings.trials:
            with lock(storage):
                trial, chosen = _next(study, base, storage, worker)
            try:
                study.tell(trial, objective(trial, chosen, partial(told, trial.number)))
            except optuna.TrialPruned:
                study.tell(trial, state=TrialState.PRUNED)
            except BaseException:
                study.tell(trial, state=TrialState.FAIL)
                raise
    told(len(study.trials))
    best = replace(suggest(optuna.trial.FixedTrial(study.best_params), base), epochs=base.epochs)
    found = {"settings": to_json(best), "value": study.best_value, "floor": base.specificity_floor}
    run.write("tuned", about | found)
    return study


def _open_study(storage: Path, name: str, base: ClassifierSettings, about: dict[str, Any]) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        study_name=name,
        storage=open_storage(storage),
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=1),
    )
    begun = study.user_attrs.get("settings", to_json(base))
    if begun != to_json(base):
        raise ChestlibError(f"{storage}: holds a study of other settings; name another --storage")
    study.set_user_attr("settings", begun)
    return study


class _Objective:
    """Train with the settings of a trial; its value is the recall on val at the floor."""

    def __init__(self, run: Run, base: ClassifierSettings, plan: TuneSettings, split: Split, cache: Path) -> None:
        order = np.random.default_rng(base.seed).permutation(len(split.train))
        few = [split.train[i] for i in sorted(order[: round(plan.train_share * len(split.train))])]
        self.run, self.cache, self.epochs = run, cache, plan.epochs
        self.few, self.val = few, XrayDataset(split.val, base.image_size, cache, boxes=False)

    def __call__(self, trial: optuna.Trial, chosen: ClassifierSettings, tell: Callable[[], None]) -> float:
        chosen = replace(chosen, epochs=self.epochs, ema=0.0)  # averaged weights would not catch up in so few
        train = XrayDataset(self.few, chosen.image_size, self.cache, boxes=False, augment=chosen.augment)
        module = Classifier(chosen, classifier.pos_weight(self.few))
        start = time.monotonic()
        trainer = fit(
            self.run, module, train, self.val, monitor="val_recall", keep=False, callbacks=[Prune(trial, tell)]
        )
        for key, value in trainer.callback_metrics.items():
            trial.set_user_attr(key.removeprefix("val_"), round(float(value), 4))
        trial.set_user_attr("seconds", round(time.monotonic() - start, 1))
        return float(trainer.callback_metrics["val_recall"])


def ended(study: optuna.Study) -> int:
    """Trials that ended, pruned ones included."""
    return len(study.get_trials(deepcopy=False, states=FINISHED))


FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


def _next(
    study: optuna.Study, base: ClassifierSettings, storage: Path, worker: str
) -> tuple[optuna.Trial, ClassifierSettings]:
    """Begin a trial; its settings are drawn from what was tried before and the seed."""
    for begun in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if not _alive(storage, begun.user_attrs.get("worker")):
            study.tell(begun.number, state=TrialState.FAIL)
    tried = len(study.get_trials(deepcopy=False, states=(*FINISHED, TrialState.RUNNING)))
    if not tried and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.enqueue_trial({key: getattr(base, key) for key in SEARCHED})  # the defaults are always among the tried
    study.sampler = optuna.samplers.TPESampler(
        seed=base.seed * 10_007 + tried, n_startup_trials=4, multivariate=True, constant_liar=True
    )
    trial = study.ask()
    trial.set_user_attr("worker", worker)
    return trial, suggest(trial, base)


@contextmanager
def _sign_of_life(storage: Path) -> Iterator[str]:
    """Give this process a name, and a lock that it holds for as long as it lives."""
    name = uuid.uuid4().hex
    with FileLock(f"{storage}.{name}.lock"):
        yield name
    Path(f"{storage}.{name}.lock").unlink(missing_ok=True)


def _alive(storage: Path, worker: str | None) -> bool:
    """Tell whether the process that has a trial still lives."""
    file = Path(f"{storage}.{worker}.lock")
    if not file.exists():
        return False
    try:
        with FileLock(file, timeout=0):
            file.unlink()
            return False
    except Timeout:
        return True
