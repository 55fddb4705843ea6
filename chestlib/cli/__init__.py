"""The command line, thin over the package: parse, call, print. Bad input is one line and exit status 2."""

from __future__ import annotations

import sys

from chestlib.cli import data, training, using  # noqa: F401  # their commands
from chestlib.cli.options import app
from chestlib.console import complain, errors
from chestlib.errors import ChestlibError, Interrupted
from chestlib.files import first_process

__all__ = ["app", "main"]


def main() -> None:
    """Run the `chestlib` command."""
    try:
        app(standalone_mode=True)
    except Interrupted as error:
        if first_process():  # a terminal interrupts all processes of a training
            complain(error)
        sys.exit(130)
    except ChestlibError as error:
        complain(error)
        sys.exit(2)
    except OSError as error:  # a full disk, a read-only folder: what existed is intact, writes are atomic
        complain(f"{error.filename or 'output'}: {error.strerror or error}; free space or choose another folder")
        sys.exit(2)
    except SystemExit as end:
        if end.code == 130:  # how typer ends an interrupt, without a word
            errors.print("interrupted; the same command goes on where it can")
        raise
