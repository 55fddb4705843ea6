"""Both runs, trained once for all tests of prediction, whatever the number of test processes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from chestlib import settings
from chestlib.data import DataFolder
from chestlib.predict import TwoStage
from chestlib.train import Run, train_stage

TINY = {
    "classifier": replace(settings.QUICK.classifier, image_size=32, width=8, depth=2, epochs=2),
    "detector": replace(
        settings.QUICK.detector, image_size=64, epochs=1, batch_size=16, fpn_channels=8, head_units=16, regions=16,
        proposals=40, score_floor=0.01,
    ),
}  # fmt: skip


@pytest.fixture(scope="session")
def runs(shared: Path, small: DataFolder) -> tuple[Run, Run]:
    found = [Run(shared / "predict-runs" / kind) for kind in TINY]
    with FileLock(shared / "predict-runs.lock"):
        for run, (_, chosen) in zip(found, TINY.items(), strict=True):
            if not run.finished:
                train_stage(small, run, chosen, resamples=20)
    return found[0], found[1]


@pytest.fixture(scope="session")
def model(runs: tuple[Run, Run]) -> TwoStage:
    return TwoStage(*runs)
