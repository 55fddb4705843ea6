"""Both runs, and the predictor that they make."""

from __future__ import annotations

import pytest
from toy_runs import Shown

from chestlib.prediction import TwoStage
from chestlib.train import Run


@pytest.fixture(scope="session")
def runs(watched_runs: dict[str, tuple[Run, Shown]]) -> tuple[Run, Run]:
    return watched_runs["classifier"][0], watched_runs["detector"][0]


@pytest.fixture(scope="session")
def model(runs: tuple[Run, Run]) -> TwoStage:
    return TwoStage(*runs)
