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
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from chestlib.console import Progress
from chestlib.errors import ChestlibError
from chestlib.files import write_atomically

PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Failure:
    """Where and why a notebook stopped; `cell` counts all cells from 1 (0: the kernel did not start)."""

    cell: int
    error: str
    message: str

    def __str__(self) -> str:
        return f"cell {self.cell}: {self.error}: {self.message}"


@dataclass(frozen=True)
class Executed:
    """One notebook with its outputs."""

    path: Path
    notebook: NotebookNode
    seconds: float
    failure: Failure | None = None


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook as version 4; ChestlibError names the file if it cannot be read."""
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)  # nbformat itself only logs what is wrong
        return notebook
    except FileNotFoundError:
        raise ChestlibError(f"{path}: no such notebook") from None
    except Exception as error:  # nbformat raises many kinds for a broken file
        reason = str(error).strip().partition("\n")[0]
        raise ChestlibError(f"{path}: not readable as a notebook ({reason}); is the file whole?") from None


def execute(
    notebooks: Sequence[Path], folder: Path, environment: dict[str, str], progress: Progress | None = None
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

    Raises
    ------
    ChestlibError
        If a notebook cannot be read or the folder cannot be written. A notebook that fails is no exception.
    """
    sources = [(path, read_notebook(path)) for path in notebooks]  # a broken file is told before hours of training
    if finished(folder).exists():
        shutil.rmtree(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ChestlibError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from None
    before, total = 0, sum(len(source.cells) for _, source in sources)

    def tell(cell: int) -> None:
        if progress:
            progress(before + cell, total, f"{path.stem} {cell}/{len(source.cells)}")

    for path, source in sources:
        copy = folder / path.name
        key = _key(source, environment)
        done = _reuse(copy, path, key)
        if done is None:
            done = _run(path, source, environment, tell)
            failure = done.failure and asdict(done.failure)
            done.notebook.metadata["chestlib"] = {"key": key, "seconds": done.seconds, "failure": failure}
            write_atomically(copy, nbformat.writes(done.notebook))
        tell(len(source.cells))
        before += len(source.cells)
        yield done


def finished(folder: Path) -> Path:
    """The file whose presence says that a report was written from these copies: the next one starts afresh."""
    return folder / "finished"


def _key(notebook: NotebookNode, environment: dict[str, str]) -> str:
    """Digest of all that an executed copy depends on: cells, settings, annotation files, this package."""
    cells = [[cell.cell_type, cell.source, cell.metadata.get("tags", [])] for cell in notebook.cells]
    data = environment.get("CHESTLIB_DATA")
    stats = [(file.name, file.stat()) for file in sorted(Path(data).glob("*.json"))] if data else []
    files = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
    digest = hashlib.sha256(json.dumps([cells, environment, files], sort_keys=True).encode())
    for file in sorted(PACKAGE.rglob("*")):
        if file.suffix in {".py", ".js", ".css"}:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _reuse(copy: Path, path: Path, key: str) -> Executed | None:
    if not copy.is_file():
        return None
    try:
        notebook = read_notebook(copy)
    except ChestlibError:
        return None
    state = notebook.metadata.get("chestlib", {})
    if state.get("key") != key or state.get("failure"):
        return None
    return Executed(path, notebook, state["seconds"])


def _run(path: Path, source: NotebookNode, environment: dict[str, str], tell: Callable[[int], None]) -> Executed:
    notebook = nbformat.from_dict(source)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    current, stopped, start = 0, False, time.monotonic()

    def begin(cell: NotebookNode, cell_index: int) -> None:
        nonlocal current
        current = cell_index + 1
        tell(cell_index)

    def listen(notebook: NotebookNode) -> None:
        """On Ctrl-C end the kernel and then this process; nbclient itself would end the kernel only."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()

        def stop() -> None:
            nonlocal stopped
            stopped = True
            assert task, "nbclient runs a notebook in a task"
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(RuntimeError):  # not on Windows, not in a thread
                loop.add_signal_handler(number, stop)

    client = NotebookClient(
        notebook,
        # The kernel is this Python, whatever kernels the user has installed under the name python3.
        km=AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[])),
        resources={"metadata": {"path": str(path.resolve().parent)}},
        timeout=None,
        store_widget_state=False,
        on_notebook_start=listen,
        on_cell_start=begin,
        extra_arguments=["--InlineBackend.figure_formats=retina", "--log-level=ERROR"],
    )
    failure = None
    try:
        client.execute(env={**os.environ, **environment}, cleanup_kc=True)
    except CellExecutionError as error:
        failure = Failure(current, error.ename, _line(error.evalue))
    except (RuntimeError, asyncio.CancelledError) as error:  # no kernel, or it died: out of memory, a crash
        if stopped:
            raise KeyboardInterrupt from None
        failure = Failure(current, type(error).__name__, _line(str(error)))
    return Executed(path, notebook, round(time.monotonic() - start, 1), failure)


def _line(text: str) -> str:
    """The first line, without terminal colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text).strip().partition("\n")[0]
