"""Chapters for live coding: code, headings, questions and exercises, and never over what is there."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from typer.testing import CliRunner

from chestlib import cli, course
from chestlib.errors import ChestlibError

TOP = Path(__file__).parents[2]
TEXT = """# 01 · A

Prose, with a ``#`` in it.

## 1 · B
More prose.
**Question.** What happens,
and why?
<details><summary>Answer</summary>

**Question.** is a word here.
## no heading
</details>

After the answer.

```text
# no heading either
```

### C
"""
KEPT = "# 01 · A\n\n## 1 · B\n\n**Question.** What happens,\nand why?\n\n### C"
TASKS = """## What to remember
- prose

## Exercises

1. Guess, then count.
2. Write `f`.

Next: [02](02_b.ipynb), words: [glossary](../docs/glossary.md), [there](https://x.org/a.md), [here](#top)"""
MORE = "### By hand\n\n3. On paper.\n\n## Sources\n\nA book."


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two chapters, one executed; the working folder."""
    monkeypatch.delenv("CHESTLIB_HOME", raising=False)
    (tmp_path / "notebooks").mkdir()
    code = new_code_cell("1 + 1", execution_count=1, outputs=[new_output("stream", text="2\n")])
    code.metadata.update({"tags": ["nbval-ignore-output"], "seconds": {"cell": 9}})
    cells = [new_markdown_cell(TEXT), code, new_markdown_cell("Only prose."), *map(new_markdown_cell, (TASKS, MORE))]
    for name, content in (("01_a", cells), ("02_b", [new_code_cell("2")])):
        book = new_notebook(cells=content, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
        book.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
        nbformat.write(book, tmp_path / "notebooks" / f"{name}.ipynb")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*typed: str) -> tuple[int, str]:
    """The exit status, and what was said."""
    result = CliRunner().invoke(cli.app, ["course", "clean", *typed])
    if isinstance(result.exception, ChestlibError):
        return 2, str(result.exception)  # as `main` ends it
    return result.exit_code, result.output.strip()


def test_code_headings_questions_and_tasks_stay(project: Path) -> None:
    before = (project / "notebooks" / "01_a.ipynb").read_bytes()
    assert run() == (0, "live: 2 notebooks, 5 cells, without prose and outputs")
    book = nbformat.read(project / "live" / "01_a.ipynb", 4)
    nbformat.validate(book)
    text, code, tasks, more = book.cells
    assert text.source == KEPT
    assert (code.source, code.outputs, code.execution_count) == ("1 + 1", [], None)
    assert code.metadata == {"tags": ["nbval-ignore-output"]}
    assert tasks.source == TASKS.replace("- prose\n", "")
    assert more.source == "### By hand\n\n3. On paper.\n\n## Sources"
    assert book.metadata.kernelspec.name == "python3" and "widgets" not in book.metadata
    assert (project / "notebooks" / "01_a.ipynb").read_bytes() == before


def test_elsewhere_links_lead_to_where_they_led(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    out = tmp_path_factory.mktemp("else") / "a" / "b"
    status, said = run(str(out))
    assert status == 0 and said.endswith(f"; set CHESTLIB_HOME to {project} when you open them there")
    tasks = nbformat.read(out / "01_a.ipynb", 4).cells[2].source
    assert "[02](02_b.ipynb)" in tasks and "[there](https://x.org/a.md), [here](#top)" in tasks
    target = tasks.partition("[glossary](")[2].partition(")")[0]
    assert (out / target).resolve() == project / "docs" / "glossary.md"


def test_nothing_is_written_over_unless_told(project: Path) -> None:
    mine = project / "live" / "02_b.ipynb"
    mine.parent.mkdir()
    mine.write_text("my notes")
    assert run("live") == (
        2,
        f"{Path('live/02_b.ipynb')}: is there already; name another folder, or write over it with --replace",
    )
    assert mine.read_text() == "my notes" and not (project / "live" / "01_a.ipynb").exists()
    assert run("live", "--replace")[0] == 0
    assert nbformat.read(mine, 4).cells[0].source == "2"


@pytest.mark.parametrize("out", ["notebooks", "notebooks/solutions", "live/../notebooks"])
def test_the_chapters_themselves_are_never_touched(project: Path, out: str) -> None:
    before = (project / "notebooks" / "01_a.ipynb").read_bytes()
    assert run(out, "--replace") == (2, f"{Path(out)}: the chapters themselves lie there; name another folder")
    assert (project / "notebooks" / "01_a.ipynb").read_bytes() == before


def test_what_cannot_be_read_or_written_is_one_line(project: Path) -> None:
    (project / "file").touch()
    status, said = run("file")
    assert status == 2 and said.startswith("file: cannot be written (") and "\n" not in said
    (project / "notebooks" / "02_b.ipynb").write_text('{"cells": [')
    status, said = run()
    assert status == 2 and "02_b.ipynb: not readable as a notebook" in said and "\n" not in said
    assert not (project / "live").exists()
    for file in (project / "notebooks").iterdir():
        file.unlink()
    assert run()[1].endswith("no notebooks here; run this in the project's folder")


def test_the_course_s_own_chapters_keep_their_code(tmp_path: Path) -> None:
    chapters = sorted((TOP / "notebooks").glob("[0-9]*.ipynb"))
    course.clean(chapters, tmp_path)
    for path in chapters:
        own, bare = (nbformat.read(folder / path.name, 4) for folder in (path.parent, tmp_path))
        code = [[cell.source for cell in book.cells if cell.cell_type == "code"] for book in (own, bare)]
        assert code[0] == code[1]
        text = "\n".join(cell.source for cell in bare.cells if cell.cell_type == "markdown")
        whole = "\n".join(cell.source for cell in own.cells if cell.cell_type == "markdown")
        assert "<details" not in text and "## Exercises\n\n1. " in text
        assert text.count("**Question.**") == whole.count("**Question.**") and len(text) < len(whole) / 2
        assert (tmp_path / path.name).stat().st_size < 60_000
