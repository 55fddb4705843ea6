"""Figures of the training chapters: the network, the study, the anchors, the curves over epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from chestlib.figures.style import ACCENT, INK, QUIET, SOFT, WARN, plain_ticks
from chestlib.findings import COLOUR, FINDINGS


def network(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the layers that `chestlib.train.classifier.shapes` lists; height: image side, width: channels."""
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
    axis.set(title=title, xlabel="trial", ylabel="average precision on val")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.grid(axis="y")
    axis.legend(fontsize=8)
    return figure


def slices(study: Any, names: Sequence[str], logarithmic: Sequence[str] = ()) -> Figure:
    """Draw the value of every trial over each parameter, one panel a parameter; hollow where it was pruned."""
    figure, axes = plt.subplots(2, -(-len(names) // 2), figsize=(9, 4.6), sharey=True)
    figure.suptitle("Each dot is a trial; hollow: pruned, its last value", fontsize=10)
    for axis, name in zip(axes.flat, names, strict=False):
        for t in study.trials:
            if t.value is not None:
                face = ACCENT if t.state.name == "COMPLETE" else "white"
                axis.plot(t.params[name], t.value, "o", mfc=face, mec=ACCENT, markersize=6)
        axis.set_xlabel(name.replace("_", " "))
        tried = {t.params[name] for t in study.trials if t.value is not None}
        if name in logarithmic:
            axis.set_xscale("log")
            plain_ticks(axis.xaxis)
        elif len(tried) <= 5:
            axis.set_xticks(sorted(tried))
        axis.grid(True)
    for axis in axes[:, 0]:
        axis.set_ylabel("average precision on val")
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


def histories(
    history: Any, columns: Sequence[Sequence[str]], titles: Sequence[str], heading: str | None = None
) -> Figure:
    """Curves over epochs from metrics.csv; one panel a group of columns, the legend below its panel."""
    figure, axes = plt.subplots(1, len(columns), figsize=(4.2 * len(columns), 3.2), squeeze=False)
    for axis, names, title in zip(axes.flat, columns, titles, strict=True):
        for name, style in zip(names, ("-", "--", ":", "-."), strict=False):
            known = history[history[name].notna()]
            label = name.replace("_", " ")
            axis.plot(known["epoch"] + 1, known[name], style, marker="o", markersize=3, label=label)
        axis.set(title=title, xlabel="epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(axis="y")
        axis.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=len(names), columnspacing=1.2)
    if heading:
        figure.suptitle(heading, fontsize=10)
    return figure
