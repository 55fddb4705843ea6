"""Stage 1's threshold: both marks where there is room for both, else the floor."""

from __future__ import annotations

import numpy as np
import pytest

from chestlib import metrics
from chestlib.train.operating import RECALL_MARK, operating_point

FLOOR = 0.70


def drawn(normals: int, diseased: int, distance: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Truth and probabilities, whose logits are two normal distributions so far apart."""
    rng = np.random.default_rng(seed)
    truth = np.arange(normals + diseased) >= normals
    return truth, 1 / (1 + np.exp(-rng.normal(np.where(truth, distance, 0.0), 1.0)))


def test_the_room_is_divided_in_standard_errors() -> None:
    truth, p = drawn(4000, 14000, 2.4)
    point = operating_point(truth, p, FLOOR)
    specificity, recall = point["specificity"], point["sensitivity"]
    above = (specificity - FLOOR) / (FLOOR * (1 - FLOOR) / 4000) ** 0.5
    assert above == pytest.approx((recall - RECALL_MARK) / (0.9 * 0.1 / 14000) ** 0.5, rel=0.1)
    assert above > 8 and point["aim"] == pytest.approx(specificity, abs=0.01)


@pytest.mark.parametrize(("distance", "normals"), [(1.2, 40), (2.6, 7), (0.0, 40)], ids=["poor", "few", "blind"])
def test_without_room_the_floor_comes_first(distance: float, normals: int) -> None:
    truth, p = drawn(normals, 130, distance)
    aim = min(FLOOR + (FLOOR * (1 - FLOOR) / normals) ** 0.5, 1 - 1 / normals)
    point = operating_point(truth, p, FLOOR)
    assert (point["threshold"], point["aim"]) == (metrics.threshold_at_floor(truth, p, aim).threshold, round(aim, 4))


def test_a_constant_classifier_calls_nobody_diseased() -> None:
    point = operating_point(np.arange(40) > 9, np.full(40, 0.5), FLOOR)
    assert point["threshold"] > 0.5 and (point["sensitivity"], point["specificity"]) == (0.0, 1.0)


def test_the_marks_hold_on_new_images_more_often_than_by_counting() -> None:
    kept = {"fitted": 0, "counted": 0}
    new, said = drawn(40000, 140000, 2.45, seed=1)
    for seed in range(200):
        truth, p = drawn(37, 127, 2.45, seed=2 + seed)
        aim = FLOOR + (FLOOR * (1 - FLOOR) / 37) ** 0.5
        points = {
            "fitted": operating_point(truth, p, FLOOR)["threshold"],
            "counted": metrics.threshold_at_floor(truth, p, aim).threshold,
        }
        for way, threshold in points.items():
            called = said >= threshold
            kept[way] += (~called)[~new].mean() >= 0.74 and called[new].mean() >= 0.91
    assert kept["fitted"] > kept["counted"] + 10, kept
