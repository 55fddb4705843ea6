"""Optuna for stage 1: the highest recall that keeps the specificity floor.

Recall alone has a trivial optimum: call everyone diseased. So the objective is the sensitivity on the validation part
at the best threshold whose specificity is at least the floor; with `floor=0` the study is the degenerate one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from lightning.pytorch import Callback, LightningModule, Trainer
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from chestlib import classifier, splits
from chestlib.classifier import Classifier
from chestlib.datasets import XrayDataset
from chestlib.errors import ChestlibError
from chestlib.runs import SEARCHED, Run
from chestlib.settings import ClassifierSettings, TuneSettings, to_json
from chestlib.sources import DataFolder
from chestlib.splits import Split
from chestlib.training import fit


def suggest(trial: optuna.Trial, base: ClassifierSettings) -> ClassifierSettings:
    """The settings of a trial: the six that are searched, the rest from `base`."""
    return replace(
        base,
        learning_rate=trial.suggest_float("learning_rate", 3e-4, 3e-3, log=True),
        weight_decay=trial.suggest_float("weight_decay", 1e-3, 1e-1, log=True),
        width=trial.suggest_categorical("width", [8, 16, 24]),
        dropout=trial.suggest_float("dropout", 0.0, 0.4, step=0.1),
        augment=trial.suggest_float("augment", 0.0, 1.0, step=0.25),
        batch_size=trial.suggest_categorical("batch_size", [16, 32]),
    )


def open_storage(path: Path) -> JournalStorage:
    """The journal file of a study; several processes may share it.

    Raises
    ------
    ChestlibError
        If the file is there but no journal.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        storage = JournalStorage(JournalFileBackend(str(path)))
        storage.get_all_studies()
        return storage
    except OSError as error:
        raise ChestlibError(f"{path}: cannot be opened ({error.strerror}); name another --storage") from None
    except Exception as error:  # a broken journal raises whatever its first broken line leads to
        raise ChestlibError(
            f"{path}: not a study's storage file ({error}); move it away or name another --storage"
        ) from None


class Prune(Callback):
    """Reports every epoch to the study, and ends a trial that lags behind."""

    def __init__(self, trial: optuna.Trial, tell: Callable[[], None]) -> None:
        self.trial = trial
        self.tell = tell

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
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
    progress: Callable[[int, int, str], None] | None = None,
) -> optuna.Study:
    """Search until the study holds `settings.trials` finished trials, and write the best settings as tuned.json.

    A study that was killed goes on: finished trials are kept in the storage file. Processes that share one storage
    share the trials.

    Parameters
    ----------
    storage : Path
        The journal file; default study.log in the run folder.
    """
    split = split or splits.default(data.train, data.test, base.seed)
    splits.require_trainable(split, data.root)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        study_name=name,
        storage=open_storage(storage or run.path / "study.log"),
        direction="maximize",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=base.seed, n_startup_trials=4, multivariate=True, constant_liar=True),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=1),
    )
    if not study.trials:
        study.enqueue_trial({key: getattr(base, key) for key in SEARCHED})  # the defaults are always among the tried
    rng = np.random.default_rng(base.seed)
    few = [
        split.train[i]
        for i in sorted(rng.permutation(len(split.train))[: round(settings.train_share * len(split.train))])
    ]
    cache = cache or run.path.parent / "cache"
    val = XrayDataset(split.val, base.image_size, cache, boxes=False)

    def objective(trial: optuna.Trial) -> float:
        chosen = replace(suggest(trial, base), epochs=settings.epochs)
        train = XrayDataset(few, chosen.image_size, cache, boxes=False, augment=chosen.augment)
        module = Classifier(chosen, classifier.pos_weight(few))
        start = time.monotonic()
        trainer = fit(run, module, train, val, monitor="val_recall", keep=False,
                      callbacks=[Prune(trial, lambda: told(trial.number))])  # fmt: skip
        for key, value in trainer.callback_metrics.items():
            trial.set_user_attr(key.removeprefix("val_"), round(float(value), 4))
        trial.set_user_attr("seconds", round(time.monotonic() - start, 1))
        return float(trainer.callback_metrics["val_recall"])

    def told(number: int) -> None:
        if progress:
            progress(done(study), settings.trials, f"trial {number}")

    study.optimize(objective, callbacks=[_stop_at(settings.trials)]) if done(study) < settings.trials else None
    told(len(study.trials))
    best = replace(suggest(optuna.trial.FixedTrial(study.best_params), base), epochs=base.epochs)
    run.write("tuned", {"settings": to_json(best), "value": study.best_value, "floor": base.specificity_floor})
    return study


def done(study: optuna.Study) -> int:
    """Trials that ended, pruned ones included."""
    return len(study.get_trials(deepcopy=False, states=FINISHED))


FINISHED = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)


def _stop_at(trials: int) -> Callable[[optuna.Study, Any], None]:
    def stop(study: optuna.Study, _: Any) -> None:
        if done(study) >= trials:
            study.stop()

    return stop
