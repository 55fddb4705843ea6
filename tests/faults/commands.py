"""A chestlib command in a process of its own, forked from one that has imported everything: it takes milliseconds to
start, its streams, its memory and its end are real, and it can be killed at any moment."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chestlib import settings

TINY = settings.Profile(
    name="quick",
    phantom=(2, 1),
    classifier=settings.ClassifierSettings(image_size=32, epochs=3, batch_size=16, width=8, depth=2),
    detector=settings.DetectorSettings(
        image_size=64, epochs=2, batch_size=8, fpn_channels=8, head_units=16, regions=16, proposals=40
    ),
    tune=settings.TuneSettings(trials=3, epochs=2),
    resamples=20,
)
"""What `--profile quick` means in these commands."""

MEMORY = 1 << 30
"""Bytes that a command may take on top of what the imports take."""
SECONDS = 10
"""Of processor time, for a command that refuses its input."""
HANGS = 300
"""Seconds after which a command is ended."""

FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(
    ["pytest", "commands"]
    + [
        f"chestlib.{name}"
        for name in ("cli", "data", "phantom", "prediction", "report", "train.workflow", "train.study")
    ]
)


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit status (negative: the signal that killed it), both streams, what it took."""

    status: int
    out: str
    err: str
    seconds: float
    memory: int

    @property
    def lines(self) -> list[str]:
        """What it said on standard error."""
        return [line for line in self.err.splitlines() if line.strip()]


def run(
    args: Sequence[object],
    folder: Path,
    *,
    kill_after: float | None = None,
    mirror: Mapping[str, Any] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Ended:
    """Run `chestlib ARGS` in `folder`.

    Parameters
    ----------
    kill_after : float, optional
        Seconds after which it is killed with SIGKILL, its children first left alone, as the system would.
    mirror : mapping, optional
        Other keywords of :func:`chestlib.data.fetch`: the addresses of a local server.
    variables : mapping, optional
        Environment variables.
    """
    with TemporaryDirectory() as streams:
        child = FORK.Process(
            target=_command, args=([*map(str, args)], folder, Path(streams), dict(mirror or {}), dict(variables or {}))
        )
        start = time.monotonic()
        child.start()
        child.join(HANGS if kill_after is None else kill_after)
        if child.is_alive():
            os.kill(child.pid, signal.SIGKILL)
            child.join()
        took = Path(streams, "took")
        seconds, memory = json.loads(took.read_text()) if took.exists() else (time.monotonic() - start, 0)
        out, err = (
            file.read_text(errors="replace") if file.exists() else ""
            for file in (Path(streams, "out"), Path(streams, "err"))
        )
    return Ended(child.exitcode, out, err, seconds, memory)


def _command(args: list[str], folder: Path, streams: Path, mirror: dict[str, Any], variables: dict[str, str]) -> None:
    from chestlib import cli
    from chestlib.data import fetch

    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(streams / name, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(folder)
    os.environ.update(variables)
    settings.PROFILES["quick"] = TINY
    if args[0] in ("train", "tune", "predict"):  # so small a model is no work for two threads
        import torch

        from chestlib import devices

        devices.use_threads = lambda most=1: torch.set_num_threads(1)
        devices.use_threads()
    fetch.__kwdefaults__.update(mirror)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + 4 * MEMORY,) * 2)  # a bomb ends itself, not the machine
    sys.argv = ["chestlib", *args]
    try:
        cli.main()
    finally:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        took = [usage.ru_utime + usage.ru_stime, (usage.ru_maxrss - before) * 1024]
        (streams / "took").write_text(json.dumps(took))
