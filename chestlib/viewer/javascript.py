"""The viewer's JavaScript: the modules of `js/` joined into one, for anywidget and for a page without a server."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "js"

ORDER = (
    "numbers",
    "match",
    "dom",
    "keys",
    "pictures",
    "tags",
    "reading",
    "froc",
    "items",
    "study",
    "view",
    "grey",
    "panes",
    "marks",
    "editor",
    "gestures",
    "detectors",
    "measure",
    "stage",
    "beside",
    "thumbs",
    "filters",
    "list",
    "table",
    "chart",
    "sheet",
    "panel",
    "menu",
    "filmmenu",
    "help",
    "bar",
    "strip",
    "keep",
    "sitting",
    "measuring",
    "restore",
    "commands",
    "viewer",
    "static_model",
    "hosts",
)
EXPORTS = "export { match, mount };\nexport default { render };\n"

_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=async |class |const |function )", re.MULTILINE)
_COMMENT = re.compile(r"^ *//.*\n| +// .*$", re.MULTILINE)
_INDENT = re.compile(r"^\s+", re.MULTILINE)
_BREAK = re.compile(r"(?<=[,(\[{])\n|\n(?=[)\]}])")
_TYPES = re.compile(r"/\*\*.*?\*/\s*", re.DOTALL)


def join(files: Iterable[Path], exports: str) -> str:
    """Join modules into one, without imports, exports, types, comments and indents: a cell's output keeps a copy.

    Lines within brackets are joined, too. So no text may go over several lines or hold ` // ` (a test looks).

    Parameters
    ----------
    files : iterable of path
        Each stands after those that it imports from; in one scope, no two may declare the same name.
    exports : str
        What the whole exports.
    """
    parts = []
    for file in files:
        text = file.read_text(encoding="utf-8")
        for pattern in (_IMPORT, _EXPORT, _TYPES, _COMMENT, _INDENT, _BREAK):
            text = pattern.sub("", text)
        parts.append(text)
    return "\n".join([*parts, exports])


@cache
def module() -> str:
    """Join the viewer's modules."""
    return join((FOLDER / f"{name}.js" for name in ORDER), EXPORTS)
