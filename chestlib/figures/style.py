"""The one style of all figures, and what they are made of: panels, radiographs, boxes, a legend of the findings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, NullFormatter
from matplotlib.transforms import Affine2D

from chestlib.figures.described import describe_shown
from chestlib.files import write_atomically
from chestlib.findings import COLOUR, FINDINGS, LINE_STYLE, NAME

STYLE: dict[str, Any] = {
    "figure.dpi": 100,
    "savefig.dpi": 110,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#667085",
    "axes.labelcolor": "#344054",
    "xtick.color": "#475467",
    "ytick.color": "#475467",
    "axes.axisbelow": True,
    "grid.color": "#e4e7ec",
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "svg.hashsalt": "chestlib",
}
INK, ACCENT, SOFT, WARN = "#1d2939", "#2f6f9f", "#a9c4d9", "#c4532f"
QUIET = "#98a2b3"
OUTLINE = (withStroke(linewidth=3, foreground="#475467"),)
"""Around pale colours on white."""


def use_style() -> None:
    """Set the style of the course for this session; figures that a notebook shows bring their description along."""
    plt.rcParams.update(STYLE)
    describe_shown()


def save(figure: Figure, path: Path) -> Figure:
    """Write a figure as PNG (atomically), without a date in it; returns it, to be shown."""
    from io import BytesIO

    buffer = BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    write_atomically(path, buffer.getvalue())
    return figure


def grid(count: int, columns: int, size: float = 3.0, **options: Any) -> tuple[Figure, list[Axes]]:
    """Make a figure of `count` image panels without axes, `size` inches each."""
    rows, columns = max(1, -(-count // columns)), max(1, columns)
    figure, axes = plt.subplots(rows, columns, figsize=(size * columns, size * rows), squeeze=False, **options)
    for axis in axes.flat:
        axis.axis("off")
    return figure, list(axes.flat[:count])


def plain_ticks(axis: Axis) -> None:
    """Give a logarithmic axis the ticks 1, 2, 5, 10 …, written out; Matplotlib's own would lie on each other."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def xray(axis: Axes, image: np.ndarray, title: str = "") -> Axes:
    """Show a radiograph (1, H, W) in [0, 1], black to white, square pixels, whose edges are whole as those of boxes."""
    height, width = image.shape[1:]
    axis.imshow(image[0], cmap="gray", vmin=0, vmax=1, interpolation="antialiased", extent=(0, width, height, 0))
    axis.set_title(title, fontsize=9, fontweight="normal", color=INK)
    axis.axis("off")
    return axis


def boxes(
    axis: Axes,
    xyxy: np.ndarray,
    labels: Sequence[int] | np.ndarray,
    notes: Sequence[str] | None = None,
    *,
    names: bool = True,
    width: float = 1.6,
) -> None:
    """Boxes (n, 4) in their findings' colours; `notes` are appended to the names."""
    for i, (box, label) in enumerate(zip(xyxy, labels, strict=True)):
        finding = NAME[int(label)]
        x1, y1, x2, y2 = (float(v) for v in box)
        style = {"edgecolor": COLOUR[finding], "linestyle": LINE_STYLE[finding], "linewidth": width, "fill": False}
        axis.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, **style))
        text = " ".join(filter(None, [finding if names else "", notes[i] if notes else ""]))
        if text:
            label = _Inside(
                x1, y1 - 4, text, fontsize=7, color="black", va="bottom",
                bbox={"facecolor": COLOUR[finding], "edgecolor": "none", "pad": 1, "alpha": 0.9}, clip_on=True,
            )  # fmt: skip
            axis.add_artist(label)


def truth(axis: Axes, xyxy: np.ndarray, width: float = 1.2) -> None:
    """Draw true boxes (n, 4) white and dotted with black: that shows on every grey, and no finding has it."""
    for x1, y1, x2, y2 in xyxy:
        place, shape = (x1, y1), (x2 - x1, y2 - y1)
        axis.add_patch(Rectangle(place, *shape, fill=False, edgecolor="black", linewidth=width))
        axis.add_patch(
            Rectangle(place, *shape, fill=False, edgecolor="white", linewidth=width, linestyle=(0, (2.5, 1)))
        )


class _Inside(Text):
    """A label that is moved to where it is not cut off by the edge of its panel."""

    def draw(self, renderer: Any) -> None:
        where, frame, place = self.get_window_extent(renderer).padded(2), self.axes.bbox, self.get_transform()
        if where.overlaps(frame.padded(where.height)):  # a box at the upper edge has its label above it
            x = max(min(0.0, frame.x1 - where.x1), frame.x0 - where.x0)
            self.set_transform(place + Affine2D().translate(x, min(0.0, frame.y1 - where.y1)))
        super().draw(renderer)
        self.set_transform(place)


def legend(figure: Figure, findings: Sequence[str], columns: int = 5) -> None:
    """Add the findings' colours and line styles below the panels."""
    keys = [
        Line2D([], [], color=COLOUR[f], linestyle=LINE_STYLE[f], linewidth=2, path_effects=OUTLINE, label=f)
        for f in FINDINGS
        if f in findings
    ]
    if keys:
        figure.legend(handles=keys, loc="outside lower center", ncols=columns, fontsize=8)
