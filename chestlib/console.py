"""What the command line shows while it works: bars and messages, on standard error."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from chestlib.files import first_process

errors = Console(stderr=True, highlight=False, soft_wrap=True)

LONGEST = 600
"""Characters of an error: a broken file may be quoted in it."""


def complain(error: object) -> None:
    """An error as one line on standard error."""
    errors.print(textwrap.shorten(str(error), LONGEST, placeholder=" …"), markup=False)


@contextmanager
def bar(text: str) -> Iterator[Callable[..., None]]:
    """A progress bar on standard error: call it with done, total and, if it changes, a text."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, transient=not errors.is_terminal, disable=not first_process()) as progress:
        task = progress.add_task(text, total=None)

        def tell(done: int, total: int, note: str = "") -> None:
            progress.update(task, completed=done, total=total, description=f"{text} {note}".strip())

        yield tell
