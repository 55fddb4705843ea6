"""Broken input through the command line: exit status 2 and one line that names the file, or it is still sound."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import inputs
import pytest
from commands import MEMORY, SECONDS, Ended, run
from inputs import KINDS, Kind
from mutations import Mutant
from world import served

COSTLY, OTHERS = 3, 6
"""Mutants a kind in the campaign; the small form has one of each kind that is not costly, and one handmade."""

CASES = [pytest.param(kind, "small", id=f"{kind.name}-small") for kind in KINDS if not kind.costly]
CASES += [pytest.param(kind, "whole", id=f"{kind.name}-whole", marks=pytest.mark.campaign) for kind in KINDS]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A folder for the cases, and keywords for :func:`chestlib.data.fetch` whose addresses are below it."""
    folder = tmp_path_factory.mktemp("inputs")
    mirror = inputs.served(folder / "good")
    with served(folder) as address:
        yield folder, {**mirror, "repository": address}


Try = Callable[[Kind, str, "Mutant | None"], str]


@pytest.fixture
def attempt(web: tuple[Path, dict[str, Any]], trained: Path) -> Try:
    """Run the command of a kind on one mutant (None: on the good input); "refused", "sound", or what went wrong."""
    base, mirror = web

    def attempt(kind: Kind, name: str, mutant: Mutant | None) -> str:
        folder = base / f"{KINDS.index(kind):02d}-{name}"
        folder.mkdir()
        path = kind.make(folder, trained)
        if mutant:
            path.unlink()
            path.write_bytes(mutant.data)
        address = f"{mirror['repository']}/{folder.name}/served"
        before = _snapshot(folder)
        ended = run(
            [arg.format(path.relative_to(folder)) for arg in kind.args],
            folder,
            mirror={**mirror, "repository": address, "archives": [address]},
            variables={"CHESTLIB_HOME": str(folder)},
        )
        return _verdict(ended, path.name, folder, before, mutant)

    return attempt


def _snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Files and their size and time, and folders; but for locks, the image cache, and what a fetch goes on with."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.suffix == ".lock" or {"cache", ".fetch"} & set(name.parts) or (path / ".fetch").exists():
            continue
        state = path.stat()
        found[str(name)] = (state.st_size, state.st_mtime_ns) if path.is_file() else (0, 0)
    return found


def _verdict(ended: Ended, name: str, folder: Path, before: dict, mutant: Mutant | None) -> str:
    after = _snapshot(folder)
    if list(folder.rglob("exploded")):
        return "CODE WAS RUN"
    if "Traceback" in ended.err + ended.out or ended.status not in (0, 2):
        return f"status {ended.status}: {ended.err[-1500:]}"
    if ended.memory > MEMORY:
        return f"took {ended.memory >> 20} MiB"
    if ended.status == 0:
        if mutant and mutant.broken:
            return f"accepted what is broken: {ended.out} {ended.err}"
        for new in after:
            if new.endswith(".json") and new not in before:
                json.loads((folder / new).read_text(), parse_constant=_no_number)
        return "sound"
    said = ended.lines or ended.out.splitlines()  # `check` tells all it finds on standard output
    if ended.seconds > SECONDS:
        return f"took {ended.seconds} s"
    if len(ended.lines) > 1 or not said:
        return f"not one line: {ended.err}"
    if not any(name in line for line in said):
        return f"does not name {name}: {said}"
    if max(map(len, said)) > 1000:
        return f"a line of {max(map(len, said))} characters: {said[0][:300]}"
    if after != before:
        changed = {k for k in before.keys() | after.keys() if before.get(k) != after.get(k)}
        return f"left or changed {sorted(changed)[:5]}; {said}"
    return "refused"


def _no_number(text: str) -> float:
    raise AssertionError(f"{text} is no JSON")


@pytest.mark.campaign
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_good_input_is_taken(kind: Kind, attempt: Try) -> None:
    assert attempt(kind, "good", None) == "sound"


@pytest.mark.parametrize(("kind", "form"), CASES)
def test_broken_input_is_refused(
    kind: Kind, form: str, attempt: Try, trained: Path, web: tuple, tmp_path: Path, record_property: Callable
) -> None:
    good = kind.make(tmp_path, trained).read_bytes()
    rng = random.Random(f"{kind.name} {form}")
    count = 1 if form == "small" else COSTLY if kind.costly else OTHERS
    mutants = [kind.mutate(good, rng) for _ in range(count)]
    mutants += kind.extra(good)[: 1 if form == "small" else None]
    verdicts = [attempt(kind, f"{form}-{i}", mutant) for i, mutant in enumerate(mutants)]
    counts = Counter(verdict if verdict in ("refused", "sound") else "wrong" for verdict in verdicts)
    record_property(
        "campaign",
        f"{kind.name:<34}{len(mutants):>5} tried{counts['refused']:>5} refused{counts['sound']:>5} still sound",
    )
    wrong = [
        f"{i} ({mutant.damage}): {verdict}"
        for i, (mutant, verdict) in enumerate(zip(mutants, verdicts, strict=True))
        if verdict not in ("refused", "sound")
    ]
    assert not wrong, "\n".join(wrong)
