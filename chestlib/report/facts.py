"""What the title page and the summary tell: the data set, and the headline figures of the runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from chestlib.data import DataFolder, summary
from chestlib.findings import FINDINGS
from chestlib.train import Run

STAGES = {"classifier": "Stage 1 · Diseased or not", "detector": "Stage 2 · Findings and boxes"}

FIGURES = {
    "classifier": {
        "Recall of diseased images": ("scores.recall", "intervals.recall"),
        "Specificity": ("scores.specificity", "intervals.specificity"),
        "Area under the ROC curve": ("scores.auroc", "intervals.auroc"),
    },
    "detector": {
        "AP at IoU .50, mean over findings": ("scores.coco.AP50", "scores.intervals.AP50"),
        "AP at IoU .50 to .95, mean over findings": ("scores.coco.AP", "scores.intervals.AP"),
        "FROC average recall": ("scores.froc.average", "scores.intervals.froc_average"),
        "F1 of findings named, macro": ("scores.macro.f1", "scores.intervals.macro_f1"),
    },
}
"""For each kind of run: what the figure is called, where its value and its interval stand in test.json."""


class DataCard(NamedTuple):
    """A data set in short: `counts` are (label, train, test), `boxes` are (finding, boxes in both parts)."""

    name: str
    synthetic: bool
    source: str
    counts: list[tuple[str, int | str, int | str]]
    boxes: list[tuple[str, int]]
    shared_patients: int


class Figure(NamedTuple):
    """One headline figure in [0, 1] with its 95 % interval, if one was computed."""

    label: str
    value: float
    interval: tuple[float, float] | None


class Stage(NamedTuple):
    """The headline figures of one run, and what they were measured on."""

    name: str
    data: str
    split: str
    images: int
    figures: list[Figure]


def data_card(data: DataFolder) -> DataCard:
    """Describe a data set."""
    train, test = ({label.strip(): n for label, n in summary(part).items()} for part in (data.train, data.test))
    return DataCard(
        name=data.root.resolve().name,
        synthetic=data.synthetic,
        source=data.source,
        counts=[(label, n, test[label]) for label, n in train.items() if label not in FINDINGS],
        boxes=[(name, int(train[name]) + int(test[name])) for name in FINDINGS],
        shared_patients=len(data.shared_patients),
    )


def finished_runs(folder: Path) -> list[Run]:
    """Find the finished runs in a folder of the course, stage 1 first."""
    return [run for kind in STAGES if (run := Run(folder / kind)).finished]


def headline(runs: Sequence[Run]) -> list[Stage]:
    """Choose the figures that a reader asks for first; one that a run does not tell is left out."""
    stages = []
    for run in runs:
        about, test = run.read("settings"), run.read("test")
        told = [Figure(label, *(_at(test, path) for path in paths)) for label, paths in FIGURES[about["kind"]].items()]
        figures = [figure for figure in told if figure.value is not None]
        name = STAGES[about["kind"]]
        stages.append(Stage(name, about["data"]["name"], about["split"]["name"], test["images"], figures))
    return stages


def _at(tree: Any, path: str) -> Any:
    for key in path.split("."):
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree
