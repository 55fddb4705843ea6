"""Run notebooks in order, keep the executed copies, and take up a killed report at the notebook it was in."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode

from chestlib.console import PERIOD, RELAY, Progress, duration, relayed
from chestlib.course import read_notebook
from chestlib.errors import ChestlibError
from chestlib.files import write_atomically
from chestlib.report.pace import OWN, Pace

PACKAGE = Path(__file__).parents[1]


class Failure(NamedTuple):
    """Where and why a notebook stopped; `cell` counts all cells from 1 (0: the kernel did not start)."""

    cell: int
    error: str

    @property
    def where(self) -> str:
        """The place in words."""
        return f"at cell {self.cell}" if self.cell else "before its first cell"


class Executed(NamedTuple):
    """One notebook with its outputs."""

    path: Path
    notebook: NotebookNode
    seconds: float
    failure: Failure | None = None

    def __str__(self) -> str:
        if self.failure:
            return f"stopped {self.failure.where}: {self.failure.error}"
        return f"{len(self.notebook.cells)} cells, {duration(self.seconds)}"


def execute(
    notebooks: Sequence[Path],
    folder: Path,
    environment: dict[str, str],
    state: str = "",
    progress: Progress | None = None,
    done: Collection[str] = (),
) -> Iterator[Executed]:
    """Run each notebook in a fresh kernel of this Python, with its own folder as the working directory.

    Parameters
    ----------
    notebooks : sequence of Path
    folder : Path
        Receives the executed copies. Copies of an unfinished report are taken as they are if notebook, settings,
        data and package have not changed since.
    environment : dict
        Variables for the kernels, on top of this process's.
    state : str
        Names the state of the data; copies of another state are not taken.
    done : collection of str
        What no cell has to do again, as "detector"; see :class:`chestlib.report.pace.Pace`.

    Raises
    ------
    ChestlibError
        If a notebook cannot be read or the folder cannot be written. A notebook that fails is no exception.
    """
    sources = [read_notebook(path) for path in notebooks]  # a broken file is told before hours of training
    copies = [_copy(folder / path.name, source) for path, source in zip(notebooks, sources, strict=True)]
    if finished(folder).exists():
        shutil.rmtree(folder)
        copies = [None] * len(copies)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ChestlibError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from None
    cells = [cell for source in sources for cell in source.cells]
    pace, before = Pace([recorded(cell) for cell in cells], done), 0

    def tell(cell: int, inside: str = "", line: str = "") -> None:
        if progress:
            note = f"{path.stem} {cell}/{len(source.cells)}" + (f" · {inside}" if inside else "")
            progress(before + cell, len(cells), note, left=pace.left(), line=line and f"{path.stem}: {line}")

    for path, source, copy in zip(notebooks, sources, copies, strict=True):
        key = _key(source, environment, state)
        earlier = copy.metadata.get("chestlib", {}) if copy else {}
        if copy and earlier.get("key") == key and not earlier["failure"]:
            executed = Executed(path, copy, earlier["seconds"])
        else:
            executed = run(path, source, environment, folder / "inside.json", pace, before, tell)
            about = {"key": key, "seconds": executed.seconds, "failure": executed.failure}
            executed.notebook.metadata["chestlib"] = about
            write_atomically(folder / path.name, nbformat.writes(executed.notebook))
        pace.next = before + len(source.cells)
        tell(len(source.cells), line=str(executed))
        before += len(source.cells)
        yield executed


def finished(folder: Path) -> Path:
    """Name the file whose presence says that a report was written from these copies: the next one starts afresh."""
    return folder / "finished"


def _key(notebook: NotebookNode, environment: dict[str, str], state: str) -> str:
    """Digest of all that an executed copy depends on: cells, settings, state of the data, this package."""
    cells = [[cell.cell_type, cell.source, cell.metadata.get("tags", [])] for cell in notebook.cells]
    digest = hashlib.sha256(json.dumps([cells, environment, state], sort_keys=True).encode())
    for file in sorted(PACKAGE.rglob("*")):
        if file.suffix in {".py", ".js", ".css"}:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _copy(file: Path, source: NotebookNode) -> NotebookNode | None:
    """Read the executed copy of an earlier report, if there is one; `source` learns what its cells took here."""
    try:
        copy = read_notebook(file)
    except ChestlibError:
        return None
    took = {cell.source: recorded(cell) for cell in copy.cells}
    for cell in source.cells:
        cell.metadata["seconds"] = recorded(cell) | took.get(cell.source, {})
    return copy


def recorded(cell: NotebookNode) -> dict[str, float]:
    """Return the seconds that a cell took, by part; see :class:`chestlib.report.pace.Pace`."""
    return cell.metadata.get("seconds", {} if cell.cell_type == "code" else {OWN: 0})


class Client(NotebookClient):
    """Runs a notebook's cells, measures them, and tells what goes on inside.

    The kernel tells it through `file`, which is there only while something runs that takes long.
    """

    file: Path
    pace: Pace
    first: int
    tell: Callable[..., None]
    current = 0
    stopped = False

    def listen(self, notebook: NotebookNode) -> None:
        """On Ctrl-C end the kernel and then this process; nbclient itself would end the kernel only."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()

        def stop() -> None:
            self.stopped = True
            assert task, "nbclient runs a notebook in a task"
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(RuntimeError):  # not on Windows, not in a thread
                loop.add_signal_handler(number, stop)

    async def async_execute_cell(self, cell: NotebookNode, cell_index: int, *args: Any, **options: Any) -> NotebookNode:
        """Run one cell, and write into its metadata what it took."""
        self.current = cell_index + 1
        self.tell(cell_index)
        if cell.cell_type != "code":
            return cell
        self.pace.begin(self.first + cell_index)
        looking = asyncio.ensure_future(self.look())
        try:
            return await super().async_execute_cell(cell, cell_index, *args, **options)
        finally:
            looking.cancel()
            self.file.unlink(missing_ok=True)
            cell.metadata["seconds"] = recorded(cell) | {part: round(s, 2) for part, s in self.pace.end().items()}

    async def look(self) -> None:
        """Look into the file, until cancelled."""
        running = OWN
        while True:
            await asyncio.sleep(PERIOD)
            part, text, done, total = relayed(self.file) or (OWN, "", 0, 0)
            self.pace.inside(part, done, total)
            self.tell(self.current - 1, text, line=text.partition(",")[0] if part != running else "")
            running = part


def run(
    path: Path,
    source: NotebookNode,
    environment: dict[str, str],
    file: Path,
    pace: Pace | None = None,
    first: int = 0,
    tell: Callable[..., None] = lambda *_, **__: None,
    figures: str = "retina",
) -> Executed:
    """Run one notebook; a cell that fails or a kernel that dies is no exception.

    Parameters
    ----------
    file : Path
        Where the kernel tells what runs inside a cell.
    pace : Pace
        Over this notebook's cells, which begin at `first`, and maybe others.
    tell : callable
        Called with the cells done, what runs inside the next one, and a line.
    figures : str
        `retina` (twice the pixels) or `png`.
    """
    notebook = nbformat.from_dict(source)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    start = time.monotonic()
    client = Client(
        notebook,
        # The kernel is this Python, whatever kernels the user has installed under the name python3.
        km=AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[])),
        resources={"metadata": {"path": str(path.resolve().parent)}},
        timeout=None,
        store_widget_state=False,
        extra_arguments=[f"--InlineBackend.figure_formats={figures}", "--log-level=ERROR"],
    )
    client.on_notebook_start = client.listen
    client.file, client.first, client.tell = file, first, tell
    client.pace = pace or Pace([recorded(cell) for cell in source.cells])
    failure = None
    try:
        variables = {**os.environ, **environment, RELAY: str(file.resolve())}
        # What a kernel complains of while it is shut down would stand among the report's own lines.
        client.execute(env=variables, cleanup_kc=True, stderr=subprocess.DEVNULL)
    except CellExecutionError as error:
        failure = Failure(client.current, _line(f"{error.ename}: {error.evalue}"))
    except (RuntimeError, asyncio.CancelledError) as error:  # no kernel, or it died
        if client.stopped:
            raise KeyboardInterrupt from None
        died = "; out of memory, or a crash" if isinstance(error, DeadKernelError) else ""
        failure = Failure(client.current, _line(f"{type(error).__name__}: {error}") + died)
    return Executed(path, notebook, round(time.monotonic() - start, 1), failure)


def _line(text: str) -> str:
    """Return the first line, without terminal colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text).strip().partition("\n")[0]
