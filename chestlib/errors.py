"""The one error a user meets: one clear line that names the file and says what to do."""

from __future__ import annotations


class ChestlibError(Exception):
    """Input or state that the user can mend.

    The message is one line: the file first, then what is wrong, then what to do. The command line
    prints it and exits with status 2; a notebook shows it as it is.
    """
