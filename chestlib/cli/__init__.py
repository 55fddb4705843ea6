"""The command line, thin over the package: parse, call, print. Bad input is one line and exit status 2."""

from __future__ import annotations

from chestlib.cli import data, scoring, training, using  # noqa: F401  # their commands
from chestlib.cli.options import app
from chestlib.console import answer_for

__all__ = ["app", "main"]


def main() -> None:
    """Run the `chestlib` command."""
    answer_for(app)
