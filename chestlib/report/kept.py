"""A page without running anything: the outputs that the last report left, else those that the notebooks carry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from nbformat import NotebookNode

from chestlib.course import read_notebook
from chestlib.errors import ChestlibError
from chestlib.report.execute import Executed, Failure, recorded


def kept(notebooks: Sequence[Path], folder: Path) -> Iterator[Executed]:
    """Take each notebook with the outputs that it has.

    Parameters
    ----------
    notebooks : sequence of Path
    folder : Path
        Holds the executed copies of a report; a copy is taken where its cells are still those of the notebook.

    Raises
    ------
    ChestlibError
        If a notebook cannot be read or was never run.
    """
    for path in notebooks:
        source = read_notebook(path)
        try:
            copy = read_notebook(folder / path.name)
        except ChestlibError:
            copy = None
        if copy and _cells(copy) == _cells(source) and (about := copy.metadata.get("chestlib")):
            failure = Failure(*about["failure"]) if about["failure"] else None
            yield Executed(path, copy, about["seconds"], failure)
            continue
        code = [cell for cell in source.cells if cell.cell_type == "code" and cell.source.strip()]
        if code and not any(cell.execution_count or cell.outputs for cell in code):
            raise ChestlibError(f"{path}: was never run, so it has nothing to show; leave out --as-is, which runs it")
        yield Executed(path, source, sum(sum(recorded(cell).values()) for cell in source.cells))


def _cells(notebook: NotebookNode) -> list[tuple[str, str]]:
    return [(cell.cell_type, cell.source) for cell in notebook.cells]
