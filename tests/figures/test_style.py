"""Boxes on films: labels are read whole, truth is no finding, and pixels lie where boxes say."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text
from matplotlib.ticker import LogLocator

from chestlib import figures
from chestlib.findings import COLOUR


@pytest.mark.parametrize("x", [0.0, 40.0, 90.0])
def test_a_label_is_not_cut_off_by_the_edge_of_its_film(x: float) -> None:
    figure, (axis,) = figures.grid(1, 1, 2)
    figures.xray(axis, np.zeros((1, 100, 100)))
    figures.boxes(axis, np.array([[x, 0, x + 9, 9]]), [5], ["0.98"])
    drawn: list[tuple[float, ...]] = []
    whole = Text.draw

    def noted(self: Text, renderer: object) -> None:
        if "0.98" in self.get_text():
            drawn.append(self.get_window_extent(renderer).extents)
        whole(self, renderer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", noted)
        figure.canvas.draw()
    (left, _, right, top), frame = drawn[-1], axis.bbox
    assert frame.x0 <= left and right <= frame.x1 and top <= frame.y1
    plt.close(figure)


def test_a_box_around_a_pixel_is_drawn_around_it() -> None:
    image = np.zeros((1, 8, 8))
    image[0, 2, 3] = 1
    figure, (axis,) = figures.grid(1, 1, 2)
    figures.xray(axis, image)
    figures.boxes(axis, np.array([[3, 2, 4, 3]]), [1], names=False)
    left, right, bottom, top = axis.images[0].get_extent()
    (box,) = axis.patches
    assert (left + 3, top + 2, (right - left) / 8, (bottom - top) / 8) == (*box.get_xy(), 1, 1)
    assert box.get_bbox().bounds == (3, 2, 1, 1)
    plt.close(figure)


def test_truth_looks_like_no_finding() -> None:
    figure, axis = plt.subplots()
    figures.truth(axis, np.array([[1, 1, 5, 5]]))
    assert [patch.get_edgecolor()[:3] for patch in axis.patches] == [(0, 0, 0), (1, 1, 1)]
    assert axis.patches[-1].get_linestyle() not in {"solid", "-", "dashed", "--"}, "a fracture is white and solid"
    assert "#ffffff" not in COLOUR.values()
    plt.close(figure)


def test_a_short_logarithmic_axis_has_ticks_that_can_be_read() -> None:
    figure, axis = plt.subplots()
    axis.set(xscale="log", xlim=(0.0003, 0.004))
    figures.style.plain_ticks(axis.xaxis)
    figure.canvas.draw()
    assert isinstance(axis.xaxis.get_major_locator(), LogLocator)
    told = [label.get_text() for label in axis.get_xticklabels(which="both") if label.get_text()]
    assert set(told) >= {"0.0005", "0.001", "0.002"} and not any("times" in text for text in told)
    plt.close(figure)
