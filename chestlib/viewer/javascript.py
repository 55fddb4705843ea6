"""The viewer's JavaScript: the modules of `js/` joined into one, for anywidget and for a page without a server."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "js"

ORDER = (
    "numbers",
    "match",
    "dom",
    "keys",
    "pictures",
    "study",
    "view",
    "grey",
    "marks",
    "gestures",
    "stage",
    "list",
    "table",
    "panel",
    "menu",
    "help",
    "bar",
    "commands",
    "viewer",
    "static_model",
    "hosts",
)
"""A module stands after those that it imports from. In one scope, no two may declare the same name."""

EXPORTS = "export { match, mount };\nexport default { render };\n"

_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=async |class |const |function )", re.MULTILINE)
_TYPES = re.compile(r"/\*\*.*?\*/\s*", re.DOTALL)


@cache
def module() -> str:
    """All modules as one, without their imports, exports and types: every cell with a viewer keeps a copy."""
    parts = []
    for name in ORDER:
        text = (FOLDER / f"{name}.js").read_text(encoding="utf-8")
        for pattern in (_IMPORT, _EXPORT, _TYPES):
            text = pattern.sub("", text)
        parts.append(text)
    return "\n".join([*parts, EXPORTS])
