"""Figures of values with their intervals: one a row, or along the number of films that taught."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chestlib.figures.style import ACCENT, INK, QUIET, WARN

Ranged = tuple[float, Sequence[float]]
"""A value, and the low and the high end of its interval."""

LOOKS = ((ACCENT, "o"), (WARN, "s"), (INK, "^"), (QUIET, "D"))
"""Colour and marker of one series after the other: told apart without colour, too."""


def forest(
    rows: Mapping[str, Mapping[str, Ranged]], title: str, label: str, chance: float | None = 0.5, width: float = 7.4
) -> Figure:
    """Draw values as dots and their intervals as lines: a row a name, as high as the series that it holds.

    Parameters
    ----------
    rows : mapping
        Row, from top to bottom, to series to (value, (low, high)); a row may lack a series.
    chance : float, optional
        Where a dotted line stands: what a coin reaches.
    """
    series = list(dict.fromkeys(name for row in rows.values() for name in row))
    heights = np.array([0.9 + len(row) for row in rows.values()])
    bottoms = heights.cumsum()
    middles = bottoms - heights / 2
    placed: dict[str, list[tuple[float, float, Sequence[float]]]] = {name: [] for name in series}
    for middle, row in zip(middles, rows.values(), strict=True):
        for k, name in enumerate(own := [name for name in series if name in row]):
            placed[name].append((middle + k - (len(own) - 1) / 2, *row[name]))
    figure, axis = plt.subplots(figsize=(width, 1.3 + 0.2 * heights.sum()))
    for (name, held), (colour, marker) in zip(placed.items(), cycle(LOOKS), strict=False):
        y, value, intervals = zip(*held, strict=True)
        low, high = np.array(intervals, float).T
        axis.hlines(y, low, high, color=colour, linewidth=2, alpha=0.6)
        axis.plot(value, y, marker, color=colour, markersize=6, label=name)
        for x, at in zip(value, y, strict=True):
            axis.annotate(f"{x:.2f}", (x, at), (0, 4), textcoords="offset points", fontsize=7, ha="center", color=INK)
    if chance is not None:
        axis.axvline(chance, linestyle=":", color=QUIET)
    axis.set(yticks=middles, yticklabels=list(rows), xlabel=label, title=title)
    axis.set_ylim(bottoms[-1], 0)
    axis.grid(axis="x")
    if len(series) > 1:
        figure.legend(loc="outside lower center", ncols=min(4, len(series)), fontsize=8)
    return figure


def learning_curves(
    axis: Axes, curves: Mapping[str, Mapping[int, Ranged]], title: str, label: str, count: str = "films that taught"
) -> None:
    """Draw a value along the number of films that taught, a line a start, its interval as a vertical line."""
    places = sorted({films for curve in curves.values() for films in curve})
    for i, (name, curve) in enumerate(curves.items()):
        colour, marker = LOOKS[i % len(LOOKS)]
        x = np.array([places.index(films) for films in curve]) + 0.12 * (i - (len(curves) - 1) / 2)
        low, high = np.array([interval for _, interval in curve.values()], float).T
        axis.vlines(x, low, high, color=colour, linewidth=1.5, alpha=0.45)
        axis.plot(x, [value for value, _ in curve.values()], marker=marker, color=colour, label=name)
    axis.set(xticks=range(len(places)), xticklabels=places, xlabel=count, ylabel=label, title=title)
    axis.grid(axis="y")
