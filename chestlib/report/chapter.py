"""One executed notebook as a chapter: its text, its code folded, its outputs."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from html import escape

from nbconvert.filters import Highlight2HTML, ansi2html
from nbformat import NotebookNode

from chestlib import course
from chestlib.report.execute import Executed, Failure
from chestlib.report.markup import Place, anchor, data_uri, markdown, tidy
from chestlib.viewer import static

VIEWER = '<div class="out viewer">'
QUIZ = '<div class="out quiz">'
PICTURES = ("image/svg+xml", "image/png", "image/jpeg", "image/webp", "image/gif")
_highlight = Highlight2HTML(pygments_lexer="ipython3")


@dataclass
class Chapter:
    """A chapter of the page; `sections` are (id, title) of its second-level headings."""

    id: str
    number: int
    title: str
    abstract: str = ""
    body: str = ""
    sections: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    failure: Failure | None = None


def render(executed: Executed, place: Place, position: int) -> Chapter:
    """Make the chapter of a notebook.

    Parameters
    ----------
    executed : Executed
    place : Place
        For its links and pictures.
    position : int
        From 1; the number of the chapter unless the notebook's name begins with one.
    """
    number = re.match(r"\d+", place.chapter)
    chapter = Chapter(
        id=anchor(place.chapter),
        number=int(number[0]) if number else position,
        title=place.chapter.partition("_")[2].replace("_", " ").capitalize() or place.chapter,
        seconds=executed.seconds,
        failure=executed.failure,
    )
    parts: list[str] = []
    ids: set[str] = set()
    for i, cell in enumerate(executed.notebook.cells, start=1):
        if cell.cell_type == "markdown":
            parts.append(_text(cell, place, chapter, ids))
        elif cell.cell_type == "code" and (cell.source.strip() or cell.outputs):
            parts.append(_code(cell, place, anchor(place.chapter, f"cell-{i}"), chapter))
        if chapter.failure and chapter.failure.cell == i:
            if not any(output.output_type == "error" for output in cell.get("outputs", ())):
                parts.append(_traceback(chapter.failure.error, chapter.failure.error, expected=False))
            parts.append('<p class="stopped">The notebook stopped here. The cells below were not run.</p>')
    chapter.body = "\n".join(parts)
    return chapter


def _text(cell: NotebookNode, place: Place, chapter: Chapter, ids: set[str]) -> str:
    soup = markdown(cell.source, place, cell.get("attachments"))
    if not ids and (title := soup.h1):
        # The number stands before the title already.
        chapter.title = re.sub(rf"^0*{chapter.number}\b[\s·.:–-]*", "", title.extract().get_text().strip())
        chapter.abstract = soup.p.get_text().strip() if soup.p else ""
        ids.add(chapter.id)
    for heading in soup(re.compile("^h[1-6]$")):
        id = str(heading["id"])
        while id in ids:
            id += "-"
        heading["id"] = id
        ids.add(id)
        if heading.name in {"h1", "h2"}:
            chapter.sections.append((id, heading.get_text().strip()))
    return f'<div class="prose">{soup}</div>'


def _code(cell: NotebookNode, place: Place, id: str, chapter: Chapter) -> str:
    source = cell.source.strip("\n")
    lines = source.count("\n") + 1
    first = source.partition("\n")[0].strip()
    peek = f"<i>{escape(first.lstrip('#% '))}</i>" if first.startswith("#") else ""
    size = "1 line" if lines == 1 else f"{lines} lines"
    code = (
        f'<details class="code"><summary><b>Code</b>{peek}<small>{size}</small></summary>{_highlight(source)}</details>'
    )
    expected = "raises-exception" in cell.metadata.get("tags", [])
    alt = f"Figure: {chapter.sections[-1][1] if chapter.sections else chapter.title}"
    outputs = [_output(output, place, alt, expected) for output in _joined(cell.outputs)]
    return f'<div class="cell" id="{escape(id)}">{code}{"".join(outputs)}</div>'


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
        return f'<pre class="out {escape(output.name)}">{ansi2html(text)}</pre>' if text else ""
    if output.output_type == "error":
        return _traceback(f"{output.ename}: {output.evalue}", "\n".join(output.traceback), expected)
    data = output.data
    if static.is_viewer(data.get("text/html", "")):
        return f"{VIEWER}{static.without_script(data['text/html'])}</div>"
    if course.is_quiz(data.get("text/html", "")):
        return f"{QUIZ}{static.without_script(data['text/html'])}</div>"
    if "text/html" in data:
        return f'<div class="out html">{tidy(data["text/html"], place)}</div>'
    for mime in PICTURES:
        if mime in data:
            return _picture(mime, data[mime], output.metadata.get(mime, {}), alt)
    for mime in ("text/markdown", "text/latex"):
        if mime in data:
            return f'<div class="out prose">{markdown(data[mime], place)}</div>'
    if "text/plain" in data and static.WIDGET_VIEW not in data:  # a live control says nothing without its kernel
        return f'<pre class="out result">{ansi2html(data["text/plain"])}</pre>'
    return ""


def _picture(mime: str, content: str, size: dict[str, int], alt: str) -> str:
    data = content.encode() if mime == "image/svg+xml" else base64.b64decode(content)
    sides = "".join(f' {side}="{int(size[side])}"' for side in ("width", "height") if side in size)
    return f'<figure><img src="{data_uri(mime, data)}" alt="{escape(alt)}"{sides} decoding="async"></figure>'


def _traceback(title: str, text: str, expected: bool) -> str:
    kind, state = ("error expected", "") if expected else ("error", " open")
    return (
        f'<details class="{kind}"{state}><summary>{escape(title.partition(chr(10))[0])}</summary>'
        f"<pre>{ansi2html(text)}</pre></details>"
    )
