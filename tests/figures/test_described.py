"""Words for figures: what is drawn is told, and nothing that the figure does not say itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
from nbformat import v4

from chestlib import report
from chestlib.figures.described import LENGTH, description


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def test_a_figure_says_its_titles_axes_names_and_legend() -> None:
    figure, (left, right) = plt.subplots(1, 2)
    left.bar(["Mass", "Nodule"], [3, 4])
    left.set(title="How many", ylabel="boxes")
    right.plot([0, 1, 2], [0, 2, 1], label="recall")
    right.legend()
    right.set_xlabel("false\nalarms")
    figure.suptitle("Quick look.")
    assert description(figure) == (
        "Quick look. 2 panels. “How many”, bars (x: Mass, Nodule; y: boxes); lines (x: false alarms; legend: recall)."
    )


def test_films_are_pictures_and_wordless_figures_stay_wordless() -> None:
    figure, axes = plt.subplots(1, 3)
    for axis, title in zip(axes, ("before", "after", ""), strict=True):
        axis.imshow([[0, 1]])
        axis.set_title(title)
        axis.axis("off")
    assert description(figure) == "2 panels. “before”, picture; “after”, picture."
    assert description(plt.figure()) == ""
    figure, axis = plt.subplots()
    axis.plot([0, 5], [0, 1])
    assert description(figure) == "", "numbers along an axis say nothing alone"
    axis.set_title("long " * 1000)
    assert len(description(figure)) <= LENGTH + 2


@pytest.mark.parametrize("figures", ["retina", "png"])
def test_a_shown_figure_brings_its_words_along(tmp_path: Path, figures: str) -> None:
    cells = [
        "from chestlib import figures\nfigures.use_style()\nfigures.use_style()\nimport matplotlib.pyplot as plt",
        "plt.plot([1, 2, 3])\nplt.title('one')\nplt.show()",
    ]
    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells])
    done = report.run(tmp_path / "a.ipynb", notebook, {}, tmp_path / "inside.json", figures=figures)
    (output,) = done.notebook.cells[1].outputs
    assert output.metadata["image/png"]["alt"] == "“one”, lines."
    nbformat.validate(done.notebook)
