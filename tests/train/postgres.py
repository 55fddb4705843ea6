"""A PostgreSQL server for the tests: Debian's, in a folder of its own, on a socket that nobody else finds."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database; skips loudly without a server's programs, fails in CI."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        message = "NO DATABASE TEST RAN: /usr/lib/postgresql is missing; apt-get install postgresql"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    # The server refuses to run as root, and its user may not enter pytest's folders.
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    if user:
        shutil.chown(folder, "postgres")

    def call(program: str, *args: object) -> None:
        command = [*user, found[-1] / program, "-D", folder / "data", *args]
        with open(folder / "calls.log", "ab") as log:  # not a pipe: the server would hold it open
            done = subprocess.run([*map(str, command)], cwd=folder, stdout=log, stderr=log, timeout=120)
        assert done.returncode == 0, (folder / "calls.log").read_text()

    try:
        call("initdb", "--auth=trust", "--username=chestlib", "--no-sync", "--no-locale", "--encoding=UTF8")
        call("pg_ctl", "start", "-w", "-o", f"-k {folder} -c listen_addresses='' -c fsync=off")
        try:
            yield f"postgresql+psycopg2://chestlib@/postgres?host={folder}"
        finally:
            call("pg_ctl", "stop", "-m", "immediate")
    finally:
        shutil.rmtree(folder)
