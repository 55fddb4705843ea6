"""Small notebooks in a project of their own, for the tests of the report."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup
from nbformat import v4
from PIL import Image

from chestlib.data import Record, write_annotations
from chestlib.files import write_atomically


def text(source: str, **more: object) -> nbformat.NotebookNode:
    return v4.new_markdown_cell(source, **more)


def code(source: str, *tags: str) -> nbformat.NotebookNode:
    return v4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def ran(source: str, *outputs: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A code cell as if it had been run."""
    return v4.new_code_cell(source, execution_count=1, outputs=list(outputs))


def drawn(width: int = 40, height: int = 30, **about: object) -> nbformat.NotebookNode:
    """An output that is a picture; `about` is what a notebook notes of it."""
    buffer = io.BytesIO()
    Image.new("L", (width, height), 128).save(buffer, "PNG")
    data = {"image/png": base64.b64encode(buffer.getvalue()).decode(), "text/plain": "<Figure>"}
    return v4.new_output("display_data", data, metadata={"image/png": about} if about else {})


class Project:
    """A folder with notebooks/, figures/ and a data set of two listed, missing phantoms."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.data = home / "data" / "tiny"
        (home / "notebooks").mkdir(parents=True)
        for part in ("train", "test"):
            write_annotations(
                [Record(f"{part}1.png", [[10, 10, 60, 90]], [9]), Record(f"{part}2.png")], self.data / f"{part}.json"
            )
        write_atomically(self.data / "phantom.json", "{}")

    def write(self, name: str, *cells: nbformat.NotebookNode) -> Path:
        path = self.home / "notebooks" / f"{name}.ipynb"
        nbformat.write(v4.new_notebook(cells=list(cells)), path)
        return path

    @property
    def notebooks(self) -> list[Path]:
        return sorted((self.home / "notebooks").glob("*.ipynb"))

    @property
    def out(self) -> Path:
        return self.home / "report"

    def soup(self) -> BeautifulSoup:
        return BeautifulSoup((self.out / "index.html").read_text(encoding="utf-8"), "html.parser")


def walk(home: Path) -> Project:
    """Four chapters that were run before, to walk through and to search; nothing in them has to be run."""
    project = Project(home)
    filler = "word " * 300
    project.write(
        "01_explore",
        text("# 01 · Explore\n\nBefore any model.\n\n[on](05_evaluate.ipynb#9-·-How-good,-and-how-sure?)"),
        text("[gone](05_evaluate.ipynb#Nowhere) [letter](05b_careful_reader.ipynb) <a id='mine'></a>[own](#mine)"),
        text(f"## 8 · Before\n\n{filler}"),
        text(f"## 9 · How many in one image\n\n{filler}\n\n{filler}"),
        text(f"## Überall: größer\n\n{filler}"),
    )
    project.write(
        "05_evaluate",
        text("# 05 · How good is it?\n\nOne detector."),
        text("## 9 · How good, and how sure?\n\nTwo curves, one of them is better."),
        ran("# the curve\nplot(zebrafish)", drawn(alt="“FROC”, lines (x: false alarms)")),
        ran("plot()", drawn()),
        text("![image.png](attachment:a.png)", attachments={"a.png": {"image/png": drawn().data["image/png"]}}),
        text("<details><summary>Answer</summary>\n\n<p style='height: 3000px'>The okapi.</p></details>"),
        text("## Exercises\n\nOne."),
        text("## Exercises\n\nThe same once more. " + filler),
    )
    project.write(
        "05b_careful_reader",
        text("# 05b · What a careful reader asks\n\n## One\n\nAn okapi, too."),
        ran("print('</script>')"),
    )
    project.write("06_next", text("# 06 · Your own\n\n" + filler))
    return project


HOSTILE = (
    "<img src=x onerror='window.pwned=1'>",
    "</script><script>window.pwned=1</script>",
    "\"quotes' & <!--",
    "\u202eمرحبا.png",
    "long" * 75,
)
