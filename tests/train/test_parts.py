"""Each part serves its own end: train is learnt from, val chosen on, test judged on; and a seed draws them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toy_runs import RESAMPLES, TINY, Shown, watched

from chestlib import metrics, settings
from chestlib.data import DataFolder, Split, patient_groups, splits
from chestlib.detections import Detections
from chestlib.files import plain
from chestlib.train import Run, tune

Trained = dict[str, tuple[Run, Shown]]
CNN, RCNN = TINY.values()


def names(records: list) -> set[str]:
    return {record.file_name for record in records}


def split_of(run: Run, data: DataFolder) -> Split:
    return splits.Split.from_json(run.read("split"), data.train, data.test)


def assert_apart(split: Split, shown: Shown) -> None:
    assert shown.learnt <= names(split.train) and len(shown.learnt) > 0.9 * len(split.train)
    assert shown.validated == names(split.val)
    assert shown.changed <= shown.learnt and len(shown.changed) > 0.9 * len(shown.learnt), "train alone is augmented"


@pytest.mark.parametrize("kind", ["classifier", "detector"])
def test_train_alone_is_learnt_from_and_val_validated_on(kind: str, watched_runs: Trained, small: DataFolder) -> None:
    run, shown = watched_runs[kind]
    split = split_of(run, small)
    assert not names(split.train) & names(split.val) and names(split.test) == names(small.test)
    assert_apart(split, shown)


def test_a_trial_learns_from_train_and_is_judged_on_val(small: DataFolder, tmp_path: Path) -> None:
    with watched() as shown:
        tune(small, Run(tmp_path / "run"), CNN, settings.TuneSettings(trials=1, epochs=1, train_share=1.0))
    assert_apart(splits.default(small.train, small.test, CNN.seed), shown)


@pytest.mark.parametrize("kind", ["classifier", "detector"])
def test_the_seed_of_a_training_draws_its_validation_part(kind: str, watched_runs: Trained, small: DataFolder) -> None:
    split, seed = split_of(watched_runs[kind][0], small), TINY[kind].seed
    own, other = (splits.default(small.train, small.test, seed) for seed in (seed, seed + 1))
    assert split.seed == seed and names(split.val) == names(own.val) != names(other.val)


def test_stage_1_is_scored_on_test_at_the_threshold_of_val(watched_runs: Trained, small: DataFolder) -> None:
    """All is computed again from what the run said; the intervals by patient, as some have several films in test."""
    run, _ = watched_runs["classifier"]
    split, said = split_of(run, small), run.read("predictions")
    probability = {row["file"]: row["disease_probability"] for part in said.values() for row in part}
    assert [row["file"] for part in said.values() for row in part] == [r.file_name for r in split.val + split.test]
    (val, diseased), (p, y) = (
        (np.array([probability[r.file_name] for r in part]), np.array([r.diseased for r in part]))
        for part in (split.val, split.test)
    )
    point, test = run.read("operating_point"), run.read("test")
    called = val >= point["threshold"]
    assert point["threshold"] in val and point["specificity"] >= point["floor"]
    assert (point["sensitivity"], point["specificity"]) == (called[diseased].mean(), (~called)[~diseased].mean())
    assert test["scores"] == metrics.binary_scores(y, p, point["threshold"])
    patients = patient_groups(split.test)
    assert len(set(patients)) < len(patients)
    again = metrics.binary_intervals(y, p, point["threshold"], patients, resamples=RESAMPLES, seed=CNN.seed)
    assert test["intervals"] == plain(again)


def test_stage_2_is_scored_on_test_at_the_thresholds_of_val(watched_runs: Trained, small: DataFolder) -> None:
    run, _ = watched_runs["detector"]
    split, point = split_of(run, small), run.read("operating_point")
    val, test = (
        {name: Detections.from_list(rows) for name, rows in run.read("predictions")[part].items()}
        for part in ("val", "test")
    )
    assert val.keys() == names(split.val) and test.keys() == names(split.test) and any(map(len, val.values()))
    assert point["thresholds"] == plain(metrics.choose_thresholds(split.val, val))
    assert point["thresholds"] != plain(metrics.choose_thresholds(split.test, test))
    assert point["calibration"] == plain(metrics.calibrate(split.val, val).to_json())
    given = {"thresholds": point["thresholds"], "calibration": run.calibration()}
    again = metrics.evaluate(split.test, test, **given, bootstrap=RESAMPLES, seed=RCNN.seed)
    assert run.read("test")["scores"] == plain(again)
