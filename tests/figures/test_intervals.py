"""Values with their intervals: each where it belongs, whatever its row lacks."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np

from chestlib import figures


def test_a_forest_draws_each_value_on_its_row_and_its_interval_through_it() -> None:
    rows = {"all": {"model": (0.8, (0.7, 0.9)), "view": (0.6, (0.5, 0.65))}, "AP": {"model": (0.4, (0.1, 0.7))}}
    figure = figures.forest(rows, "title", "AUROC")
    (axis,) = figure.axes
    dots = {line.get_label(): line.get_xydata() for line in axis.lines if not str(line.get_label()).startswith("_")}
    assert [*dots["model"][:, 0]] == [0.8, 0.4] and [*dots["view"][:, 0]] == [0.6]
    rows_of = {name: abs(xy[:, 1:] - axis.get_yticks()).argmin(1).tolist() for name, xy in dots.items()}
    assert rows_of == {"model": [0, 1], "view": [0]} and dots["model"][0, 1] < dots["view"][0, 1]
    assert dots["model"][1, 1] == axis.get_yticks()[1], "alone on its row, and in its middle"
    bars = [path.vertices[:, 0].tolist() for lines in axis.collections for path in lines.get_paths()]
    assert bars == [[0.7, 0.9], [0.1, 0.7], [0.5, 0.65]]
    assert axis.get_ylim()[0] > axis.get_ylim()[1], "the first row is on top"
    plt.close(figure)


def test_learning_curves_share_their_places_though_a_start_lacks_some() -> None:
    figure, axis = plt.subplots()
    curves = {"random": {50: (0.5, (0.4, 0.6)), 144: (0.7, (0.6, 0.8))}, "phantom": {0: (0.5, (0.4, 0.6))}}
    figures.learning_curves(axis, curves, "title", "AUROC")
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0", "50", "144"]
    x = {line.get_label(): np.round(line.get_xdata()).tolist() for line in axis.lines}
    assert x == {"random": [1, 2], "phantom": [0]}
    plt.close(figure)
