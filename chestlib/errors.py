"""The one error a user meets: one clear line that names the file and says what to do."""

from __future__ import annotations


class ChestlibError(Exception):
    """Input or state that the user can mend.

    The message is one line: the file first, then what is wrong, then what to do. The command line
    prints it and exits with status 2; a notebook shows it as it is.
    """

    def _render_traceback_(self) -> list[str]:
        """Give IPython the line to show instead of a traceback."""
        return [str(self)]


class Interrupted(ChestlibError):
    """Long work that was stopped from outside; the command line exits with status 130."""
