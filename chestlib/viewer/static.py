"""The viewer without a kernel: an HTML fragment that holds its data, its pictures and the same JavaScript.

A fragment is a ``<div class="bv-static">`` with a picture for where no script runs, the state as JSON, the pictures
as base64 JPEG, and last, between two comments, the script that starts every viewer of the page. A page with many
viewers needs that script once: put `without_script(fragment)` where the viewers stand and `script()` at its end.
All of it runs from file:// under ``default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src`` with
``blob:`` and either ``'unsafe-inline'`` or the hash of `script()`.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from chestlib.errors import ChestlibError
from chestlib.viewer import heat as heating
from chestlib.viewer import javascript, lengths, pictures
from chestlib.viewer.pictures import Source
from chestlib.viewer.reading import cut

STYLE = Path(__file__).parent / "viewer.css"
MARK = ("<!--bv-script-->", "<!--/bv-script-->")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

_START = """
(() => {
  const code = CODE;
  const started = (window.__chestlibStarted ??= {});
  started[code.version] ??= (() => {
    const style = document.createElement("style");
    style.textContent = code.style;
    document.head.append(style);
    const url = URL.createObjectURL(new Blob([code.module], { type: "text/javascript" }));
    return import(url).finally(() => URL.revokeObjectURL(url));
  })();
  for (const host of document.querySelectorAll(".KIND-static:not([data-started])")) {
    host.dataset.started = "";
    started[code.version].then((module) => module.mount(host));
  }
})();
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data: blob:; \
style-src 'unsafe-inline'; script-src 'unsafe-inline' blob:; font-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>:root {{ color-scheme: light dark }} body {{ margin: 16px; font-family: system-ui, sans-serif }}</style>
</head>
<body>
{body}
</body>
</html>
"""


@dataclass(frozen=True)
class Embed:
    """How many pictures a page carries, and how fine.

    Parameters
    ----------
    images : int, optional
        The one shown and those after it; None: all.
    side : int
        Longer side at most, pixels. Boxes stay in original pixels.
    quality : int
        Of the JPEG, 1 to 100.
    """

    images: int | None = None
    side: int = 768
    quality: int = 85

    @classmethod
    def in_notebook(cls) -> Embed:
        """Say what a cell's output carries: little, for notebooks are committed; a viewer comes to about 250 kB.

        The environment variable CHESTLIB_EMBED, as in ``24x768`` (images x side), asks for more: a report does.
        """
        asked = re.fullmatch(r"(\d+)x(\d+)", os.environ.get("CHESTLIB_EMBED", ""))
        return cls(int(asked[1]), int(asked[2])) if asked else cls(6, 448, 75)


@cache
def script() -> str:
    """Join the JavaScript that starts the viewers of a page: the text of one classic script element."""
    return starter("bv", javascript.module(), STYLE.read_text(encoding="utf-8"))


def starter(kind: str, module: str, style: str) -> str:
    """Write the script that hands each ``<div class="KIND-static">`` of the page to `mount` of an ES module, once."""
    version = hashlib.sha256((module + style).encode()).hexdigest()[:12]
    code = _json({"version": version, "module": module, "style": style})
    return _START.replace("KIND", kind).replace("CODE", code)


def embedded(kind: str, parts: Sequence[str], script: str) -> str:
    """Put parts and the script that starts them into one fragment, see `starter` and `without_script`."""
    return "\n".join([f'<div class="{kind}-static">', *parts, f"{MARK[0]}<script>{script}</script>{MARK[1]}", "</div>"])


def as_data(value: Any) -> str:
    """Write a script element that holds a value as JSON."""
    return f'<script type="application/json">{_json(value)}</script>'


def is_viewer(fragment: str) -> bool:
    """Tell whether this HTML is the static form of a viewer."""
    return fragment.startswith('<div class="bv-static">')


def without_script(fragment: str) -> str:
    """Reduce the fragment to its data, for a page that carries `script()` once, at its end."""
    return re.sub(f"{MARK[0]}.*?{MARK[1]}", "", fragment, flags=re.DOTALL)


def without_widgets(notebook: dict[str, Any]) -> dict[str, Any]:
    """Drop, in place, what needs the kernel that made it, so that a saved notebook opens with the static form."""
    notebook["metadata"].pop("widgets", None)
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if "text/html" in output.get("data", {}):
                output["data"].pop(WIDGET_VIEW, None)
    return notebook


def fragment(
    state: dict[str, Any], sources: Sequence[Source], embed: Embed, heat: Sequence[np.ndarray | None] = ()
) -> str:
    """Write the static form of a viewer.

    Parameters
    ----------
    state : dict
        The traits of the model, with `_study`.
    sources : sequence of path or array
        One an image of the study.
    embed : Embed
    heat : sequence of array or None
        One an image, or none at all.
    """
    state, first, sources = _cut(state, sources, embed.images)
    heats = {
        str(i): _text(heating.encode(map_)) for i, map_ in enumerate(heat[first:][: len(sources)]) if map_ is not None
    }
    about: list[str | list[Any]] = []
    data: list[bytes] = []
    for source, entry in zip(sources, state["_study"]["images"], strict=True):
        try:
            picture = pictures.encode(source, embed.side, embed.quality)
        except ChestlibError as error:
            about.append(str(error))
            data.append(b"")
        else:
            extent = lengths.found(entry, source)
            about.append([picture.width, picture.height, *([extent] if extent else [])])
            data.append(picture.data)
    parts = [
        _fallback(state, sources),
        as_data({"state": state, "pictures": about, "heats": heats}),
        *(f'<script type="image/jpeg">{_text(jpeg)}</script>' for jpeg in data),
    ]
    return embedded("bv", parts, script())


def page(fragment: str, title: str) -> str:
    """Put a whole page around a fragment."""
    return _PAGE.format(title=_escaped(title), body=fragment)


def boxes(state: dict[str, Any]) -> list[tuple[list[float], str, str, bool]]:
    """List the boxes that the viewer draws for its image, as :func:`chestlib.viewer.pictures.drawn` takes them."""
    study = state["_study"]
    image, findings = study["images"][state["index"]], study["findings"]
    if state["read"]:  # who has not read it must not see it
        return []
    shown = [image["detections"], *image.get("others", [])]
    number = study["detectors"].index(state["detector"]) if state["detector"] else 0
    drawn = []
    for layer, found in (("truth", image["truth"]), ("detections", shown[number])):
        for x1, y1, x2, y2, label, *score in found or [] if layer in state["layers"] else []:
            finding = findings[label - 1]
            if finding["name"] in state["hidden"] or (score and score[0] < state["threshold"]):
                continue
            text = f"{finding['name']} {score[0]:.2f}" if score else finding["name"]
            drawn.append(([x1, y1, x2, y2], text, finding["colour"], not score))
    return drawn


def _cut(
    state: dict[str, Any], sources: Sequence[Source], count: int | None
) -> tuple[dict[str, Any], int, list[Source]]:
    """Only the images that are embedded, the one shown and those after it, or the last ones; and the first's place."""
    total = len(sources)
    count = total if count is None else max(1, min(count, total))
    first = min(state["index"], total - count)
    study = dict(state["_study"], images=state["_study"]["images"][first : first + count])
    if count < total:
        study["note"] = f"{count} of {total} images are kept in this page; the running notebook shows all."
    reading = cut(state["_reading"], first, count)
    here = {image["name"] for image in study["images"]}
    tags = {name: words for name, words in state["tags"].items() if name in here}
    state = dict(state, _study=study, _reading=reading, tags=tags, index=state["index"] - first)
    return state, first, list(sources[first : first + count])


def _fallback(state: dict[str, Any], sources: Sequence[Source]) -> str:
    found = boxes(state)
    said = ", ".join(text for _, text, *_ in found) or "no boxes"
    alt = f"{state['_study']['images'][state['index']]['name']}: {'to be read' if state['read'] else said}"
    try:
        data = pictures.jpeg(pictures.drawn(sources[state["index"]], found, 448))
    except ChestlibError as error:
        return f"<p>{_escaped(alt)} ({_escaped(str(error))})</p>"
    return f'<img alt="{_escaped(alt)}" src="data:image/jpeg;base64,{_text(data)}">'


def _escaped(text: str) -> str:
    """Escape a text for HTML; what a file name has that is no character, as Linux allows, becomes a question mark."""
    return html.escape(text.encode(errors="replace").decode())


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _json(value: Any) -> str:
    """JSON that no parser of HTML takes for markup."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
