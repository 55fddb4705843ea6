"""`findings.txt`, a finding a line: the findings of a data set of one's own, in the order of their ids 1, 2, ..."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chestlib.errors import ChestlibError
from chestlib.files import read_text, write_atomically
from chestlib.findings import FINDINGS

FINDINGS_FILE = "findings.txt"


def read_findings(path: Path) -> tuple[str, ...]:
    """Read the names of findings, one a line; empty lines and those that start with # are passed over.

    Raises
    ------
    ChestlibError
        If the file can't be read, holds no name, or holds one twice.
    """
    lines = read_text(Path(path)).splitlines()
    seen: dict[str, str] = {}
    for number, name in enumerate(map(str.strip, lines), start=1):
        if not name or name.startswith("#"):
            continue
        if not name.isprintable():
            raise ChestlibError(f"{path}: line {number} is no name of a finding; write one a line")
        if name.casefold() in seen:
            raise ChestlibError(f"{path}: line {number}: {name} is named before; keep one line a finding")
        seen[name.casefold()] = name
    if not seen:
        raise ChestlibError(f"{path}: holds no finding; write one a line")
    return tuple(seen.values())


def findings_of(folder: Path) -> tuple[str, ...]:
    """Give the findings of a data folder or of one file of it; the ten where nothing else is said.

    `findings.txt` is looked for in the folder, up to two levels below it, and then above it.
    """
    folder = Path(folder)
    home = folder if folder.is_dir() else folder.parent
    for pattern in ("", "*/", "*/*/"):
        if len(found := list(home.glob(f"{pattern}{FINDINGS_FILE}"))) == 1:
            return read_findings(found[0])
    above = home.resolve().parent / FINDINGS_FILE
    return read_findings(above) if above.is_file() else FINDINGS


def write_findings(names: Sequence[str], folder: Path) -> None:
    """Write the names, unless they are the ten."""
    if tuple(names) != FINDINGS:
        write_atomically(folder / FINDINGS_FILE, "".join(f"{name}\n" for name in names))
