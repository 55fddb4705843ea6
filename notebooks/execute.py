"""Execute notebooks in place, as they are committed: quick profile, phantom, no widget state.

`python notebooks/execute.py` for all of them, or `python notebooks/execute.py 03 05`. The solutions of the exercises
are executed with their chapters; the exercises stay as they are, unsolved. What the chapters save under runs/, figures
and the ledger of the bugs, is then copied to figures/, which no other command writes. What they expect
(`lesson.expect`) is recorded in expected.json; the tolerances there come from benchmarks/spread.py. The runs themselves
are packed into recorded.zip, for readers who have trained nothing yet; `python notebooks/execute.py recorded` packs
those that lie in runs/, and executes nothing.

`python notebooks/execute.py compare 01 02` (or the path of a notebook) writes nothing: it runs the cells in memory and
tells where the text that they put out is not the text that is committed, as nbval does, with exit status 1.
"""

from __future__ import annotations

import base64
import difflib
import io
import os
import re
import shutil
import sys
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from nbformat import NotebookNode
from PIL import Image

from chestlib import course, report
from chestlib.viewer import pictures, static

HERE = Path(__file__).parent

LANGUAGE = {
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
"""What Jupyter must know to export a script; the kernel adds its version, another one on every machine."""


def smaller(picture: str) -> str:
    """Give a base64 PNG few colours, enough for grey images and the findings' hues, where that saves space."""
    buffer = io.BytesIO()
    pictures.few_colours(Image.open(io.BytesIO(base64.b64decode(picture)))).save(buffer, "PNG", optimize=True)
    return min(picture, base64.b64encode(buffer.getvalue()).decode(), key=len)


def execute(path: Path) -> dict[str, float]:
    """Run all cells from the top and write the notebook back, with the seconds of each cell that takes more than one.

    What a cell does only once, as a training, is measured if it is done now: remove data/phantom-quick and runs first.
    Returns the figures that the notebook expects.
    """
    with TemporaryDirectory() as scratch:
        note = Path(scratch) / "figures.jsonl"
        variables = {course.expected.RECORD: str(note), course.recorded.TRAIN: "1"}
        done = report.run(path, nbformat.read(path, 4), variables, Path(scratch) / "inside.json", figures="png")
        figures = course.expected.noted(note)
    if done.failure:
        sys.exit(f"{path.name}: {done}")
    notebook = done.notebook
    static.without_widgets(notebook)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = smaller(output.data["image/png"])
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when each cell ran: another diff every time
        long = {part: round(s) for part, s in cell.metadata.pop("seconds", {}).items() if s > 1}
        if path.parent == HERE:  # the report runs the chapters alone
            cell.metadata.update({"seconds": long} if long else {})
    notebook.metadata["language_info"] = LANGUAGE
    nbformat.write(notebook, path)
    print(f"{path.relative_to(HERE)}: {len(notebook.cells)} cells, {path.stat().st_size // 1000} kB")
    return figures


UNSEEN = {"image/png", "image/jpeg", "application/vnd.jupyter.widget-view+json"}
"""Of an output: pixels, which differ between machines, and names drawn by chance."""


def shown(outputs: list[NotebookNode]) -> dict[str, list[Any]]:
    """Collect what is compared of a cell's outputs, kind by kind; a stream is one text, as a terminal would show it."""
    found: dict[str, list[Any]] = defaultdict(list)
    for output in outputs:
        if output.output_type == "stream":
            text = "".join([*found[output.name], output.text])
            found[output.name] = [re.sub(r"^.*\r(?=[^\n])", "", text, flags=re.MULTILINE)]
            continue
        parts = output.data if "data" in output else {name: output[name] for name in ("ename", "evalue")}
        for kind in parts.keys() - UNSEEN:
            found[kind].append(parts[kind])
    return found


def compare(path: Path) -> list[str]:
    """Run a notebook in memory; a text for each cell that does not show what the notebook holds, or that fails.

    Tags are nbval's: `nbval-skip`, `nbval-ignore-output`, `nbval-raises-exception` or `raises-exception`.
    """
    held, asked = nbformat.read(path, 4), nbformat.read(path, 4)
    for cell in asked.cells:
        tags = cell.metadata.get("tags", [])
        if "nbval-skip" in tags:
            cell.source = ""
        if "nbval-raises-exception" in tags:
            cell.metadata["tags"] = [*tags, "raises-exception"]
    with TemporaryDirectory() as scratch:
        done = report.run(path, asked, {course.recorded.TRAIN: "1"}, Path(scratch) / "inside.json", figures="png")
    found = []
    for number, (cell, now) in enumerate(zip(held.cells, done.notebook.cells, strict=True), start=1):
        if done.failure and number >= done.failure.cell:
            return [*found, f"{path.name}: {done}"]
        unseen = {"nbval-skip", "nbval-ignore-output"} & set(cell.metadata.get("tags", []))
        if cell.cell_type != "code" or unseen or cell.execution_count is None:
            continue
        before, after = shown(cell.outputs), shown(now.outputs)
        for kind in sorted(before.keys() | after.keys()):
            if before[kind] != after[kind]:
                texts = ("\n".join(map(str, side[kind])).splitlines() for side in (before, after))
                lines = difflib.unified_diff(*texts, "committed", "now", lineterm="", n=1)
                found.append("\n".join([f"{path.name}: cell {number}: {kind} differs", *lines]))
    return found


def chapters(chosen: list[str]) -> list[Path]:
    """List the notebooks whose numbers are given, or all."""
    paths = sorted([*HERE.glob("[0-9]*.ipynb"), *HERE.glob("solutions/[0-9]*.ipynb")])
    return [path for path in paths if not chosen or path.name.split("_")[0] in chosen]


def main(chosen: list[str]) -> None:
    """Execute the notebooks whose numbers are given, or all."""
    for name in ("CHESTLIB_DATA", "CHESTLIB_PROFILE"):
        os.environ.pop(name, None)
    if chosen[:1] == ["compare"]:
        own = [Path(name) for name in chosen[1:] if name.endswith(".ipynb")]
        told = [text for path in own or chapters(chosen[1:]) for text in compare(path)]
        for text in told:
            print(text)
        sys.exit(bool(told))
    figures: dict[str, float] = {}
    for path in chapters(chosen):
        figures |= execute(path)
    values = {name: {"value": round(value, 4)} for name, value in figures.items()}
    course.expected.update(HERE / "expected.json", values, whole=not chosen)
    lesson = course.begin()
    if not chosen or "recorded" in chosen:
        course.recorded.pack(lesson, HERE / "recorded.zip")
    for file in sorted(lesson.figures.glob("[0-9]*")):
        if not chosen or file.name.split("-")[0] in chosen:
            shutil.copy(file, HERE.parent / "figures")


if __name__ == "__main__":
    main(sys.argv[1:])
