"""What runs say together, and thresholds that hold for it: chosen on validation, and on data of one kind alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_parts import split_of
from toy_runs import Shown
from typer.testing import CliRunner

from chestlib import cli, metrics
from chestlib.data import DataFolder, Split
from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.prediction import TwoStage
from chestlib.train import Run, points_together, said_together
from chestlib.train.together import _truth, truth_to_json

Said = dict[str, Detections]


@pytest.fixture(scope="session")
def run(watched_runs: dict[str, tuple[Run, Shown]]) -> Run:
    return watched_runs["detector"][0]


def moved(found: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Boxes three pixels to the right, every other one, with scores of their own."""
    rng = np.random.default_rng(len(found))
    return {
        name: [
            row | {"box": [v + 3 * (i % 2 == 0) for i, v in enumerate(row["box"])], "score": round(rng.random(), 5)}
            for row in rows[::2]
        ]
        for name, rows in found.items()
    }


@pytest.fixture
def other(run: Run, tmp_path: Path) -> Run:
    """A run of the same data and parts that says something else."""
    shutil.copytree(run.path, tmp_path / "other")
    own = Run(tmp_path / "other")
    for name in ("predictions", "mirrored"):
        own.write(name, {part: moved(found) for part, found in run.read(name).items()})
    return own


def said(run: Run, file: str, part: str) -> Said:
    return {name: Detections.from_list(rows) for name, rows in run.read(file)[part].items()}


@pytest.fixture
def split(run: Run, small: DataFolder) -> Split:
    return split_of(run, small)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("two", [False, True])
def test_thresholds_are_of_what_was_fused_on_validation(
    two: bool, flip: bool, run: Run, other: Run, split: Split, small: DataFolder
) -> None:
    runs, files = [run, other][: 1 + two], ["predictions", "mirrored"][: 1 + flip]
    val, test = (
        metrics.fuse_all([said(one, file, part) for one in runs for file in files], ["x"] * len(runs) * len(files))
        for part in ("val", "test")
    )
    expected = metrics.choose_thresholds(split.val, val)
    assert points_together(runs, flip)["thresholds"] == expected
    if not two and not flip:
        assert expected == run.finding_thresholds()
        return
    assert expected != run.finding_thresholds()
    fuse = ["--fuse", str(other.path)] * two + ["--flip"] * flip
    result = CliRunner().invoke(cli.app, ["evaluate", str(small.root), str(run.path), *fuse, "--json"])
    assert result.exit_code == 0, result.output
    scores, again = json.loads(result.stdout), metrics.evaluate(split.test, test, thresholds=expected)
    assert scores["thresholds"] == expected and scores["per_finding"] == again["per_finding"]
    assert scores["fused"] == {"of": [str(one.path) for one in runs], "flip": flip, "iou": 0.5}
    assert "calibrated" in scores["reliability"]


def test_what_is_kept_of_validation_is_all_that_chooses(run: Run, split: Split) -> None:
    mass = replace(split.val[0], annotated=frozenset({8, *split.val[0].labels.tolist()}))
    records = [mass, *split.val[1:]]
    for kept, truth in ((run.read("truth"), split.val), (truth_to_json(records), records)):
        made = Run(run.path.parent / "kept")
        made.write("settings", run.read("settings"))
        made.write("truth", kept)
        for one, two in zip(_truth(made, truth[0].names), truth, strict=True):
            assert (one.file_name, one.annotated) == (two.file_name, two.annotated)
            assert np.array_equal(one.boxes, two.boxes) and np.array_equal(one.labels, two.labels)
        shutil.rmtree(made.path)


def altered(name: str, change: Callable[[Any], Any]) -> Callable[[Run], None]:
    return lambda run: run.write(name, change(run.read(name)))


def of_other_parts(about: dict[str, Any]) -> dict[str, Any]:
    return about | {"identity": about["identity"] | {"split": "0" * 16}}


def of_one_finding(about: dict[str, Any]) -> dict[str, Any]:
    return about | {"settings": about["settings"] | {"findings": ["Mass"]}}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (altered("settings", of_other_parts), r"other: a run of other split; fuse .*--split-of \S+detector` makes"),
        (altered("settings", of_one_finding), r"other: finds Mass; \S+detector finds Atelectasis, "),
        (lambda run: (run.path / "mirrored.json").unlink(), r"other/mirrored\.json: no such file; .*train anew"),
        (altered("mirrored", lambda said: said["val"]), r"other/mirrored\.json: not what a training writes"),
    ],
)
def test_runs_that_do_not_fit_are_told(change: Callable[[Run], None], told: str, run: Run, other: Run) -> None:
    change(other)
    for ask in (lambda: said_together([run, other], "test", True), lambda: TwoStage(None, [run, other], flip=True)):
        with pytest.raises(ChestlibError, match=told):
            ask()


def test_a_run_is_not_fused_with_itself(run: Run) -> None:
    with pytest.raises(ChestlibError, match="named twice"):
        said_together([run, Run(run.path / ".." / run.path.name)], "test")
