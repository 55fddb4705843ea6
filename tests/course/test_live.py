"""Chapters for live coding: code, headings, questions and exercises, and never over what is there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from typer.testing import CliRunner

from chestlib import cli, course, files
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


def test_links_to_chapters_are_not_touched_either(project: Path) -> None:
    (project / "notebooks").rename(project / "elsewhere")
    (project / "notebooks").mkdir()
    for name in ("01_a.ipynb", "02_b.ipynb"):
        (project / "notebooks" / name).symlink_to(project / "elsewhere" / name)
    for out in ("notebooks", "elsewhere"):
        assert run(out, "--replace") == (2, f"{out}: the chapters themselves lie there; name another folder")
    assert (project / "notebooks" / "01_a.ipynb").is_symlink()


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


def test_all_notebooks_are_written_or_none(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in the place of the second one, and a disk that is full when the second is written."""
    (project / "live" / "02_b.ipynb").mkdir(parents=True)
    mine = project / "live" / "01_a.ipynb"
    mine.write_text("my notes")
    told = f"{Path('live/02_b.ipynb')}: is a folder; remove it, or name another place"
    assert run("live", "--replace") == (2, told) and mine.read_text() == "my notes"

    def full(path: Path, text: str) -> None:
        if path.name == "02_b.ipynb":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        files.write_atomically(path, text)

    (project / "live" / "02_b.ipynb").rmdir()
    monkeypatch.setattr(course.live, "write_atomically", full)
    for typed in (["live", "--replace"], ["a/b"]):
        told = f"{Path(typed[0])}: cannot be written (No space left on device); choose another folder"
        assert run(*typed) == (2, told)
    assert [path.name for path in (project / "live").iterdir()] == ["01_a.ipynb"] and mine.read_text() == "my notes"
    assert not (project / "a").exists()


def test_a_picture_that_a_task_shows_stays(project: Path) -> None:
    task = new_markdown_cell("## Exercises\n\n![drawn](attachment:a.png)", attachments={"a.png": {"image/png": "AA=="}})
    prose = new_markdown_cell("## B\n\n![drawn](attachment:a.png)", attachments={"a.png": {"image/png": "AA=="}})
    nbformat.write(new_notebook(cells=[task, prose]), project / "notebooks" / "01_a.ipynb")
    assert run()[0] == 0
    kept, bare = nbformat.read(project / "live" / "01_a.ipynb", 4).cells
    assert kept.attachments == task.attachments and "attachments" not in bare


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
