"""Small notebooks in a project of their own, for the tests of the report."""

from __future__ import annotations

from pathlib import Path

import nbformat
from bs4 import BeautifulSoup
from nbformat import v4

from chestlib.data import Record, write_annotations
from chestlib.files import write_atomically


def text(source: str, **more: object) -> nbformat.NotebookNode:
    return v4.new_markdown_cell(source, **more)


def code(source: str, *tags: str) -> nbformat.NotebookNode:
    return v4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


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


HOSTILE = (
    "<img src=x onerror='window.pwned=1'>",
    "</script><script>window.pwned=1</script>",
    "\"quotes' & <!--",
    "\u202eمرحبا.png",
    "long" * 75,
)
