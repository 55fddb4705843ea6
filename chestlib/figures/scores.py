"""Figures of how good it is: curves, calibration, FROC, two values side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from chestlib.figures.style import ACCENT, INK, QUIET, SOFT, WARN
from chestlib.findings import COLOUR, LINE_STYLE


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


def reliability(diagram: Any, name: str = "Reliability") -> Figure:
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
        title=f"{name} (ECE {diagram.expected_calibration_error:.3f}, n = {int(diagram.count.sum())})",
    )  # fmt: skip
    axis.grid(True)
    return figure


def box_reliability(told: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Score of boxes against the share that is right, a panel a name; each dot is a bin, its size the boxes in it."""
    figure, axes = plt.subplots(1, len(told), figsize=(3.6 * len(told), 3.6), sharey=True, squeeze=False)
    for axis, (name, of) in zip(axes[0], told.items(), strict=True):
        score, precision, count = (np.array(of[key], float) for key in ("score", "precision", "count"))
        held = count > 0
        axis.plot([0, 1], [0, 1], ":", color="#98a2b3")
        axis.plot(score[held], precision[held], color=ACCENT, linewidth=1)
        size = 12 + 200 * count[held] / count.max(initial=1)
        axis.scatter(score[held], precision[held], s=size, color=ACCENT, alpha=0.7, clip_on=False)
        error = "none" if of["d_ece"] is None else f"{of['d_ece']:.3f}"
        axis.set(xlabel="mean score", xlim=(0, 1), ylim=(0, 1.02), aspect="equal")
        axis.set_title(f"{name}\nD-ECE {error}, {of['n']:,} boxes", fontsize=9)
        axis.grid(True)
    axes[0, 0].set_ylabel("share that is right")
    return figure


def net_benefit(curves: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Decision curves, a panel a name: what acting on the model, on everyone and on nobody is worth."""
    figure, axes = plt.subplots(1, len(curves), figsize=(3.4 * len(curves), 3), squeeze=False)
    for axis, (name, of) in zip(axes[0], curves.items(), strict=True):
        top = max(float(of["model"].max()), float(of["all"].max()), 1e-6)
        axis.axhline(0, color=INK, linewidth=1, label="on nobody")
        axis.plot(of["threshold"], of["all"], "--", color=QUIET, label="on everyone")
        axis.plot(of["threshold"], of["model"], color=ACCENT, label="on the model")
        axis.set(xlabel="probability from which one would act", xlim=(0, 1), ylim=(-0.25 * top, 1.1 * top), title=name)
        axis.grid(True)
    axes[0, 0].set_ylabel("net benefit a person")
    axes[0, 0].legend(fontsize=8)
    return figure


def froc(
    curves: dict[str, tuple[np.ndarray, np.ndarray]], points: dict[str, float], count: int, title: str = "FROC"
) -> Figure:
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
        xlabel=f"false positives an image (n = {count})", ylabel="sensitivity", title=title,
        xscale="log", xlim=(0.01, 3), ylim=(0, 1.02),
    )  # fmt: skip
    axis.xaxis.set_major_formatter("{x:g}")
    axis.grid(True)
    axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))  # beside the curves, not over them
    return figure


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
    figure.legend(fontsize=8, loc="outside lower center", ncols=2)  # below the dots, not over them
    return figure
