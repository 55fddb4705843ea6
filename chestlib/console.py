"""What the command line shows while it works: bars, lines and messages, on standard error."""

from __future__ import annotations

import io
import json
import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

from rich import progress
from rich.console import Console
from rich.table import Column
from rich.text import Text

from chestlib.errors import ChestlibError, Interrupted, missing
from chestlib.files import first_process

Progress = Callable[..., None]
"""Called with what is done, how much there is in all, and, where there is something to tell, a note."""

if os.environ.get("COLUMNS") == "0":  # a terminal that does not know its width; rich would print nothing at all
    del os.environ["COLUMNS"]

errors = Console(stderr=True, highlight=False, soft_wrap=True)

LONGEST = 600
"""Characters of an error: a broken file may be quoted in it."""

PATIENCE = 3.0
"""Seconds after which a bar says a line where there is no terminal to draw it on."""

PERIOD = 0.5
"""Seconds between two looks at what runs inside a cell."""

PIPE_CLOSED = 128 + 13
"""Exit status of a program whose reader left: that of SIGPIPE, as a shell tells it."""

RELAY = "CHESTLIB_PROGRESS"
"""The variable that names the file through which a notebook's process tells what runs inside a cell."""


def complain(error: object) -> None:
    """Print an error as one line on standard error."""
    errors.print(textwrap.shorten(str(error), LONGEST, placeholder=" …"), markup=False)


def answer_for(command: Callable[[], object]) -> NoReturn:
    """Run a command and end the process: bad input is one line and exit status 2, an interrupt is 130.

    What a terminal's code page lacks is escaped. Who reads the output may leave off, as `head` does: 141.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # none if it was closed, another in a test
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _status(command)
        if sys.stdout:
            sys.stdout.flush()
    except BrokenPipeError:
        status = PIPE_CLOSED
    except OSError as error:  # a full disk
        complain(f"output: {error.strerror or error}; free space or choose another folder")
        status = 2
    if status == PIPE_CLOSED:
        for stream in (sys.stdout, sys.stderr):  # the interpreter flushes once more, and would complain
            with suppress(OSError, ValueError, AttributeError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(status)


def _status(command: Callable[[], object]) -> Any:
    """Run a command and tell its exit status."""
    try:
        command()
    except Interrupted as error:
        if first_process():  # a terminal interrupts all processes of a training
            complain(error)
        return 130
    except ChestlibError as error:
        complain(error)
        return 2
    except ImportError as error:
        if not (told := missing(error)):
            raise
        complain(told)
        return 2
    except UnicodeEncodeError as error:
        complain(f"{error.object!a}: no file name in this locale's {error.encoding}; set PYTHONUTF8=1")
        return 2
    except BrokenPipeError:
        raise
    except OSError as error:  # a full disk, a read-only folder: what existed is intact, writes are atomic
        complain(f"{error.filename or 'output'}: {error.strerror or error}; free space or choose another folder")
        return 2
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # typer's and rich's end of it
            return PIPE_CLOSED
        if end.code == 130:  # how typer ends an interrupt, without a word
            errors.print("interrupted; the same command goes on where it can")
        return end.code
    return 0


@contextmanager
def in_a_line(remedy: str) -> Iterator[None]:
    """Make one line of a full or a read-only disk, as a command does, for who calls from Python."""
    try:
        yield
    except OSError as error:
        raise ChestlibError(f"{error.filename or 'output'}: {error.strerror or error}; {remedy}") from None


def tell(where: object, notes: Iterable[str]) -> None:
    """Print what is doubtful, a line a note, on standard error."""
    for note in notes:
        errors.print(f"{where}: {note}", markup=False)


def duration(seconds: float) -> str:
    """Seconds as a reader says them: `21 s`, `3 min 5 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class _TimeLeft(progress.TimeRemainingColumn):
    """The seconds left that were told; else what the speed so far makes likely."""

    def render(self, task: progress.Task) -> Text:
        left = task.fields["left"]
        return super().render(task) if left is None else Text(f"{timedelta(seconds=round(left))} left", "cyan")


@contextmanager
def bar(text: str) -> Iterator[Progress]:
    """Show a progress bar; where there is no terminal, a plain line at begin and end of what takes long.

    Yields
    ------
    callable
        To be called with done, total and, if there is one, a note. `left` are the seconds that remain, where the
        caller knows better than the speed so far; `line` is a line that stays.
    """
    whole = Column(no_wrap=True, overflow="crop")  # only the text may take a second line; no terminal lacks a cut
    columns = (
        progress.TextColumn("{task.description}", markup=False, table_column=Column()),
        progress.BarColumn(20, table_column=whole),
        progress.MofNCompleteColumn(table_column=whole),
        progress.TimeElapsedColumn(table_column=whole),
        _TimeLeft(table_column=whole),
    )
    start, first, drawn = time.monotonic(), first_process(), errors.is_terminal
    silent, began = drawn or not (first and text), False
    # Not a disabled one: rich 13.9 ends it with an empty line.
    with progress.Progress(*columns, console=errors) if drawn and first else nullcontext() as shown:
        if shown:
            task = shown.add_task(text, total=None, left=None)

        def tell(done: int, total: int, note: str = "", *, left: float | None = None, line: str = "") -> None:
            nonlocal silent, began
            if shown:
                shown.update(task, completed=done, total=total, description=f"{text} {note}".strip(), left=left)
            if line and first:
                errors.print(line, markup=False)
                silent = True  # the caller finds its own words
            elif not (silent or began) and time.monotonic() - start > PATIENCE:
                errors.print(f"{text}: {done} of {total} …", markup=False)
                began = True

        yield tell
    if began:
        errors.print(f"{text}: done, {duration(time.monotonic() - start)}", markup=False)


@contextmanager
def relay(part: str, text: str) -> Iterator[Progress | None]:
    """Tell the report that runs this notebook how far something is; yields None when no report does."""
    if not (path := os.environ.get(RELAY)):
        yield None
        return
    file, due = Path(path), 0.0

    def tell(done: int, total: int, note: str = "") -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + PERIOD
            with suppress(OSError):  # no training stops for its progress
                half = file.with_suffix(".part")
                half.write_text(json.dumps([part, f"{text}, {note}" if note else text, done, total]), encoding="utf-8")
                half.replace(file)

    tell(0, 0)
    try:
        yield tell
    finally:
        with suppress(OSError):
            file.unlink(missing_ok=True)


def relayed(file: Path) -> list[Any] | None:
    """Read what :func:`relay` told last, as part, text, done and total; None when nothing runs."""
    try:
        told: list[Any] = json.loads(file.read_text(encoding="utf-8"))
        return told
    except (OSError, ValueError):
        return None
