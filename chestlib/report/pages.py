"""The files of a report: one page, or one a chapter; what they share, how they lead to each other, what a search finds.

Each page stands alone. Its Content-Security-Policy allows nothing to be loaded, and only those scripts to run whose
hash it names; the words of all chapters lie in it as data, so that a search needs neither server nor network.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from chestlib import course
from chestlib.console import duration
from chestlib.files import write_atomically
from chestlib.report.chapter import QUIZ, VIEWER, Chapter
from chestlib.viewer import static

ASSETS = Path(__file__).parent
FRONT = "index.html"
SCRIPTS = ("early.js", "report.js", "search.js")
"""The page's own: the first stands after the contents, before the chapters; the others at the end."""

GENERATOR = '<meta name="generator" content="chestlib">'
_LINK = re.compile(r'(<a [^<>]*href=")#(ch-[a-z0-9-]+)(?=")')


class Pages:
    """Chapters, and what the title page tells, as files.

    Parameters
    ----------
    chapters : sequence of Chapter
    facts : dict
        For the template.
    split : bool
        One page a chapter, beside a front page; else all in one.
    live : bool
        Viewers start; else each stands for itself as the picture that it begins with, as on paper.
    """

    def __init__(
        self, chapters: Sequence[Chapter], facts: dict[str, Any], split: bool = False, live: bool = True
    ) -> None:
        self.chapters, self.facts, self.split, self.live = list(chapters), facts, split, live
        environment = Environment(
            loader=FileSystemLoader(ASSETS), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        environment.filters |= {"duration": duration, "count": lambda n: f"{n:,}" if isinstance(n, int) else n}
        self.template = environment.get_template("page.html")

    def write(self, folder: Path) -> Path:
        """Write all files, each whole or not at all; returns the one to open. Pages of an earlier split go."""
        texts = {self.file(chapter): self.text(chapter) for chapter in self.chapters} if self.split else {}
        for name, text in texts.items():
            write_atomically(folder / name, text)
        write_atomically(folder / FRONT, self.text())
        for old in folder.glob("ch-*.html"):
            if old.name not in texts and GENERATOR in old.read_text(encoding="utf-8", errors="replace")[:4000]:
                old.unlink()
        return folder / FRONT

    def file(self, chapter: Chapter | None) -> str:
        """Name the file in which a chapter stands; None: the front page."""
        return f"{chapter.id}.html" if self.split and chapter else FRONT

    def text(self, only: Chapter | None = None) -> str:
        """Write the front page, with all chapters unless they have pages of their own, or the page of one chapter."""
        shown = [only] if only else [] if self.split else self.chapters
        here = self.file(only)
        early, *scripts = [(ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS]
        if self.live and any(VIEWER in chapter.body for chapter in shown):
            scripts.append(static.script())  # once, however many viewers there are
        if self.live and any(QUIZ in chapter.body for chapter in shown):
            scripts.append(course.quiz_script())
        around = [None, *self.chapters, None]
        return self.template.render(
            self.facts,
            chapters=self.chapters,
            only=only,
            shown=[(chapter, Markup(self._lead(chapter.body, here))) for chapter in shown],
            link=lambda id: self._address(str(id), here),
            turns={chapter.id: (around[i], around[i + 2]) for i, chapter in enumerate(self.chapters)},
            generator=Markup(GENERATOR),
            style=Markup((ASSETS / "report.css").read_text(encoding="utf-8")),
            index=Markup(_json(self._index(here))),
            scripts=[Markup(script) for script in scripts],
            early=Markup(early),
            policy=policy([early, *scripts]),
        )

    def _address(self, id: str, here: str) -> str:
        """Lead from the page `here` to an id: a chapter's own, one inside a chapter, or one of the front page."""
        owner = next((chapter for chapter in self.chapters if chapter.id == id.partition("--")[0]), None)
        if owner and id not in owner.ids:
            id = owner.id  # a section that is not there; its chapter is
        file = self.file(owner)
        return f"#{id}" if file == here else f"{file}#{id}"

    def _lead(self, body: str, here: str) -> str:
        return _LINK.sub(lambda found: found[1] + self._address(found[2], here), body)

    def _index(self, here: str) -> dict[str, Any]:
        """Collect what a search looks through; a cell is its chapter, section, address, 1 if it is prose, and text."""
        return {
            "chapters": [[chapter.number, chapter.title] for chapter in self.chapters],
            "cells": [
                [i, entry.section, self._address(entry.id, here), int(entry.prose), entry.text]
                for i, chapter in enumerate(self.chapters)
                for entry in chapter.entries
            ],
        }


def _json(value: Any) -> str:
    """JSON that no text inside can end."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def policy(scripts: Sequence[str]) -> str:
    """Write the Content-Security-Policy under which these inline scripts alone run, and nothing is loaded."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    return (
        f"default-src 'none'; script-src {hashes} blob:; style-src 'unsafe-inline'; img-src data: blob:; "
        "font-src data:; base-uri 'none'; form-action 'none'"
    )
