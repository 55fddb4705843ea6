"""Figures of the training chapters: the network, the study, the anchors, and what the models saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from chestlib import plots
from chestlib.annotations import Record
from chestlib.findings import COLOUR, FINDINGS, ID, LINE_STYLE
from chestlib.plots import ACCENT, INK, SOFT, WARN

QUIET = "#98a2b3"
OUTLINE = (withStroke(linewidth=3, foreground="#475467"),)
"""Around pale colours on white."""


def network(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """The layers of :func:`chestlib.classifier.shapes`: height is the image side, width the number of channels."""
    figure, axis = plt.subplots(figsize=(10, 3.4))
    at = 0.0
    for row in rows:
        channels, side = (*(int(v) for v in row["output"].split()[::2] if v.isdigit()), 1)[:2]
        wide, high = 0.25 + 0.16 * np.log2(channels), 0.35 + side / 60
        axis.add_patch(Rectangle((at, -high / 2), wide, high, facecolor=SOFT, edgecolor=ACCENT, linewidth=1.2))
        middle = at + wide / 2
        axis.text(middle, -high / 2 - 0.12, row["output"].replace(" x ", " × "), ha="center", va="top", fontsize=8)
        count = f"{row['parameters']:,}" if row["parameters"] else "–"
        name = row["layer"].replace(" pool", "\npool").replace(", ", ",\n")
        axis.text(middle, high / 2 + 0.12, f"{name}\n{count}", ha="center", va="bottom", fontsize=8, color=INK)
        at += wide + 0.75
    axis.set(xlim=(-0.6, at), ylim=(-2.6, 3.1))
    axis.set_title("SimpleCNN: layer, parameters (above) and output channels × rows × columns (below)")
    axis.axis("off")
    return figure


def trials(study: Any, title: str) -> Figure:
    """History of a study: one dot a trial, hollow where it was pruned, and the best value so far."""
    ended = [t for t in study.trials if t.value is not None]
    pruned = [t for t in ended if t.state.name == "PRUNED"]
    finished = [t for t in ended if t.state.name == "COMPLETE"]
    figure, axis = plt.subplots(figsize=(6.4, 3.2))
    axis.plot([t.number for t in finished], [t.value for t in finished], "o", color=ACCENT, label="finished")
    axis.plot(
        [t.number for t in pruned], [t.value for t in pruned], "o", mfc="white", mec=QUIET, label="pruned, last value"
    )
    best = np.maximum.accumulate([t.value for t in finished])
    axis.step([t.number for t in finished], best, where="post", color=WARN, linewidth=1.2, label="best so far")
    axis.set(title=title, xlabel="trial", ylabel="recall on val at the floor")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.grid(axis="y")
    axis.legend(fontsize=8)
    return figure


def slices(study: Any, names: Sequence[str], logarithmic: Sequence[str] = ()) -> Figure:
    """The value of every trial over each parameter, one panel a parameter; hollow where it was pruned."""
    figure, axes = plt.subplots(2, -(-len(names) // 2), figsize=(9, 4.6), sharey=True)
    for axis, name in zip(axes.flat, names, strict=False):
        for t in study.trials:
            if t.value is not None:
                face = ACCENT if t.state.name == "COMPLETE" else "white"
                axis.plot(t.params[name], t.value, "o", mfc=face, mec=ACCENT, markersize=6)
        axis.set(xlabel=name.replace("_", " "), xscale="log" if name in logarithmic else "linear")
        axis.grid(True)
    for axis in axes[:, 0]:
        axis.set_ylabel("recall on val")
    return figure


def anchors(sizes: Mapping[str, np.ndarray], overlaps: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Best overlap with an anchor over box size, a panel a finding.

    Parameters
    ----------
    sizes : mapping
        Finding to square roots of box areas (n,), pixels.
    overlaps : mapping
        Name of a set of anchors (two of them) to finding to best IoU (n,).
    """
    figure, axes = plt.subplots(2, 5, figsize=(11, 5), sharex=True, sharey=True)
    (before, old), (after, new) = overlaps.items()
    for axis, finding in zip(axes.flat, FINDINGS, strict=True):
        axis.axhline(0.5, color=INK, linewidth=0.8, linestyle=":")
        if len(sizes.get(finding, ())):
            axis.plot(sizes[finding], old[finding], ".", color=QUIET, markersize=4, alpha=0.5, label=before)
            axis.plot(
                sizes[finding],
                new[finding],
                "o",
                mfc=COLOUR[finding],
                mec="#475467",
                mew=0.4,
                markersize=4,
                label=after,
            )
            shares = " → ".join(f"{(o[finding] >= 0.5).mean():.2f}" for o in (old, new))
            axis.set_title(f"{finding}\n{shares}", fontsize=9)
        else:
            axis.set_title(f"{finding}\nno box", fontsize=9)
    axes[0, 0].set(xscale="log", ylim=(0, 1.02))
    axes[0, 0].xaxis.set_major_formatter("{x:.0f}")
    figure.supxlabel("square root of the box area, pixels of the original image", fontsize=9)
    figure.supylabel("IoU with the best-fitting anchor", fontsize=9)
    figure.suptitle(f"Share of boxes that some anchor covers at IoU .5 or more: {before} (grey) → {after}", fontsize=10)
    return figure


def activation(axis: Axes, image: np.ndarray, cam: np.ndarray, boxes: np.ndarray, title: str = "") -> None:
    """A radiograph (1, H, W) under its class-activation map (H, W), true boxes (n, 4) in white."""
    plots.xray(axis, image, title)
    axis.imshow(cam, cmap="inferno", vmin=0, vmax=1, alpha=0.75 * cam**0.5)
    for x1, y1, x2, y2 in boxes:
        axis.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor="white", linewidth=1.2))


def pairs(
    table: Mapping[str, tuple[float | None, float | None]], names: tuple[str, str], title: str, label: str
) -> Figure:
    """Two values a finding on one line (a dumbbell); a finding without values is left blank and says so."""
    figure, axis = plt.subplots(figsize=(7, 3.8))
    rows = list(table)[::-1]
    for y, finding in enumerate(rows):
        first, second = table[finding]
        if first is None or second is None:
            axis.text(0.01, y, "not in the truth", va="center", fontsize=8, color=QUIET)
            continue
        axis.plot([first, second], [y, y], color=QUIET, linewidth=1.2, zorder=1)
        axis.plot(first, y, "o", mfc="white", mec=INK, markersize=8, zorder=2)
        axis.plot(second, y, "o", mfc=COLOUR.get(finding, INK), mec=INK, markersize=8, zorder=2)
    axis.plot([], [], "o", mfc="white", mec=INK, label=names[0])
    axis.plot([], [], "o", mfc=SOFT, mec=INK, label=names[1])
    axis.set(yticks=range(len(rows)), yticklabels=rows, xlim=(-0.02, 1.02), xlabel=label, title=title)
    axis.grid(axis="x")
    axis.legend(fontsize=8, loc="lower right")
    return figure


def event(
    axis: Axes, image: np.ndarray, record: Record, finding: str, box: np.ndarray, score: float | None, zoom: float = 2.2
) -> None:
    """A hit or false alarm close up: true boxes of its finding in white, its box in colour; a miss has no score.

    The view is a square of `zoom` times the box, 256 pixels or more.
    """
    height, width = image.shape[1:]
    side = min(max(zoom * float(max(box[2:] - box[:2])), 256.0), height, width)
    left, top = (
        float(np.clip((box[k] + box[k + 2]) / 2 - side / 2, 0, whole - side)) for k, whole in ((0, width), (1, height))
    )
    plots.xray(axis, image, f"{finding}, {'missed' if score is None else f'{score:.2f}'}\n{record.file_name}")
    for x1, y1, x2, y2 in record.boxes[record.labels == ID[finding]]:
        axis.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor="white", linewidth=1.2))
    if score is None:
        axis.plot(box[::2], box[1::2], color="white", linewidth=0.8)
    else:
        plots.boxes(axis, box[None], [ID[finding]], names=False, width=2)
    axis.set(xlim=(left, left + side), ylim=(top + side, top))


def legend(figure: Figure, findings: Sequence[str], columns: int = 5) -> None:
    """The findings' colours and line styles, below the panels."""
    keys = [
        Line2D([], [], color=COLOUR[f], linestyle=LINE_STYLE[f], linewidth=2, path_effects=OUTLINE, label=f)
        for f in FINDINGS
        if f in findings
    ]
    if keys:
        figure.legend(handles=keys, loc="outside lower center", ncols=columns, fontsize=8)
