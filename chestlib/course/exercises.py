"""The checks of the exercises: they say right, or what failed, with a hint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class NotYet(AssertionError):
    """An answer that is missing or wrong; a notebook shows its lines instead of a traceback."""

    def _render_traceback_(self) -> list[str]:
        """Give IPython the lines to show instead of a traceback."""
        return f"not yet: {self}".splitlines()


@contextmanager
def check(task: str, hint: str) -> Iterator[None]:
    """Run the assertions of a task under this `with`.

    Parameters
    ----------
    task : str
        What an answer must do; printed after `right:` when all assertions hold.
    hint : str
        Where to look when one does not.

    Raises
    ------
    NotYet
        With the failed assertion's message, or with the error that the answer itself raised.
    """
    try:
        yield
    except Exception as error:
        name = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        failed = f"{name}{error}".strip().partition("\n")[0]
        if name and "NoneType" in failed:
            failed = "an answer is None; is something still to be written or returned?"
        raise NotYet("\n".join([task, *([f"  failed: {failed}"] if failed else []), f"  hint: {hint}"])) from None
    print(f"right: {task}")
