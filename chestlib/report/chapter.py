"""One executed notebook as a chapter: its text, its code folded, its outputs."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from html import escape
from textwrap import shorten
from typing import Any, NamedTuple

from bs4 import BeautifulSoup, Tag
from nbconvert.filters import Highlight2HTML, ansi2html
from nbformat import NotebookNode

from chestlib import course
from chestlib.report.execute import Executed, Failure
from chestlib.report.markup import Place, anchor, data_uri, markdown, picture_size, tidy
from chestlib.viewer import static

VIEWER = '<div class="out viewer">'
QUIZ = '<div class="out quiz">'
PICTURES = ("image/svg+xml", "image/png", "image/jpeg", "image/webp", "image/gif")
SEARCHED = 6_000
"""Characters of a cell that a search looks through: a long table would make the page heavy."""

CAPTION = 240
"""Characters of a text alternative that is taken from the text before a figure."""

NAMELESS = re.compile(r"(image|img|figure|picture|screenshot|untitled)?[\W\d_]*(\.\w{3,4})?", re.IGNORECASE)
_highlight = Highlight2HTML(pygments_lexer="ipython3")


class Entry(NamedTuple):
    """What a search can find: a cell of the chapter, the section it stands in, and all its text."""

    id: str
    section: str
    prose: bool
    text: str


@dataclass
class Chapter:
    """A chapter of the page; `sections` are (id, title) of its second-level headings.

    `number` is how it is called, as 05b; `counted` the figure in it, as 5.
    """

    id: str
    number: str
    counted: int
    title: str
    abstract: str = ""
    body: str = ""
    sections: list[tuple[str, str]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    seconds: float = 0.0
    failure: Failure | None = None

    @property
    def section(self) -> str:
        """The title of the section that was rendered last."""
        return self.sections[-1][1] if self.sections else self.title


def render(executed: Executed, place: Place, position: int) -> Chapter:
    """Make the chapter of a notebook.

    Parameters
    ----------
    executed : Executed
    place : Place
        For its links and pictures.
    position : int
        From 1; the number of the chapter unless the notebook's name begins with one, as 05b_title does.
    """
    named = re.match(r"(\d+)([a-z]?)(?![^\W_])", place.chapter)
    counted, letter = (int(named[1]), named[2]) if named else (position, "")
    chapter = Chapter(
        id=anchor(place.chapter),
        number=f"{counted:02d}{letter}",
        counted=counted,
        title=place.chapter.partition("_")[2].replace("_", " ").capitalize() or place.chapter,
        seconds=executed.seconds,
        failure=executed.failure,
    )
    parts: list[str] = []
    said = ""
    for i, cell in enumerate(executed.notebook.cells, start=1):
        id = anchor(place.chapter, f"cell-{i}")
        if cell.cell_type == "markdown":
            soup = _text(cell, place, chapter)
            told = [text for p in soup("p") if (text := _plain(p))]
            said = told[-1] if told else said
            _name_pictures(soup, _caption(chapter, said))
            html, text = f'<div class="prose" id="{id}">{soup}</div>', _plain(soup)
        elif cell.cell_type == "code" and (cell.source.strip() or cell.outputs):
            html, text = _code(cell, place, id, chapter, said)
        else:
            continue
        parts.append(html)
        chapter.ids.add(id)
        if text:
            section = chapter.section if chapter.sections else ""
            text = text.removeprefix(section).lstrip()  # it is searched and shown on its own
            chapter.entries.append(Entry(id, section, cell.cell_type == "markdown", text[:SEARCHED]))
        if chapter.failure and chapter.failure.cell == i:
            if not any(output.output_type == "error" for output in cell.get("outputs", ())):
                parts.append(_traceback(chapter.failure.error, chapter.failure.error, expected=False))
            parts.append('<p class="stopped">The notebook stopped here. The cells below were not run.</p>')
    chapter.body = "\n".join(parts)
    return chapter


def _text(cell: NotebookNode, place: Place, chapter: Chapter) -> BeautifulSoup:
    soup = markdown(cell.source, place, cell.get("attachments"))
    if not chapter.ids and (title := soup.h1):
        # The number stands before the title already.
        number = chapter.number.lstrip("0") or "0"
        chapter.title = re.sub(rf"^0*{number}\b[\s·.:–-]*", "", title.extract().get_text().strip())
        chapter.abstract = soup.p.get_text().strip() if soup.p else ""
    chapter.ids.add(chapter.id)
    for marked in soup(id=True):  # a place that the author has named
        name = anchor(place.chapter, str(marked["id"]))
        marked["id"] = name
        chapter.ids.add(name)
    for heading in soup(re.compile("^h[1-6]$")):
        first = anchor(place.chapter, heading.get_text().strip() or "section")
        id, count = first, 1
        while id in chapter.ids:
            count += 1
            id = f"{first}-{count}"
        heading["id"] = id
        chapter.ids.add(id)
        if heading.name in {"h1", "h2"}:
            chapter.sections.append((id, heading.get_text().strip()))
    return soup


def _plain(soup: Tag) -> str:
    return " ".join(soup.get_text(" ").split())


def _caption(chapter: Chapter, said: str) -> str:
    """Say of a picture without words of its own where it stands and what introduces it."""
    return f"Figure in “{chapter.section}”" + (f": {shorten(said, CAPTION, placeholder=' …')}" if said else "")


def _name_pictures(soup: BeautifulSoup, caption: str) -> None:
    """Give a text alternative to the pictures that have none, or one that names the file alone."""
    for image in soup("img"):
        if NAMELESS.fullmatch(str(image.get("alt") or "").strip()):
            image["alt"] = image.get("title") or caption


def _code(cell: NotebookNode, place: Place, id: str, chapter: Chapter, said: str) -> tuple[str, str]:
    """Write a cell as HTML, and all its text."""
    source = cell.source.strip("\n")
    lines = source.count("\n") + 1
    first = source.partition("\n")[0].strip()
    comment = first.lstrip("#% ") if first.startswith("#") else ""
    peek = f"<i>{escape(comment)}</i>" if comment else ""
    size = "1 line" if lines == 1 else f"{lines} lines"
    code = (
        f'<details class="code"><summary><b>Code</b>{peek}<small>{size}</small></summary>{_highlight(source)}</details>'
    )
    expected = "raises-exception" in cell.metadata.get("tags", [])
    caption = _caption(chapter, comment or said)
    outputs = [_output(output, place, caption, expected) for output in _joined(cell.outputs)]
    text = " ".join([source, *(_words(output) for output in outputs)])
    return f'<div class="cell" id="{escape(id)}">{code}{"".join(outputs)}</div>', " ".join(text.split())


def _words(output: str) -> str:
    """All words of an output that is shown as text; a viewer brings its own search, a quiz its answers."""
    return "" if output.startswith((VIEWER, QUIZ, "<figure")) else _plain(BeautifulSoup(output, "html.parser"))


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Neighbouring pieces of one stream as one, a progress line at its last state."""
    joined: list[NotebookNode] = []
    for output in outputs:
        if joined and output.output_type == joined[-1].output_type == "stream" and output.name == joined[-1].name:
            joined[-1].text += output.text
        else:
            joined.append(NotebookNode(output))
    for output in joined:
        if output.output_type == "stream":
            output.text = re.sub(r"[^\n]*\r(?!\n)", "", output.text)
    return joined


def _output(output: NotebookNode, place: Place, alt: str, expected: bool) -> str:
    if output.output_type == "stream":
        text = output.text.rstrip()
        columns = "" if "  " in text or "\t" in text else " sentences"  # columns scroll, sentences wrap
        return f'<pre class="out {escape(output.name)}{columns}">{ansi2html(text)}</pre>' if text else ""
    if output.output_type == "error":
        return _traceback(f"{output.ename}: {output.evalue}", "\n".join(output.traceback), expected)
    data = output.data
    if static.is_viewer(data.get("text/html", "")):
        return f"{VIEWER}{static.without_script(data['text/html'])}</div>"
    if course.is_quiz(data.get("text/html", "")):
        return f"{QUIZ}{static.without_script(data['text/html'])}</div>"
    if "text/html" in data:
        soup = tidy(data["text/html"], place)
        _name_pictures(soup, alt)
        return f'<div class="out html">{soup}</div>'
    for mime in PICTURES:
        if mime in data:
            about = output.metadata.get(mime, {})
            return _picture(mime, data[mime], about, str(about.get("alt") or alt))
    for mime in ("text/markdown", "text/latex"):
        if mime in data:
            soup = markdown(data[mime], place)
            _name_pictures(soup, alt)
            return f'<div class="out prose">{soup}</div>'
    if "text/plain" in data and static.WIDGET_VIEW not in data:  # a live control says nothing without its kernel
        return f'<pre class="out result">{ansi2html(data["text/plain"])}</pre>'
    return ""


def _picture(mime: str, content: str, about: dict[str, Any], alt: str) -> str:
    data = content.encode() if mime == "image/svg+xml" else base64.b64decode(content)
    size = {side: int(about[side]) for side in ("width", "height") if side in about} or picture_size(data)
    sides = "".join(f' {side}="{length}"' for side, length in size.items())  # its place is kept while it is decoded
    how = 'loading="lazy" decoding="async"'
    return f'<figure><img src="{data_uri(mime, data)}" alt="{escape(alt)}"{sides} {how}></figure>'


def _traceback(title: str, text: str, expected: bool) -> str:
    kind, state = ("error expected", "") if expected else ("error", " open")
    return (
        f'<details class="{kind}"{state}><summary>{escape(title.partition(chr(10))[0])}</summary>'
        f"<pre>{ansi2html(text)}</pre></details>"
    )
