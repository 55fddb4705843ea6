"""Both stages learn what any network can, and keep to their recipe on the way. No figure here is near its limit."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from painted import CNN, DARK, RCNN, Noted, folder

from chestlib.data import splits
from chestlib.detections import Detections
from chestlib.metrics import binary_scores, coco_scores, overlap
from chestlib.train import Run, train_stage, warmup_cosine
from chestlib.train.load import read_weights

Learned = Mapping[str, tuple[Run, Noted]]
STAGES = {"classifier": CNN, "detector": RCNN}
BOTH = pytest.mark.parametrize("kind", list(STAGES), scope="module")
"""All of stage 1 comes before all of stage 2, which takes longer."""


class Trained(dict[str, tuple[Run, Noted]]):
    """A run of each stage on painted films, trained when it is first asked for."""

    def __init__(self, place: Path) -> None:
        self.place, self.data = place, folder(place)

    def __missing__(self, kind: str) -> tuple[Run, Noted]:
        noted, chosen = Noted(), STAGES[kind]
        run = train_stage(self.data, Run(self.place / kind), chosen, resamples=20, callbacks=[noted])
        return self.setdefault(kind, (run, noted))


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    return Trained(tmp_path_factory.mktemp("painted"))


def test_stage_1_tells_squares_from_noise(learned: Learned) -> None:
    run, _ = learned["classifier"]
    assert run.read("test")["scores"]["auroc"] > 0.95
    losses = run.metrics()["train_loss"]
    assert losses.min() < 0.25, "behind a second Sigmoid it cannot fall below .5"
    assert all(a != b for a, b in pairwise(losses))


def test_stage_1_keeps_the_average_of_its_weights(learned: Learned) -> None:
    run, noted = learned["classifier"]
    kept = read_weights(run.best)
    fits = [all(torch.allclose(kept[name], v, atol=1e-5) for name, v in average.items()) for average in noted.averages]
    assert sum(fits) == 1
    assert not all(torch.allclose(kept[name], v, atol=1e-5) for name, v in noted.last.items())


@BOTH
def test_every_part_learns(learned: Learned, kind: str) -> None:
    _, noted = learned[kind]
    moved = {name: (first != noted.last[name]).float().mean().item() for name, first in noted.first.items()}
    # Of what stage 2 has for findings that no film shows, nothing moves.
    assert min(moved.values()) > (0.6 if kind == "classifier" else 0), min(moved, key=moved.__getitem__)


@BOTH
def test_the_rate_of_every_step_is_that_of_the_schedule(learned: Learned, kind: str) -> None:
    (_, noted), chosen = learned[kind], STAGES[kind]
    steps = len(noted.rates)
    assert steps == sum(len(names) for names in noted.shown.values()) / chosen.batch_size > 50
    told = [chosen.learning_rate * warmup_cosine(step, steps, chosen.warmup) for step in range(steps)]
    assert noted.rates == pytest.approx(told)


@BOTH
def test_gradients_are_clipped(learned: Learned, kind: str) -> None:
    (_, noted), limit = learned[kind], STAGES[kind].clip
    assert 0 < max(noted.norms) < 1.01 * limit
    assert max(noted.norms) > 0.99 * limit, "else nothing was clipped, and this test shows nothing"


@BOTH
def test_training_is_in_training_mode(learned: Learned, kind: str) -> None:
    assert learned[kind][1].asleep <= {"loss", "model.transform"}


@BOTH
def test_each_epoch_has_its_own_order_and_its_own_numbers(learned: Learned, kind: str) -> None:
    _, noted = learned[kind]
    assert (
        len({tuple(names) for names in noted.shown.values()}) == len(set(noted.seeds.values())) == STAGES[kind].epochs
    )


@BOTH
def test_validations_come_when_they_are_due(learned: Learned, kind: str) -> None:
    rows, every = learned[kind][0].metrics(), STAGES[kind].validate_every
    assert rows.index[rows["val_loss"].notna()].tolist() == [i for i in rows.index if (i + 1) % every == 0]


@BOTH
def test_what_validation_measured_is_what_the_kept_weights_say(learned: Learned, kind: str) -> None:
    run, _ = learned[kind]
    data, rows, said = folder(run.path.parent), run.metrics(), run.read("predictions")["val"]
    val = splits.Split.from_json(run.read("split"), data.train, data.test).val
    if kind == "classifier":
        diseased, p = np.array([r.diseased for r in val]), np.array([row["disease_probability"] for row in said])
        again = binary_scores(diseased, p, 0.5)["average_precision"]
        assert again == pytest.approx(rows["val_average_precision"].max(), abs=1e-4)
        return
    scores = coco_scores(val, {name: Detections.from_list(boxes) for name, boxes in said.items()})
    best = rows.loc[rows["val_AP50"].idxmax()]
    assert (scores["AP50"], scores["AP"]) == pytest.approx((best["val_AP50"], best["val_AP"]), abs=0.03)


def test_stage_2_finds_squares(learned: Learned) -> None:
    run, _ = learned["detector"]
    assert run.read("test")["scores"]["coco"]["AP50"] > 0.4


def test_a_validation_leaves_weights_and_statistics(learned: Learned) -> None:
    assert learned["detector"][1].moved == set()


def test_all_four_losses_are_learned_from(learned: Learned) -> None:
    rows = learned["detector"][0].metrics()
    parts = rows.filter(regex="^train_loss_")
    assert len(parts.columns) == 4 and (parts > 0).all(None)
    np.testing.assert_allclose(rows["train_loss"], parts.sum(axis=1), rtol=1e-3)


def test_stage_2_sees_rare_findings_more_often(learned: Learned) -> None:
    run, noted = learned["detector"]
    data = folder(run.path.parent)
    train = splits.Split.from_json(run.read("split"), data.train, data.test).train
    rare = [r.file_name for r in train if DARK in r.labels]
    normal = [r.file_name for r in train if r.normal]
    often, seldom = (
        np.mean([noted.counts(e)[name] for e in noted.shown for name in names]) for names in (rare, normal)
    )
    share = len(rare) / len(train)
    assert often / seldom == pytest.approx((0.5 / share) ** 0.5, rel=0.1)


def test_no_finding_is_said_twice_of_one_place(learned: Learned) -> None:
    """And what is said lies within the limits of the settings."""
    said = [Detections.from_list(rows) for rows in learned["detector"][0].read("predictions")["test"].values()]
    assert sum(map(len, said)) > 20 and 1 < max(map(len, said)) <= RCNN.max_detections
    assert min(d.scores.min(initial=1) for d in said) >= RCNN.score_floor
    for found in said:
        for label in np.unique(found.labels):
            boxes = found.boxes[found.labels == label].astype(float)
            assert np.triu(overlap(boxes, boxes), 1).max() < RCNN.nms_iou + 0.01
