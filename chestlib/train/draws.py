"""What a study searches, how each trial's settings are drawn, and which trials are ended early.

Both look at trials that have ended for certain, and never at those beside which a trial may run: so a study comes out
the same whoever is faster, and however many processes share it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import BaseStorage
from optuna.trial import BaseTrial, FrozenTrial

from chestlib.settings import ClassifierSettings
from chestlib.train.storage import beat

STARTUP = 8
"""Trials that are drawn at random before TPE has enough to go by."""


def suggest(trial: BaseTrial, base: ClassifierSettings, fixed: Collection[str] = ()) -> ClassifierSettings:
    """Draw the settings of a trial: the six that are searched, but for those that are `fixed`; the rest from `base`."""
    draws: dict[str, Callable[[], Any]] = {
        "learning_rate": lambda: trial.suggest_float("learning_rate", 3e-4, 3e-3, log=True),
        "weight_decay": lambda: trial.suggest_float("weight_decay", 1e-3, 1e-1, log=True),
        "width": lambda: trial.suggest_categorical("width", sorted({max(1, base.width // 2), base.width})),
        "dropout": lambda: trial.suggest_float("dropout", 0.0, 0.4, step=0.1),
        # Not 0: a trial of few epochs is over before overfitting shows, and would always leave augmentation out.
        "augment": lambda: trial.suggest_float("augment", 0.25, 1.0, step=0.25),
        "batch_size": lambda: trial.suggest_categorical("batch_size", sorted({16, 32, base.batch_size})),
    }
    return replace(base, **{name: draw() for name, draw in draws.items() if name not in fixed})


class Before:
    """A study as one trial sees it: those places before its own that had ended when it began."""

    def __init__(self, study: optuna.Study, trial: FrozenTrial, at_once: int) -> None:
        self._study = study
        self._until = place(study, trial) - at_once

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def get_trials(self, *args: Any, **options: Any) -> list[FrozenTrial]:
        """List them."""
        every = self._study._get_trials(*args, **options)
        return [trial for trial in every if place(self._study, trial) <= self._until]

    _get_trials = get_trials


class Draws(BaseSampler):
    """TPE whose draw depends on the seed, its place in the study and what ended before; the first one is the defaults.

    So workers need not agree on who draws what: Optuna's storages number the trials, and what was cut short and is
    tried again is no draw of its own.
    """

    def __init__(self, base: ClassifierSettings, storage: BaseStorage, at_once: int = 1) -> None:
        self.base = base
        self.storage = storage
        self.at_once = at_once

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Seed the draw of this trial."""
        beat(self.storage, trial)
        self.place = place(study, trial)
        seed = int(np.random.SeedSequence((self.base.seed, self.place)).generate_state(1)[0])
        self.tpe = TPESampler(seed=seed, n_startup_trials=STARTUP, multivariate=True)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Leave it to TPE."""
        seen: Any = Before(study, trial, self.at_once)
        return self.tpe.infer_relative_search_space(seen, trial) if self.place else {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Leave it to TPE."""
        seen: Any = Before(study, trial, self.at_once)
        return self.tpe.sample_relative(seen, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Leave it to TPE, but for the defaults."""
        if not self.place:
            return getattr(self.base, param_name)
        seen: Any = Before(study, trial, self.at_once)
        return self.tpe.sample_independent(seen, trial, param_name, param_distribution)


class Halving(BasePruner):
    """Successive halving: after a quarter and after half of its epochs a trial goes on if it is in the better half."""

    def __init__(self, epochs: int, at_once: int) -> None:
        self.at_once = at_once
        self.halving = SuccessiveHalvingPruner(min_resource=max(1, epochs // 4), reduction_factor=2)

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Leave it to Optuna."""
        seen: Any = Before(study, trial, self.at_once)
        return self.halving.prune(seen, trial)


def first_try(trial: FrozenTrial) -> int:
    """Give the number of the trial that this one tries again; its own, if it is no second try."""
    return int(trial.user_attrs.get("again", trial.number))


def place(study: optuna.Study, trial: FrozenTrial) -> int:
    """Count the draws before that of a trial; one that is tried again has the place of its first try."""
    first = first_try(trial)
    every = study.get_trials(deepcopy=False)
    return first - sum(t.number < first and first_try(t) != t.number for t in every)
