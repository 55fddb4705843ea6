"""The pipeline figure: X-ray, SimpleCNN, diseased or not, Faster R-CNN, findings and boxes.

`python benchmarks/diagram.py` writes figures/pipeline.png.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from chestlib import figures
from chestlib.data import Record

FIGURES = Path(__file__).parents[1] / "figures"


def _card(axis: Axes, x: float, y: float, w: float, h: float, title: str, lines: str, colour: str) -> None:
    shape = FancyBboxPatch(
        (x, y), w, h, boxstyle="round,pad=0,rounding_size=0.12", facecolor="white", edgecolor=colour, lw=1.6
    )
    axis.add_patch(shape)
    axis.text(x + w / 2, y + h - 0.22, title, ha="center", va="top", fontsize=11, fontweight="bold", color=colour)
    axis.text(x + w / 2, y + h - 0.66, lines, ha="center", va="top", fontsize=8.5, color="#475467", linespacing=1.45)


def _arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float], text: str = "", bend: float = 0.0) -> None:
    style = {
        "arrowstyle": "-|>",
        "mutation_scale": 14,
        "color": "#667085",
        "lw": 1.5,
        "connectionstyle": f"arc3,rad={bend}",
    }
    axis.add_patch(FancyArrowPatch(start, end, **style))
    if text:
        axis.text(
            (start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + 0.12, text, ha="center", fontsize=8.5, color="#475467"
        )


def pipeline(image: np.ndarray, record: Record) -> Figure:
    """Draw the two stages around one radiograph (1, H, W) and its record."""
    figure = plt.figure(figsize=(12, 3.6))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, 12), ylim=(0, 3.6))
    axis.axis("off")
    for left, title, boxed in ((0.25, "chest X-ray (drawn)", False), (9.45, "findings and boxes", True)):
        panel = figure.add_axes((left / 12, 0.62 / 3.6, 2.3 / 12, 2.3 / 3.6))
        figures.xray(panel, image)
        if boxed:
            figures.boxes(panel, record.boxes, record.labels, width=1.8)
        axis.text(left + 1.15, 3.14, title, ha="center", fontsize=11, fontweight="bold", color=figures.INK)
    _card(
        axis,
        3.05,
        1.0,
        1.95,
        1.75,
        "Stage 1",
        "SimpleCNN\ngrey, 224 x 224\none logit, tuned for recall\nunder a specificity floor",
        figures.ACCENT,
    )
    _card(
        axis,
        6.95,
        1.0,
        1.95,
        1.75,
        "Stage 2",
        "Faster R-CNN\nResNet, feature pyramid\n10 findings + background\nnormal images included",
        "#3a7d5d",
    )
    _arrow(axis, (2.58, 1.88), (3.02, 1.88))
    _arrow(axis, (5.03, 1.88), (6.92, 1.88), "disease present")
    _arrow(axis, (8.93, 1.88), (9.42, 1.88))
    _arrow(axis, (5.03, 1.35), (5.62, 0.62), bend=-0.25)
    normal = FancyBboxPatch(
        (5.5, 0.2), 0.95, 0.42, boxstyle="round,pad=0,rounding_size=0.1", facecolor="#f2f4f7", edgecolor="#98a2b3"
    )
    axis.add_patch(normal)
    axis.text(5.975, 0.41, "normal", ha="center", va="center", fontsize=9, color=figures.INK)
    axis.text(10.6, 0.4, "what and where, in original pixels", ha="center", fontsize=8.5, color="#475467")
    axis.text(1.4, 0.4, "PNG, JPEG or DICOM", ha="center", fontsize=8.5, color="#475467")
    return figure


def main() -> None:
    """Write figures/pipeline.png, around a phantom."""
    from chestlib import phantom

    figures.use_style()
    picture, record = next(
        found
        for found in (phantom.render(seed, 512) for seed in range(100))
        if len(found[1].labels) in (2, 3) and len(found[1].findings) > 1
    )
    figures.save(pipeline(picture[None] / np.float32(255), record), FIGURES / "pipeline.png")


if __name__ == "__main__":
    main()
