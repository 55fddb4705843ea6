"""kill -9 at random moments: the same command again ends as if nothing had been, and half is never taken for whole."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import crossed
import pytest
from world import COMMANDS, Command, World, trials

FEW, MANY = 2, 20
"""Kills of a command, in the small form and in the campaign."""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
@pytest.mark.parametrize("form", ["small", pytest.param("whole", marks=pytest.mark.campaign)])
def test_a_killed_command_ends_as_if_nothing_had_been(
    command: Command, form: str, world: World, record_property: Callable[[str, object], None]
) -> None:
    if form == "small" and command.name == "report":
        pytest.skip("tests/report/test_report.py kills a report")
    whole, seconds = world.undisturbed(command)
    rng = random.Random(f"{command.name} {form}")
    kills = tries = 0
    while kills < (FEW if form == "small" else MANY):
        folder = world.folder(f"{command.name}-{form}-{tries}")
        tries += 1
        for again in range(rng.choice([1, 1, 1, 2])):
            start = time.monotonic()
            ended = world.run(command, folder, again > 0, kill_after=rng.uniform(0, seconds))
            assert ended.status in (-9, 0), ended.err
            kills += ended.status == -9
            if ended.status == 0 and not again:  # it was faster than thought
                seconds = min(seconds, time.monotonic() - start)
            assert command.result(folder) in (None, whole), "half of it passes for the whole"
            if command.name == "tune" and (folder / "run" / "study.log").exists():
                assert trials(folder) == whole[1][: len(trials(folder))]
        ended = world.run(command, folder, again=True)
        assert ended.status == 0, ended.err
        assert command.result(folder) == whole
        shutil.rmtree(folder)
    record_property("campaign", f"kill -9, {command.name:<24}{kills:>5} killed{kills:>5} survived")


MOMENTS = (
    "features.npy", "drawings/checkpoints/last.ckpt", "fold-0-first/checkpoints/best.safetensors",
    "fold-0/checkpoints/last.ckpt", "fold-0/predictions.json", "fold-1-first/checkpoints/best.safetensors",
    "fold-1/checkpoints/best.safetensors",
)  # fmt: skip
"""What the cross-validation has just written when it is killed."""


@pytest.mark.parametrize("form", ["small", pytest.param("whole", marks=pytest.mark.campaign)])
def test_a_killed_cross_validation_on_real_films_ends_as_if_nothing_had_been(
    form: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    films, out = crossed.lay(tmp_path / "films"), tmp_path / "killed"
    rng = random.Random(f"cross-validation {form}")
    assert crossed.start(films, tmp_path / "alone") == 0, (tmp_path / "alone" / "log.txt").read_text()[-3000:]
    whole = crossed.figures(tmp_path / "alone")
    assert set(whole) == {"localisation", "operating point", "stage 1", "stage 2"}
    moments = MOMENTS[2:3] if form == "small" else MOMENTS
    for moment in moments:
        assert crossed.start(films, out, moment, wait=rng.uniform(0, 0.1)) == -9, (out / "log.txt").read_text()[-3000:]
        assert crossed.figures(out) is None, "half of it passes for the whole"
    assert crossed.start(films, out) == 0, (out / "log.txt").read_text()[-3000:]
    assert crossed.figures(out) == whole
    record_property("campaign", f"kill -9, {'real films':<24}{len(moments):>5} killed{len(moments):>5} survived")
