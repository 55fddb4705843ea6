"""The chapters for live coding, `chestlib course clean`: code, headings and tasks, without prose and outputs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from chestlib.course.lesson import home
from chestlib.errors import ChestlibError
from chestlib.files import write_atomically

if TYPE_CHECKING:
    from nbformat import NotebookNode

TASKS, QUESTION, ANSWER = "Exercises", "**Question.**", "<details>"
"""The section that is kept whole, how a question begins, and how its folded answer does."""

LINK = re.compile(r"(\]\()(?![a-z]+:|#)([^)\s#]+)")


class Cleaned(NamedTuple):
    """What `clean` wrote."""

    folder: Path
    notebooks: int
    cells: int

    def __str__(self) -> str:
        told = f"{self.folder}: {self.notebooks} notebooks, {self.cells} cells, without prose and outputs"
        inside = home().resolve() in self.folder.resolve().parents
        # A notebook looks for the project upwards from where it lies.
        return told if inside else f"{told}; set CHESTLIB_HOME to {home().resolve()} when you open them there"


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook as version 4; ChestlibError names the file if it cannot be read."""
    import nbformat  # not by who only opens a lesson

    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)  # nbformat itself only logs what is wrong
        return notebook
    except FileNotFoundError:
        raise ChestlibError(f"{path}: no such notebook") from None
    except Exception as error:  # nbformat raises many kinds for a broken file
        why = str(error).strip().partition("\n")[0]
        raise ChestlibError(f"{path}: not readable as a notebook ({why}); is the file whole?") from None


def clean(notebooks: Sequence[Path], out: Path, replace: bool = False) -> Cleaned:
    """Write notebooks for live coding into `out`: all code, and of the text headings, questions and exercises.

    Parameters
    ----------
    replace : bool
        Write over notebooks of these names that `out` holds.

    Raises
    ------
    ChestlibError
        If a notebook cannot be read, `out` lies in the folder of the chapters or cannot be written, or it holds a file
        of that name and `replace` is not given. Then nothing is written.
    """
    import nbformat

    # By whatever name: links lead there, and on some systems `Notebooks` is `notebooks`.
    above = [place for place in (out.resolve(), *out.resolve().parents) if os.path.exists(place)]
    for own in {folder for path in notebooks for folder in (path.parent, path.resolve().parent)}:
        if own.exists() and any(place.samefile(own) for place in above):
            raise ChestlibError(f"{out}: the chapters themselves lie there; name another folder")
    there = [out / path.name for path in notebooks if os.path.exists(out / path.name)]
    if folders := [path for path in there if path.is_dir()]:
        raise ChestlibError(f"{folders[0]}: is a folder; remove it, or name another place")
    if there and not replace:
        raise ChestlibError(f"{there[0]}: is there already; name another folder, or write over it with --replace")
    texts, cells = {}, 0
    for path in notebooks:
        notebook = _without_prose(read_notebook(path), _Links(path.parent, out, {each.name for each in notebooks}))
        cells += len(notebook.cells)
        texts[out / path.name] = nbformat.writes(notebook) + "\n"
    try:
        _write(out, texts)
    except OSError as error:
        raise ChestlibError(f"{out}: cannot be written ({error.strerror}); choose another folder") from None
    return Cleaned(out, len(texts), cells)


def _write(out: Path, texts: Mapping[Path, str]) -> None:
    """Write these files of a folder, all or none; a disk may be full before the last one."""
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".", dir=out) as scratch:
            for file, text in texts.items():
                write_atomically(Path(scratch, file.name), text)
            for file in texts:
                os.replace(Path(scratch, file.name), file)
    except OSError:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
        raise


class _Links(NamedTuple):
    """How links of `source` read in `out`, where the notebooks of these names lie, too."""

    source: Path
    out: Path
    names: set[str]

    def moved(self, text: str) -> str:
        """Let relative links lead from `out` to where they led."""
        return LINK.sub(self._moved, text)

    def _moved(self, found: re.Match[str]) -> str:
        if found[2] in self.names:
            return found[0]
        target = (self.source / found[2]).resolve()
        try:
            return found[1] + Path(os.path.relpath(target, self.out.resolve())).as_posix()
        except ValueError:  # another drive of Windows
            return found[1] + target.as_uri()


def _without_prose(notebook: NotebookNode, links: _Links) -> NotebookNode:
    """Take outputs and prose out of a notebook; cells that are left without text go."""
    kept, level = [], 0
    for cell in notebook.cells:
        for key in {*cell.metadata} - {"tags"}:  # seconds that it took, and the like
            del cell.metadata[key]
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        elif cell.cell_type == "markdown":
            text, level = _bare(cell.source, level)
            cell.source = links.moved(text)
            if "attachment:" not in cell.source:
                cell.pop("attachments", None)
        if cell.source.strip():
            kept.append(cell)
    notebook.cells = kept
    notebook.metadata.pop("widgets", None)
    return notebook


def _bare(text: str, level: int) -> tuple[str, int]:
    """Keep headings, questions and exercises of a cell; `level` is that of the exercises' heading, 0 outside them."""
    lines: list[str] = []
    fenced = asked = False
    for line in re.sub(f"{ANSWER}.*?(</details>|$)", "", text, flags=re.DOTALL).splitlines():
        fenced ^= line.lstrip().startswith("```")
        if (heading := re.match(r"(#{1,6}) +(.*)", line)) and not fenced:
            deeper = level and len(heading[1]) > level
            level = level if deeper else len(heading[1]) if heading[2].strip() == TASKS else 0
        asked = line.startswith(QUESTION) or (asked and bool(line.strip()))
        if (heading and not fenced) or asked or level:
            lines += [""] if lines and (heading or line.startswith(QUESTION)) and lines[-1] else []
            lines.append(line)
    return "\n".join(lines).strip(), level
