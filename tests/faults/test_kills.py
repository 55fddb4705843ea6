"""kill -9 at random moments: the same command again ends as if nothing had been, and half is never taken for whole."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable

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
