"""Optuna for stage 1: recall under the specificity floor, as a figure that a search can climb.

Recall alone has a trivial optimum: call everyone diseased. Recall at the floor moves in steps of one image. So the
objective is the average precision on the validation part, and the floor is kept by the threshold, which is chosen last.
A trial sees small images: it is over in seconds, and still learns.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from lightning.pytorch import Callback, LightningModule, Trainer
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

import chestlib
from chestlib import devices
from chestlib.console import Progress
from chestlib.data import DataFolder, Split, identify, splits
from chestlib.errors import ChestlibError, Interrupted
from chestlib.settings import ClassifierSettings, TuneSettings, to_json
from chestlib.train import classifier, helpers
from chestlib.train.classifier import Classifier
from chestlib.train.datasets import XrayDataset
from chestlib.train.draws import Draws, Halving, first_try, place, suggest
from chestlib.train.run import OLD, SEARCHED, Run, differences
from chestlib.train.storage import fail_dead, open_storage, shown, sign_of_life, told, turn
from chestlib.train.trainer import fit

POLL = 0.2
"""Seconds between two looks at what other workers do, once the last trials are theirs."""


class Prune(Callback):
    """Reports every epoch to the study, and ends a trial that lags behind."""

    def __init__(self, trial: optuna.Trial, tell: Callable[[], None]) -> None:
        self.trial = trial
        self.tell = tell

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Report the figure of this epoch."""
        done = trainer.current_epoch + 1
        self.trial.report(float(trainer.callback_metrics[classifier.MONITOR]), done)
        self.tell()
        if done < (trainer.max_epochs or 0) and self.trial.should_prune():
            raise optuna.TrialPruned


def tune(
    data: DataFolder,
    run: Run,
    base: ClassifierSettings,
    settings: TuneSettings,
    *,
    fixed: Collection[str] = (),
    storage: str | Path | None = None,
    name: str = "stage 1",
    split: Split | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
    processes: int | None = 1,
) -> optuna.Study:
    """Search until the study holds `settings.trials` ended trials, and write the best settings as tuned.json.

    A trial that fails (its loss is no number, the memory ran out) is one of them; one whose worker was killed or
    interrupted is tried again. A study that was killed goes on, and tries what it would have tried. Processes that
    share one storage share the trials, up to `settings.at_once` of them.

    Parameters
    ----------
    fixed : collection of str
        Settings that are not searched, but as `base` has them.
    storage : str or Path
        A journal file, or the URL of a database as Optuna and SQLAlchemy know it, such as
        `postgresql+psycopg2://user@host/name`; default study.log in the run folder.
    processes : int
        How many share the trials, this one and others that it starts and ends; each has its share of the cores. None:
        as many as pay on this machine.

    Raises
    ------
    ChestlibError
        If the data are too few, the storage is broken or holds a study of other settings, or every trial failed.
    """
    split = (split or splits.default(data.train, data.test, base.seed)).known(boxes=False)
    splits.require_trainable(split, data.root, base.specificity_floor, missing=data.missing)
    where = storage or run.path / "study.log"
    cache, processes = cache or run.cache, processes or helpers.pay(settings)
    of = {"chestlib": chestlib.__version__, "identity": identify(split, cache)._asdict(), "settings": to_json(base)}
    work: dict[str, Any] = {
        "run": run, "base": base, "settings": settings, "fixed": fixed, "where": where, "name": name, "of": of,
        "split": split, "cache": cache, "threads": max(1, devices.cores() // processes),
    }  # fmt: skip
    with told(where):
        try:
            study = search(**work, progress=progress, others=processes - 1)
        except Interrupted:
            raise Interrupted(f"{run.path}: tuning interrupted; the same command goes on") from None
        if not study.get_trials(deepcopy=False, states=FINISHED):
            raise ChestlibError(
                f"{shown(where)}: all {ended(study)} trials failed, the last one: {failures(study)[-1]}; "
                "mend that and name another --storage"
            )
        best = suggest(optuna.trial.FixedTrial(study.best_params), base, fixed)
        found = {"settings": to_json(best), "value": study.best_value, "floor": base.specificity_floor}
        run.write("tuned", of | found)
    return study


def search(
    run: Run,
    base: ClassifierSettings,
    settings: TuneSettings,
    fixed: Collection[str],
    where: str | Path,
    name: str,
    of: dict[str, Any],
    split: Split,
    cache: Path,
    threads: int,
    *,
    progress: Progress | None = None,
    others: int = 0,
) -> optuna.Study:
    """Carry out trials beside the other processes of a study; what :func:`tune` and each of its helpers do."""
    objective = _Objective(run, base, settings, fixed, split, cache, threads)
    plan = to_json(settings) | {"fixed": sorted(fixed)}
    del plan["trials"]  # there may be more of them later
    store = open_storage(where)
    study = _open_study(store, where, name, of | plan)
    study.sampler = Draws(base, store, settings.at_once)
    study.pruner = Halving(settings.epochs, settings.at_once)
    helping = others if ended(study) < settings.trials else 0
    work = dict(run=run, base=base, settings=settings, fixed=fixed, where=where, name=name, of=of)
    with helpers.started(helping, **work, split=split, cache=cache, threads=threads):
        _work(study, store, settings, objective, progress)
    return study


def _open_study(storage: BaseStorage, where: str | Path, name: str, of: dict[str, Any]) -> optuna.Study:
    """Open or begin the study of these data, settings and plan; another one is left as it is."""
    if name in optuna.get_all_study_names(storage):
        study = optuna.load_study(study_name=name, storage=storage)
    else:
        study = optuna.create_study(study_name=name, storage=storage, direction="maximize", load_if_exists=True)
    # In this order: others may just begin it. One attribute for all, since it is written whole.
    begun, found = bool(study.get_trials(deepcopy=False)), study.user_attrs
    if "of" not in found:
        if begun or found:
            raise ChestlibError(f"{shown(where)}: holds a study of {OLD}, which is left alone; name another --storage")
        study.set_user_attr("of", of)
    elif differing := differences(found["of"], of):
        raise ChestlibError(f"{shown(where)}: holds a study of {differing}; name another --storage")
    return study


def _work(
    study: optuna.Study, storage: BaseStorage, plan: TuneSettings, objective: _Objective, progress: Progress | None
) -> None:
    """Carry out trials until so many have ended, here or in other workers, and none is left to be tried again."""

    def tell(note: str = "") -> None:
        if progress:
            progress(ended(study), plan.trials, note)

    with sign_of_life(storage) as worker:
        while ended(study) < plan.trials or _begun(study):
            with ExitStack() as beginning:
                beginning.enter_context(turn(storage))
                fail_dead(study, storage)
                _try_again(study)
                if due := _is_due(study, plan):
                    _one_trial(study, partial(objective, worker=worker, begun=beginning.close, tell=tell))
            if not due:
                tell("waits for other workers")
                time.sleep(POLL)
    tell()


def _is_due(study: optuna.Study, plan: TuneSettings) -> bool:
    """Tell whether there is a trial to begin, beside those that run elsewhere; it may not run beside all of them."""
    if study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        return True
    begun = _begun(study)
    if ended(study) + len(begun) >= plan.trials:
        return False
    following = len({first_try(trial) for trial in study.get_trials(deepcopy=False)})
    return all(place(study, trial) > following - plan.at_once for trial in begun)


def _begun(study: optuna.Study) -> list[FrozenTrial]:
    """List the trials that run or wait; the worker of one may be dead, and then it is tried again."""
    begun = study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING))
    # One without settings counts as none: a database's worker may have been killed before its first sign of life.
    return [trial for trial in begun if trial.params or trial.state is TrialState.WAITING]


def _try_again(study: optuna.Study) -> None:
    """Queue what was cut short, with the same settings: a trial that failed without an error of its own."""
    searched = {*SEARCHED} - {*study.user_attrs["of"]["fixed"]}
    last = {first_try(trial): trial for trial in study.get_trials(deepcopy=False)}
    for first, trial in last.items():
        if trial.state is TrialState.FAIL and "error" not in trial.user_attrs:
            params = trial.system_attrs.get("fixed_params", {}) | trial.params
            # Of one that was cut short while its settings were drawn, all are drawn again, and come out as they would.
            study.enqueue_trial(params if params.keys() >= searched else {}, {"again": first})


def _one_trial(study: optuna.Study, objective: Callable[[optuna.Trial], float]) -> None:
    try:
        study.optimize(objective, n_trials=1)
    except ValueError as error:
        # This process slept, and another one took its trial for dead and tries it again.
        if not str(error).startswith("Cannot tell a"):
            raise


class _Objective:
    """Train with the settings of a trial; its value is the average precision on val."""

    def __init__(
        self,
        run: Run,
        base: ClassifierSettings,
        plan: TuneSettings,
        fixed: Collection[str],
        split: Split,
        cache: Path,
        threads: int,
    ) -> None:
        order = np.random.default_rng(base.seed).permutation(len(split.train))
        few = max(1, round(plan.train_share * len(split.train)))
        self.few = [split.train[i] for i in sorted(order[:few])]
        self.size = min(plan.trial_size, base.image_size)
        self.val = XrayDataset(split.val, self.size, cache, boxes=False)
        self.run, self.base, self.fixed, self.plan, self.cache, self.threads = run, base, fixed, plan, cache, threads

    def __call__(
        self, trial: optuna.Trial, worker: str, begun: Callable[[], None], tell: Callable[[str], None]
    ) -> float:
        trial.set_user_attr("worker", worker)
        chosen = suggest(trial, self.base, self.fixed)
        begun()
        start = time.monotonic()
        try:
            figures = self.fit(chosen, Prune(trial, partial(tell, f"trial {trial.number}")))
        except Interrupted:
            raise
        except ChestlibError as error:
            trial.set_user_attr("error", str(error))
            return math.nan  # which ends the trial as failed
        for key, value in figures.items():
            trial.set_user_attr(key.removeprefix("val_"), round(value, 4))
        trial.set_user_attr("seconds", round(time.monotonic() - start, 1))
        return figures[classifier.MONITOR]

    def fit(self, chosen: ClassifierSettings, prune: Prune) -> dict[str, float]:
        """Train, and return the figures on val."""
        # Averaged weights would not catch up in so few epochs.
        chosen = replace(chosen, image_size=self.size, epochs=self.plan.epochs, validate_every=1, ema=0.0)
        train = XrayDataset(self.few, self.size, self.cache, boxes=False, augment=chosen.augment)
        module = Classifier(chosen, classifier.pos_weight(self.few))
        trainer = fit(
            self.run, module, train, self.val, monitor=classifier.MONITOR, keep=False, threads=self.threads,
            callbacks=[prune],
        )  # fmt: skip
        figures = {key: float(value) for key, value in trainer.callback_metrics.items()}
        if not math.isfinite(value := figures[classifier.MONITOR]):
            raise ChestlibError(f"{self.run.path}: {classifier.MONITOR} is {value}")
        return figures


FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


def ended(study: optuna.Study) -> int:
    """Count the trials that ended: finished ones, pruned ones and failed ones."""
    return len(study.get_trials(deepcopy=False, states=FINISHED)) + len(failures(study))


def failures(study: optuna.Study) -> list[str]:
    """List the errors of the trials that failed."""
    failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    return [trial.user_attrs["error"] for trial in failed if "error" in trial.user_attrs]
