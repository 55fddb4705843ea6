"""Execute notebooks in place, as they are committed: quick profile, phantom, no widget state, no times.

`python notebooks/execute.py` for all of them, or `python notebooks/execute.py 03 05`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from chestlib.viewer import static

HERE = Path(__file__).parent


def execute(path: Path) -> None:
    """Run all cells from the top and write the notebook back."""
    notebook = nbformat.read(path, 4)
    resources = {"metadata": {"path": str(HERE)}}
    NotebookClient(
        notebook, timeout=1800, kernel_name="python3", resources=resources, store_widget_state=False
    ).execute()
    static.without_widgets(notebook)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when each cell ran: another diff every time
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, path)
    print(f"{path.name}: {len(notebook.cells)} cells, {path.stat().st_size // 1000} kB")


def main(chosen: list[str]) -> None:
    """Execute the notebooks whose numbers are given, or all."""
    for name in ("CHESTLIB_DATA", "CHESTLIB_PROFILE"):
        os.environ.pop(name, None)
    for path in sorted(HERE.glob("[0-9]*.ipynb")):
        if not chosen or path.name[:2] in chosen:
            execute(path)


if __name__ == "__main__":
    main(sys.argv[1:])
