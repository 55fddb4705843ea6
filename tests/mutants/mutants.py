"""Wrong versions that pass unnoticed: `make mutants` makes each one of table.py in a scratch copy and runs its tests.

The tests named beside a mutant must go red for it; where they stay green it has survived, and the exit status is 1. It
takes long, so it is run by hand: after work on training, prediction, command line, viewer or report.

    python tests/mutants/mutants.py          # all
    python tests/mutants/mutants.py 5 8      # these families
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

TOP = Path(__file__).parents[2]
PARTS = ("chestlib", "notebooks", "tests", "pyproject.toml")
"""What the tests of mutants need of the project."""
PROCESSES = 2
HANGS = 900
"""Seconds after which tests are ended; a mutant that makes them hang is noticed, too."""


@dataclass(frozen=True)
class Mutant:
    """A wrong version: in `file`, `old` is replaced by `new`; `tests` (a file or an id of pytest) should notice."""

    family: int
    name: str
    file: str
    old: str
    new: str
    tests: str

    def changed(self, top: Path) -> str:
        """The wrong text of the file; SystemExit where the table is stale."""
        path = top / self.file
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if (count := text.count(self.old)) != 1:
            raise SystemExit(f"{self.file}: {self.old!r} stands there {count} times, not once; the table is stale")
        return text.replace(self.old, self.new)


class Bench:
    """Scratch copies of the project, one a process, and the tests that run in them."""

    def __init__(self, top: Path, scratch: Path) -> None:
        self.scratch, self.running = scratch, set[subprocess.Popen[str]]()
        self.free: SimpleQueue[Path] = SimpleQueue()
        hidden = shutil.ignore_patterns("__pycache__", ".*", "node_modules")
        for i in range(PROCESSES):
            copy = scratch / str(i) / "project"
            copy.mkdir(parents=True)
            for part in filter(Path.exists, (top / part for part in PARTS)):
                if part.is_dir():
                    shutil.copytree(part, copy / part.name, ignore=hidden)
                else:
                    shutil.copy2(part, copy)
            self.free.put(copy)

    def test(self, tests: Sequence[str], mutant: Mutant | None = None) -> tuple[int, str, float]:
        """Run tests, with a mutant in the copy that they run in: pytest's exit status, what it said, seconds."""
        copy, start = self.free.get(), time.monotonic()
        file = copy / mutant.file if mutant else None
        right = file.read_bytes() if file else b""
        try:
            if file and mutant:
                file.write_text(mutant.changed(copy), encoding="utf-8")
            # Toy runs are made once for all mutants, but for those of the training itself.
            runs = (
                copy.parent / "runs" if mutant and mutant.file.startswith("chestlib/train/") else self.scratch / "runs"
            )
            shutil.rmtree(copy.parent / "runs", ignore_errors=True)
            return *self._pytest(copy, tests, runs), time.monotonic() - start
        finally:
            if file:
                file.write_bytes(right)
            self.free.put(copy)

    def _pytest(self, copy: Path, tests: Sequence[str], runs: Path) -> tuple[int, str]:
        variables = {
            "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1",
            "CHESTLIB_TEST_DATA": str(self.scratch / "data"), "CHESTLIB_TEST_RUNS": str(runs),
        }  # fmt: skip
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        command += [f"--basetemp={copy.parent / 'temp'}", *tests]
        process = subprocess.Popen(
            command, cwd=copy, env=os.environ | variables, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.running.add(process)
        try:
            said = process.communicate(timeout=HANGS)[0]
        except subprocess.TimeoutExpired:
            _end(process)
            return 1, f"still running after {HANGS} s"
        except BaseException:
            _end(process)
            raise
        finally:
            self.running.discard(process)
        return process.returncode, said

    def close(self) -> None:
        """End what still runs."""
        for process in list(self.running):
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def bench(top: Path) -> Iterator[Bench]:
    """Lay out the scratch copies, and take them away again, also after Ctrl-C."""
    with TemporaryDirectory(prefix="chestlib-mutants-") as scratch:
        made = Bench(top, Path(scratch))
        try:
            yield made
        finally:
            made.close()


def check(mutants: Sequence[Mutant], top: Path = TOP) -> list[Mutant]:
    """Tell of each mutant whether it was killed or survived; the survivors.

    Raises
    ------
    SystemExit
        If the table is stale, or the tests are red before anything is changed.
    """
    for mutant in mutants:
        mutant.changed(top)
    tests = sorted({mutant.tests for mutant in mutants})
    with bench(top) as place:
        status, said, seconds = place.test(tests)
        if status:
            raise SystemExit(f"{said}\nThe tests must be green before anything is changed")
        print(f"green      unchanged {seconds:28.0f} s", flush=True)
        pool, survivors = ThreadPoolExecutor(PROCESSES), []
        try:
            results = pool.map(lambda mutant: place.test([mutant.tests], mutant), mutants)
            for mutant, (status, said, seconds) in zip(mutants, results, strict=True):
                if status not in (0, 1):
                    raise SystemExit(f"{said}\n{mutant.name}: its tests do not run; the table is stale")
                survivors += [] if status else [mutant]
                told = "killed  " if status else "SURVIVED"
                print(f"{told} {mutant.family:3d}  {mutant.name:<60} {seconds:4.0f} s", flush=True)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # first, or the next ones would begin
            place.close()
            pool.shutdown()
    return survivors


def main() -> None:
    """Check the families named as arguments, or all."""
    from table import MUTANTS

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # scratch copies go, and so do the tests in them
    signal.signal(signal.SIGINT, signal.default_int_handler)  # who is started in the background ignores it
    try:
        families = {int(argument) for argument in sys.argv[1:]}
        chosen = [mutant for mutant in MUTANTS if not families or mutant.family in families]
        survivors = check(chosen)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} killed")
    raise SystemExit(bool(survivors))


if __name__ == "__main__":
    sys.modules["mutants"] = sys.modules["__main__"]  # what table.py imports is this file
    main()
