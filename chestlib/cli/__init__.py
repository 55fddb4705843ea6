"""The command line, thin over the package: parse, call, print. Bad input is one line and exit status 2."""

from __future__ import annotations

import sys

from chestlib.cli import data, scoring, training, using  # noqa: F401  # their commands
from chestlib.cli.options import app
from chestlib.console import answer_for
from chestlib.errors import ChestlibError

__all__ = ["app", "main"]


def main() -> None:
    """Run the `chestlib` command."""
    answer_for(_typed)


def _typed() -> None:
    """Take what was typed; an empty name would be read as the working folder."""
    for number, word in enumerate(words := sys.argv[1:], start=1):
        if not word or (word.startswith("--") and word.endswith("=")):
            told = " ".join(word or "''" for word in words[:number])
            raise ChestlibError(f"{told}: an empty argument; is a variable of the shell not set?")
    app()
