"""What the command line shows while it works: bars and messages, on standard error."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import progress
from rich.console import Console

from chestlib.files import first_process

Progress = Callable[..., None]
"""Called with what is done, how much there is in all, and, where there is something to tell, a note."""

errors = Console(stderr=True, highlight=False, soft_wrap=True)

LONGEST = 600
"""Characters of an error: a broken file may be quoted in it."""


def complain(error: object) -> None:
    """An error as one line on standard error."""
    errors.print(textwrap.shorten(str(error), LONGEST, placeholder=" …"), markup=False)


@contextmanager
def bar(text: str) -> Iterator[Progress]:
    """A progress bar on standard error: call it with done, total and, if it changes, a text."""
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
    )
    hidden = not first_process()
    with progress.Progress(*columns, console=errors, transient=not errors.is_terminal, disable=hidden) as shown:
        task = shown.add_task(text, total=None)

        def tell(done: int, total: int, note: str = "") -> None:
            shown.update(task, completed=done, total=total, description=f"{text} {note}".strip())

        yield tell
