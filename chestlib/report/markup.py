"""Text of a notebook as clean HTML: Markdown, math as MathML, links between chapters, pictures inside the page."""

from __future__ import annotations

import base64
import html
import io
import mimetypes
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from bs4 import BeautifulSoup, Tag
from latex2mathml.converter import convert_to_element
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from PIL import Image

FRUGAL = 250_000
"""Bytes above which a PNG travels as WebP: a radiograph's noise takes a PNG megabytes."""

ACTIVE = ("script", "iframe", "object", "embed", "link", "meta", "base", "form")
"""What no chapter may bring along. The page's Content-Security-Policy refuses it too."""

NUMBER = re.compile(r"[-−+±]?\.?\d|nan$", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """Where a piece of text stands: its notebook's folder, its chapter, and all chapters that links may lead to."""

    folder: Path
    chapter: str
    chapters: frozenset[str]


def mathml(tex: str, display: str = "inline") -> str:
    """TeX as MathML, or as code where the converter does not know it."""
    try:
        root = convert_to_element(tex.strip(), display=display)
    except Exception:  # the converter raises its own and builtin errors alike
        return f'<code class="tex">{html.escape(tex)}</code>'
    for element in root.iter():  # the converter writes entities into the text, and leaves < as it is
        element.text = html.unescape(element.text) if element.text else element.text
        element.attrib.pop("href", None)
        if element.tag in {"mi", "mo"} and len(name := element.text or "") > 1 and name.isalpha():
            element.tag = "mo"  # a named function: log, max
            element.attrib |= {"lspace": "0.1em", "rspace": "0.1em", "stretchy": "false"}
    root.attrib.pop("xmlns", None)
    text = ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)
    return f'<span class="equation">{text}</span>' if display == "block" else text


class _Renderer(IPythonRenderer):
    def image(self, text: str, url: str, title: str | None = None) -> str:
        missing = url.startswith("attachment:") and url.partition(":")[2] not in self.attachments
        return html.escape(text) if missing else super().image(text, url, title)

    def block_math(self, body: str) -> str:
        return mathml(body, "block")

    def inline_math(self, body: str) -> str:
        return mathml(body)

    def latex_environment(self, name: str, body: str) -> str:
        starred = name.rstrip("*") + "*"  # equations of the report carry no numbers
        return mathml(rf"\begin{{{starred}}}{body}\end{{{starred}}}", "block")


def markdown(source: str, place: Place, attachments: dict[str, dict[str, str]] | None = None) -> BeautifulSoup:
    """Markdown with math as a tidy tree; `attachments` are the pictures that a cell carries itself."""
    renderer = _Renderer(escape=False, exclude_anchor_links=True, attachments=attachments)
    return tidy(MarkdownWithMath(renderer=renderer).render(source), place)


def tidy(text: str, place: Place) -> BeautifulSoup:
    """HTML as a tree in which nothing is active, nothing is remote, and links lead to chapters of the page."""
    soup = BeautifulSoup(text, "html.parser")
    for tag in soup([*ACTIVE, "style"]):
        if tag.name != "style" or tag.has_attr("scoped"):  # pandas' own style of a plain table; ours is better
            tag.decompose()
    for tag in soup.find_all(True):
        tag.attrs = {key: value for key, value in tag.attrs.items() if not key.lower().startswith("on")}
    for image in soup("img"):
        _embed(image, place, soup)
    for link in soup("a", href=True):
        _lead(link, place)
    for table in soup("table"):
        table.attrs.pop("border", None)
        _join_header(table)
        _mark_text(table)
        table.wrap(soup.new_tag("div", attrs={"class": "table", "tabindex": "0"}))
    return soup


def _join_header(table: Tag) -> None:
    """Put the name of pandas' index, which has a header row of its own, into the first one."""
    rows = table.select("thead > tr")
    if len(rows) != 2:
        return
    names, columns = ([cell.get_text(strip=True) for cell in row("th")] for row in reversed(rows))
    index = sum(map(bool, names))
    if len(names) == len(columns) and all(names[:index]) and not any(columns[:index]):
        for cell, name in zip(rows[0]("th"), names[:index], strict=False):
            cell.string = name
        rows[1].decompose()


def _mark_text(table: Tag) -> None:
    """Mark the columns of words, which are read from the left; numbers stay at the right."""
    rows = [row(["th", "td"]) for row in table("tr")]
    if not rows or len({len(row) for row in rows}) > 1:  # cells that span columns
        return
    for head, *column in zip(*rows, strict=True):
        texts = [cell.get_text(strip=True) for cell in column]
        if any(texts) and not any(NUMBER.match(text) for text in texts):
            for cell in (head, *column):
                cell["class"] = [*cell.get("class", ()), "text"]


def anchor(chapter: str, section: str = "") -> str:
    """Name a chapter or one of its sections, in ASCII, so that a CSS selector takes it as it stands.

    A section's name is the same from its heading and from JupyterLab's link to it, which joins the words by hyphens.
    """
    return f"ch-{_slug(chapter)}" + (f"--{_slug(section) or 'section'}" if section.strip() else "")


def _slug(text: str) -> str:
    """Spell a text with a-z, 0-9 and single hyphens; a letter without an ASCII form as its code point."""
    letters = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    spelt = "".join(c if c.isascii() or not c.isalnum() else f"u{ord(c):x}" for c in letters)
    return re.sub(r"[^A-Za-z0-9]+", "-", spelt).strip("-").lower()


def _lead(link: Tag, place: Place) -> None:
    """Turn a link to a notebook into one within the page; leave web addresses; drop what a single page cannot reach."""
    url = urlsplit(str(link["href"]))
    stem = Path(unquote(url.path)).stem
    if url.scheme in {"http", "https"}:
        link.attrs |= {"target": "_blank", "rel": "noopener noreferrer"}
    elif not url.scheme and url.path.endswith(".ipynb") and stem in place.chapters:
        link["href"] = "#" + anchor(stem, unquote(url.fragment))
    elif not url.scheme and not url.path and url.fragment:
        link["href"] = "#" + anchor(place.chapter, unquote(url.fragment))
    elif url.scheme != "mailto":
        link.name = "span"
        link.attrs = {"class": "file", "title": link["href"]}


def _embed(image: Tag, place: Place, soup: BeautifulSoup) -> None:
    """Put a local picture into the page; a remote one becomes a link to it."""
    source = str(image.get("src", ""))
    if source.startswith("data:image/"):
        return
    file = place.folder / unquote(urlsplit(source).path)
    if not urlsplit(source).scheme and _mime(file).startswith("image/") and file.is_file():
        image["src"] = file_uri(file)
        if not image.has_attr("width") and not image.has_attr("height"):
            image.attrs |= {side: str(length) for side, length in picture_size(file.read_bytes()).items()}
        image.attrs |= {"loading": "lazy", "decoding": "async"}
        return
    text = str(image.get("alt") or source)
    image.replace_with(soup.new_tag("a", href=source, string=text) if source.startswith("http") else text)


def file_uri(file: Path) -> str:
    """Put a picture file into an address."""
    return data_uri(_mime(file), file.read_bytes())


def _mime(file: Path) -> str:
    return mimetypes.guess_type(file.name)[0] or ""


def picture_size(data: bytes) -> dict[str, int]:
    """Width and height of a picture in pixels; nothing where it has none, as an SVG."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return dict(zip(("width", "height"), image.size, strict=True))
    except OSError:
        return {}


def data_uri(mime: str, data: bytes) -> str:
    """Put a picture into an address; large PNGs become WebP."""
    if mime == "image/png" and len(data) > FRUGAL:
        with Image.open(io.BytesIO(data)) as image:
            if max(image.size) < 16_000:  # WebP ends at 16,383
                buffer = io.BytesIO()
                image.save(buffer, "WEBP", quality=90, method=4)
                if buffer.tell() < len(data):
                    mime, data = "image/webp", buffer.getvalue()
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"
