"""Words for figures: what a reader who cannot see one is told, taken from the figure itself when it is shown."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

LENGTH = 900
"""Characters of a description."""

NAMED = 12
"""Names that are read out, of those at an axis or in a legend."""


def description(figure: Figure) -> str:
    """Say what a figure shows: its title, and for each panel its title, kind, axes, names along them and legend.

    Nothing is guessed: a figure without any words has an empty description.
    """
    panels = [words for axes in figure.axes if axes.get_visible() and (words := _panel(axes))]
    title = _clean(figure.get_suptitle())
    if not panels:
        return title
    many = f"{len(panels)} panels. " if len(panels) > 1 else ""
    told = (f"{title.rstrip('.')}. " if title else "") + many + "; ".join(dict.fromkeys(panels)) + "."
    return told if len(told) <= LENGTH else told[:LENGTH].rpartition(" ")[0] + " …"


def _panel(axes: Axes) -> str:
    """Describe one panel; nothing if it has no words."""
    title = next((text for place in ("left", "center", "right") if (text := _clean(axes.get_title(place)))), "")
    words = []
    for letter, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        label = _clean(axis.get_label_text()) if axes.axison else ""
        names = [text for tick in axis.get_ticklabels() if (text := _clean(tick.get_text()))] if axes.axison else []
        named = [name for name in names if any(map(str.isalpha, name)) and not name.startswith("$")]
        if label or named:
            words.append(f"{letter}: " + ", ".join(filter(None, [label, _some(named)])))
    legend = axes.get_legend()
    if legend and (names := [text for entry in legend.get_texts() if (text := _clean(entry.get_text()))]):
        words.append(f"legend: {_some(names)}")
    if not title and not words:
        return ""
    told = ", ".join(filter(None, [f"“{title}”" if title else "", _kind(axes)]))
    return " ".join(filter(None, [told, f"({'; '.join(words)})" if words else ""]))


def _kind(axes: Axes) -> str:
    """Name what is drawn."""
    kinds = []
    if axes.images:
        kinds.append("picture")
    if any(isinstance(collection, QuadMesh) for collection in axes.collections):
        kinds.append("coloured cells")
    if any(isinstance(container, BarContainer) for container in axes.containers):
        kinds.append("bars")
    if any(len(line.get_xydata()) > 2 for line in axes.lines):
        kinds.append("lines")
    if any(isinstance(collection, PathCollection) for collection in axes.collections):
        kinds.append("points")
    return " and ".join(kinds)


def _some(names: list[str]) -> str:
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _clean(text: str) -> str:
    return " ".join(text.split())


def describe_shown() -> None:
    """From now on, hand the description of each figure that a notebook shows to whoever reads the notebook.

    It stands in the output's metadata as `alt`, where nbconvert and the report look for it. Outside a notebook, and
    where figures are not shown as PNG, nothing happens.
    """
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    if not hasattr(shell, "kernel"):
        return
    import matplotlib_inline.backend_inline  # noqa: F401  (it says how figures are shown; what is said later holds)

    formatter = shell.display_formatter.formatters["image/png"]
    try:
        shown = formatter.lookup_by_type(Figure)
    except KeyError:
        return
    if getattr(shown, "describes", False):
        return

    def described(figure: Figure) -> Any:
        made = shown(figure)
        picture, about = made if isinstance(made, tuple) else (made, {})
        words = description(figure)
        return (picture, {**about, "alt": words}) if words else made

    described.describes = True  # type: ignore[attr-defined]
    formatter.for_type(Figure, described)
