"""Figures of a data set: radiographs with their boxes, counts, box sizes, matrices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from chestlib.data import Record, images
from chestlib.figures.style import INK, boxes, grid, plain_ticks, xray
from chestlib.findings import COLOUR, FINDINGS, NAME


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
    plain_ticks(axis.xaxis)
    axis.grid(axis="x")
    if side:
        factor = side / image_side
        twin = axis.secondary_xaxis("top", functions=(lambda v: v * factor, lambda v: v / factor))
        twin.set_xlabel(f"pixels at {side} x {side}")
        plain_ticks(twin.xaxis)
        axis.set_title("")
    return figure


def heatmap(
    matrix: np.ndarray, rows: Sequence[str], columns: Sequence[str], title: str, label: str, fmt: str = "d"
) -> Figure:
    """Draw a matrix of counts or shares with its numbers."""
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
