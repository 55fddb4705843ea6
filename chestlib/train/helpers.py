"""Further processes that carry out trials of a study beside this one, for as long as it lives.

Two processes of one thread train twice as many small networks as one process of two threads: small steps wait for each
other. A helper is a program of its own (multiprocessing would import the user's script once more), and ends when its
standard input does: so it ends with this process, however that ends.
"""

from __future__ import annotations

import _thread
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from chestlib import devices
from chestlib.errors import ChestlibError, Interrupted
from chestlib.settings import TuneSettings

EACH = 4
"""Trials for each process, at least: to start one takes as long as a trial."""

PATIENCE = 10.0
"""Seconds that a helper has to end its trial in good order."""

PROGRAM = "import sys; i = sys.stdin.buffer; work = i.read(int(i.readline())); import {0}; {0}.help_out(work)"


def pay(plan: TuneSettings) -> int:
    """Choose how many processes carry out the trials of a study: one a core, but one in all on a GPU."""
    return max(1, min(plan.at_once, devices.cores(), plan.trials // EACH)) if devices.device() == "cpu" else 1


@contextmanager
def started(count: int, **work: Any) -> Iterator[None]:
    """Start so many helpers, each of which calls :func:`chestlib.train.study.search` with `work`."""
    begun = []
    try:
        for _ in range(count):
            command = [sys.executable, "-c", PROGRAM.format(__name__)]
            quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            # A session of its own: Ctrl+C is told to this process, which ends the others.
            helper = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, **quiet)
            begun.append(helper)
        for helper in begun:
            assert helper.stdin
            with suppress(OSError):  # one that could not start is missed by nobody
                text = pickle.dumps(work)
                helper.stdin.write(b"%d\n%b" % (len(text), text))
                helper.stdin.flush()
        yield
    finally:
        for helper in begun:
            with suppress(OSError):
                helper.stdin.close()  # type: ignore[union-attr]
        for helper in begun:
            try:
                helper.wait(PATIENCE + 5)
            except subprocess.TimeoutExpired:
                helper.kill()


def help_out(work: bytes) -> None:
    """Carry out trials until none is left, or until standard input ends."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    from chestlib.train.study import search

    with suppress(KeyboardInterrupt, Interrupted, ChestlibError):  # the process that it helps tells what is wrong
        search(**pickle.loads(work))


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    _thread.interrupt_main()
    time.sleep(PATIENCE)
    os._exit(1)
