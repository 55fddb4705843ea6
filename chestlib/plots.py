"""Every figure of the course, in one style: the findings keep their colours, axes name their units and counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from PIL import Image, ImageDraw

from chestlib import images
from chestlib.annotations import Record, write_atomically
from chestlib.detections import Detections
from chestlib.findings import COLOUR, FINDINGS, LINE_STYLE, NAME
from chestlib.metrics import Match

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


def use_style() -> None:
    """Set the style of the course for this session."""
    plt.rcParams.update(STYLE)


def save(figure: Figure, path: Path) -> Figure:
    """Write a figure as PNG (atomically), without a date in it; returns it, to be shown."""
    from io import BytesIO

    buffer = BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    write_atomically(path, buffer.getvalue())
    return figure


def grid(count: int, columns: int, size: float = 3.0, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure of `count` image panels without axes, `size` inches each."""
    rows = -(-count // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(size * columns, size * rows), squeeze=False, **options)
    for axis in axes.flat:
        axis.axis("off")
    return figure, list(axes.flat[:count])


def xray(axis: Axes, image: np.ndarray, title: str = "") -> Axes:
    """A radiograph (1, H, W) in [0, 1], black to white, square pixels."""
    axis.imshow(image[0], cmap="gray", vmin=0, vmax=1, interpolation="antialiased")
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
            axis.text(
                x1, y1 - 4, text, fontsize=7, color="black", va="bottom",
                bbox={"facecolor": COLOUR[finding], "edgecolor": "none", "pad": 1, "alpha": 0.9}, clip_on=True,
            )  # fmt: skip


def gallery(records: Sequence[Record], columns: int = 4, size: float = 3.0) -> Figure:
    """Radiographs with their true boxes, read from disk at half size."""
    figure, axes = grid(len(records), columns, size)
    for axis, record in zip(axes, records, strict=True):
        assert record.path, f"{record.file_name}: no image"
        image = images.read(record.path)
        xray(axis, image, record.file_name + (f"\npatient {record.patient}" if record.patient else ""))
        boxes(axis, record.boxes, record.labels)
    return figure


def finding_bars(counts: dict[str, Any], title: str, label: str) -> Figure:
    """One horizontal bar a finding, in its colour; values stand beside the bars."""
    figure, axis = plt.subplots(figsize=(7, 3.6))
    names = [name for name in FINDINGS if name in counts][::-1]
    values = [counts[name] or 0 for name in names]
    axis.barh(names, values, color=[COLOUR[name] for name in names], edgecolor="#475467", linewidth=0.6)
    counted = all(v % 1 == 0 for v in values)
    axis.bar_label(axis.containers[0], fmt="{:.0f}" if counted else "{:.2f}", padding=3, color=INK, fontsize=8)
    axis.set(title=title, xlabel=label)
    axis.margins(x=0.1)
    return figure


def box_sizes(records: Iterable[Record], side: int | None = None, image_side: int = 1024) -> Figure:
    """Square root of the box area per finding, pixels; a second axis tells it at another image side."""
    records = list(records)
    labels = np.concatenate([r.labels for r in records])
    stacked = np.concatenate([r.boxes for r in records])
    root = np.sqrt((stacked[:, 2] - stacked[:, 0]) * (stacked[:, 3] - stacked[:, 1]))
    present = [i for i in range(1, len(FINDINGS) + 1) if (labels == i).any()]
    figure, axis = plt.subplots(figsize=(8, 3.8))
    parts = axis.boxplot(
        [root[labels == i] for i in present], orientation="horizontal", whis=(5, 95), showfliers=False,
        tick_labels=[f"{NAME[i]} ({(labels == i).sum()})" for i in present], medianprops={"color": INK},
        patch_artist=True,
    )  # fmt: skip
    for patch, i in zip(parts["boxes"], present, strict=True):
        patch.set(facecolor=COLOUR[NAME[i]], edgecolor="#475467")
    axis.invert_yaxis()
    axis.set(
        title="Box sizes (number of boxes)", xlabel=f"square root of the area, pixels at {image_side} x {image_side}"
    )
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:.0f}")
    axis.grid(axis="x")
    if side:
        factor = side / image_side
        twin = axis.secondary_xaxis("top", functions=(lambda v: v * factor, lambda v: v / factor))
        twin.set_xlabel(f"pixels at {side} x {side}")
        twin.xaxis.set_major_formatter("{x:.0f}")
        axis.set_title("")
    return figure


def heatmap(
    matrix: np.ndarray, rows: Sequence[str], columns: Sequence[str], title: str, label: str, fmt: str = "d"
) -> Figure:
    """A matrix of counts or shares with its numbers."""
    import seaborn as sns

    figure, axis = plt.subplots(figsize=(max(4.2, 0.62 * len(columns) + 2.4), 0.46 * len(rows) + 1.6))
    sns.heatmap(
        matrix, annot=True, fmt=fmt, cmap="Blues", cbar_kws={"label": label}, xticklabels=columns, yticklabels=rows,
        ax=axis, linewidths=0.5, linecolor="white", annot_kws={"fontsize": 8},
    )  # fmt: skip
    axis.set_title(title)
    axis.tick_params(axis="x", rotation=45)
    axis.tick_params(axis="y", rotation=0)
    plt.setp(axis.get_xticklabels(), ha="right")
    return figure


def histories(history: Any, columns: Sequence[Sequence[str]], titles: Sequence[str]) -> Figure:
    """Curves over epochs from metrics.csv; one panel a group of columns."""
    figure, axes = plt.subplots(1, len(columns), figsize=(4.2 * len(columns), 3.2), squeeze=False)
    for axis, names, title in zip(axes.flat, columns, titles, strict=True):
        for name, style in zip(names, ("-", "--", ":", "-."), strict=False):
            known = history[history[name].notna()]
            axis.plot(known["epoch"] + 1, known[name], style, marker="o", markersize=3, label=name)
        axis.set(title=title, xlabel="epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(axis="y")
        axis.legend(fontsize=8)
    return figure


def roc_and_pr(curves: Any, point: dict[str, float], scores: dict[str, float], prevalence: float, count: str) -> Figure:
    """ROC and precision-recall curve, with the operating point and the specificity floor drawn in."""
    figure, (roc, pr) = plt.subplots(1, 2, figsize=(9, 4))
    specificity = np.concatenate([[1.0], curves.specificity])
    sensitivity = np.concatenate([[0.0], curves.sensitivity])
    roc.plot(1 - specificity, sensitivity, color=ACCENT, drawstyle="default", label=f"AUROC {scores['auroc']:.3f}")
    roc.plot([0, 1], [0, 1], ":", color="#98a2b3", linewidth=1)
    roc.axvspan(1 - point["floor"], 1, color=WARN, alpha=0.08, label=f"specificity below {point['floor']:.2f}")
    roc.plot(1 - scores["specificity"], scores["recall"], "o", color=WARN, label="operating point")
    roc.set(xlabel="1 - specificity", ylabel="sensitivity (recall)", title=f"ROC, {count}", aspect="equal")
    pr.plot(
        curves.sensitivity, curves.precision, color=ACCENT, label=f"average precision {scores['average_precision']:.3f}"
    )
    pr.axhline(prevalence, linestyle=":", color="#98a2b3", label=f"everyone diseased: {prevalence:.2f}")
    pr.plot(scores["recall"], scores["precision"], "o", color=WARN, label="operating point")
    pr.set(xlabel="recall", ylabel="precision", title="Precision and recall", xlim=(0, 1.02), ylim=(0, 1.02))
    for axis in (roc, pr):
        axis.grid(True)
        axis.legend(fontsize=8, loc="lower right" if axis is roc else "lower left")
    return figure


def reliability(diagram: Any) -> Figure:
    """Predicted probability against the share that is diseased, one dot a bin, its size the number of images."""
    figure, axis = plt.subplots(figsize=(4.2, 4))
    axis.plot([0, 1], [0, 1], ":", color="#98a2b3")
    known = diagram.count > 0
    axis.plot(diagram.probability[known], diagram.frequency[known], color=ACCENT, linewidth=1)
    axis.scatter(
        diagram.probability[known], diagram.frequency[known], s=12 + 3 * diagram.count[known], color=ACCENT, alpha=0.7,
        clip_on=False,
    )  # fmt: skip
    axis.set(
        xlabel="mean predicted probability", ylabel="share diseased", xlim=(0, 1), ylim=(0, 1.02), aspect="equal",
        title=f"Reliability (ECE {diagram.expected_calibration_error:.3f}, n = {int(diagram.count.sum())})",
    )  # fmt: skip
    axis.grid(True)
    return figure


def froc(curves: dict[str, tuple[np.ndarray, np.ndarray]], points: dict[str, float], count: int) -> Figure:
    """FROC: sensitivity over false positives an image, a line a name; dots at the challenge's rates."""
    figure, axis = plt.subplots(figsize=(7.4, 4))
    for name, (false, sensitivity) in curves.items():
        known = name in COLOUR
        style: dict[str, Any] = (
            {"color": COLOUR[name], "linestyle": LINE_STYLE[name], "linewidth": 1.8}
            if known
            else {"color": INK, "linewidth": 2.2}
        )
        outline = [withStroke(linewidth=style["linewidth"] + 0.8, foreground="#475467")]  # pale colours on white
        axis.plot(false, sensitivity, label=name, path_effects=outline, **style)
    axis.plot(
        [float(rate) for rate in points],
        list(points.values()),
        "o",
        color=WARN,
        markersize=5,
        label="mean at the rates",
    )
    axis.set(
        xlabel=f"false positives an image (n = {count})", ylabel="sensitivity", title="FROC",
        xscale="log", xlim=(0.01, 3), ylim=(0, 1.02),
    )  # fmt: skip
    axis.xaxis.set_major_formatter("{x:g}")
    axis.grid(True)
    axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))  # beside the curves, not over them
    return figure


def matches(axis: Axes, image: np.ndarray, record: Record, found: Detections, match: Match, title: str = "") -> None:
    """Truth and detections on one image: hits and truth in the finding's colour, false alarms and misses marked."""
    xray(axis, image, title or record.file_name)
    for box, ok in zip(record.boxes, match.found, strict=True):
        x1, y1, x2, y2 = (float(v) for v in box)
        axis.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor="white", linewidth=1, linestyle="-"))
        if not ok:
            axis.plot([x1, x2], [y1, y2], color="white", linewidth=0.8)
    notes = [
        f"{score:.2f} {'hit' if hit else 'false alarm'}" for score, hit in zip(found.scores, match.hit, strict=True)
    ]
    boxes(axis, found.boxes, found.labels, notes)


def overlay(image: np.ndarray, found: Detections, path: Path, longest: int = 1024) -> None:
    """Write one radiograph (1, H, W) with its detections as PNG, at most `longest` pixels a side."""
    height, width = image.shape[1:]
    factor = min(1.0, longest / max(height, width))
    small = images.resize(image, (max(1, round(height * factor)), max(1, round(width * factor))))
    picture = Image.fromarray((small[0] * 255 + 0.5).astype(np.uint8)).convert("RGB")
    draw = ImageDraw.Draw(picture)
    thick = max(2, round(max(picture.size) / 400))
    for box, label, score in zip(found.boxes, found.labels, found.scores, strict=True):
        finding = NAME[int(label)]
        corners = [float(v) * factor for v in box]
        draw.rectangle(corners, outline=COLOUR[finding], width=thick)
        text = f"{finding} {score:.2f}"
        left, top, right, bottom = draw.textbbox((corners[0], max(0.0, corners[1] - 14)), text)
        draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=COLOUR[finding])
        draw.text((corners[0], max(0.0, corners[1] - 14)), text, fill="black")
    from io import BytesIO

    buffer = BytesIO()
    picture.save(buffer, "PNG")
    write_atomically(path, buffer.getvalue())
