"""A full disk and a read-only one: one clear line, and what existed stays as it was."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import Ended
from world import COMMANDS, Command, World, files

ROOM = {
    "fetch": 60, "phantom": 16, "tune": 8, "train classifier": 200, "train detector": 20_000, "predict": 8,
    "report": 24,
}  # fmt: skip
"""KiB that the disk has left; each command needs more."""


def mount(folder: Path, *options: str) -> None:
    subprocess.run(["mount", *options, str(folder)], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("only root can mount a small file system; the last test is root in a name space of its own")
    try:
        mount(folder, "-t", "tmpfs", "-o", "size=200m", "tmpfs")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no file system can be mounted here: {error.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, kibibytes: int) -> None:
    """Leave so much room."""
    (folder / "ballast").write_bytes(b"")
    space = os.statvfs(folder)
    with open(folder / "ballast", "wb") as file:
        file.truncate(0)
        left = space.f_bavail * space.f_frsize - (kibibytes << 10)
        while left > 0:
            left -= file.write(bytes(min(left, 1 << 20)))


def one_line(ended: Ended) -> str:
    assert ended.status == 2 and "Traceback" not in ended.err, ended.err
    # Beside a line a chapter, where a report had come so far, and on a busy machine one of the bar.
    (line,) = [line for line in ended.lines if not re.match(r"\d\d_\w: \d+ cells, |[\w ]+: \d+ of \d+ …", line)]
    return line


def lay(world: World, disk: Path, command: Command) -> Path:
    """The command's folder, on that disk, with something in it that must stay."""
    folder = disk / "here"
    for part in ("data", "notebooks"):
        shutil.copytree(world.base / part, folder / part)
    (folder / "mine.txt").write_text("mine")
    return folder


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_full_disk_is_told_and_what_existed_stays(
    command: Command, world: World, disk: Path, record_property: Callable[[str, object], None]
) -> None:
    whole, _ = world.undisturbed(command)
    folder = lay(world, disk, command)
    before = files(folder / "data")
    fill(disk, ROOM[command.name])
    line = one_line(world.run(command, folder))
    assert "No space left" in line or "cannot write" in line, line
    assert command.result(folder) is None and files(folder / "data") == before
    assert (folder / "mine.txt").read_text() == "mine"
    (disk / "ballast").unlink()
    ended = world.run(command, folder, again=True)
    assert ended.status == 0, ended.err
    assert command.result(folder) == whole
    record_property("campaign", f"full disk, {command.name:<22}    1 tried    1 survived")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_read_only_disk_is_told_at_once(
    command: Command, world: World, disk: Path, record_property: Callable[[str, object], None]
) -> None:  # fmt: skip
    folder = lay(world, disk, command)
    before = sorted(folder.rglob("*"))
    mount(disk, "-o", "remount,ro")
    line = one_line(world.run(command, folder))
    assert "Read-only" in line and ("run" in line or "out" in line or "cache" in line), line
    assert sorted(folder.rglob("*")) == before
    record_property("campaign", f"read-only disk, {command.name:<17}    1 tried    1 refused")


@pytest.mark.skipif(not os.geteuid(), reason="root has run the tests above")
def test_who_is_not_root_runs_these_tests_where_he_is(tmp_path: Path) -> None:
    own = ["unshare", "--user", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*own, "true"], capture_output=True).returncode:
        pytest.skip("this system lets nobody but root mount a small file system")
    command = [*own, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'temp'}"]
    ended = subprocess.run([*command, "-k", "full_disk or read_only_disk", __file__], capture_output=True, text=True)
    assert ended.returncode == 0 and "skipped" not in ended.stdout, ended.stdout + ended.stderr
