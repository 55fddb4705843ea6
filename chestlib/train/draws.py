"""What a study searches, and how each trial's settings are drawn: by TPE, from a seed and a place in the study."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import BaseStorage
from optuna.trial import BaseTrial, FrozenTrial

from chestlib.settings import ClassifierSettings
from chestlib.train.storage import beat


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


class Draws(BaseSampler):
    """TPE whose draw depends on the seed, its place in the study and what has ended; the first one is the defaults.

    So workers need not agree on who draws what: Optuna's storages number the trials, and what was cut short and is
    tried again is no draw of its own.
    """

    def __init__(self, base: ClassifierSettings, storage: BaseStorage) -> None:
        self.base = base
        self.storage = storage

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Seed the draw of this trial."""
        beat(self.storage, trial)
        first = first_try(trial)
        begun = study.get_trials(deepcopy=False)
        self.place = first - sum(t.number < first and first_try(t) != t.number for t in begun)
        seed = int(np.random.SeedSequence((self.base.seed, self.place)).generate_state(1)[0])
        self.tpe = TPESampler(seed=seed, n_startup_trials=4, multivariate=True, constant_liar=True)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Leave it to TPE."""
        return self.tpe.infer_relative_search_space(study, trial) if self.place else {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Leave it to TPE."""
        return self.tpe.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Leave it to TPE, but for the defaults."""
        if not self.place:
            return getattr(self.base, param_name)
        return self.tpe.sample_independent(study, trial, param_name, param_distribution)


def first_try(trial: FrozenTrial) -> int:
    """Give the number of the trial that this one tries again; its own, if it is no second try."""
    return int(trial.user_attrs.get("again", trial.number))
