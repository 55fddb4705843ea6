"""Stage 1 before stage 2, hard and soft: each against the same boxes scored by hand."""

import numpy as np
import pytest
from random_cases import random_case

from chestlib.data import Record
from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.metrics import cascade, froc_scores, gating_curve, soft, sure_threshold


@pytest.fixture
def case():
    truth, predictions = random_case(3, images=40)
    rng = np.random.default_rng(0)
    return truth, predictions, {r.file_name: float(rng.random() * (0.6 + 0.4 * r.diseased)) for r in truth}


def by_hand(truth, predictions, probability, threshold=0.0, mild=False):
    said = {}
    for name, found in predictions.items():
        if probability[name] >= threshold:
            scores = [float(s) * (probability[name] if mild else 1) for s in found.scores]
            said[name] = Detections(found.boxes, found.labels, scores)
    return froc_scores(truth, said)["average"]


def test_soft_stands_beside_hard(case):
    told = cascade(*case, 0.5, sure=0.1)
    assert told["alone"]["average"] == by_hand(*case)
    assert told["gated"]["average"] == by_hand(*case, 0.5)
    assert told["soft"]["average"] == by_hand(*case, mild=True)
    assert told["sure"]["froc"]["average"] == by_hand(*case, 0.1)
    assert told["sure"]["soft"]["average"] == by_hand(*case, 0.1, mild=True)
    assert told["saved"] == np.mean(np.array([*case[2].values()]) < 0.5)
    assert told["sure"]["saved"] == np.mean(np.array([*case[2].values()]) < 0.1)


def test_a_soft_cascade_loses_no_box_and_reorders_between_films_alone():
    box, away = [10, 10, 60, 60], [100, 100, 160, 160]
    truth = [Record("ill.png", [box], [8]), Record("well.png")]
    said = {"ill.png": Detections([box, away], [8, 8], [0.6, 0.5]), "well.png": Detections([away], [8], [0.8])}
    told = cascade(truth, said, {"ill.png": 0.4, "well.png": 0.1}, 0.5)
    assert told["alone"]["average"] == 0 and told["soft"]["average"] == 1
    assert told["gated"]["average"] == 0 and told["saved"] == 1, "the hard gate loses the ill film"
    mild = soft(said, {"ill.png": 0.4, "well.png": 0.1})
    assert len(mild["ill.png"]) == 2 and mild["ill.png"].scores.tolist() == pytest.approx([0.24, 0.2])


@pytest.mark.parametrize("seed", range(4))
def test_the_surest_normals_are_those_below_the_highest_threshold_that_keeps_the_diseased(seed):
    rng = np.random.default_rng(seed)
    y = rng.random(100) < 0.5
    p = np.round(np.clip(0.3 * y + 0.7 * rng.random(100), 0, 1), 2)
    found = sure_threshold(y, p, 0.9)
    assert (p[y] >= found).mean() >= 0.9
    assert all((p[y] >= t).mean() < 0.9 for t in p if t > found)
    with pytest.raises(ChestlibError, match="expected above 0"):
        sure_threshold(y, p, 0)


def test_the_curve_is_the_cascade_at_every_level(case):
    curve = gating_curve(*case, steps=5)
    assert curve["saved"][0] == 0 and curve["saved"] == sorted(curve["saved"]) and len(curve["saved"]) == 5
    for level, saved, gated, mild in zip(*(curve[k] for k in ("threshold", "saved", "gated", "soft")), strict=True):
        told = cascade(*case, level, sure=level)
        assert (saved, gated, mild) == (told["saved"], told["gated"]["average"], told["sure"]["soft"]["average"])


def test_a_probability_that_is_none_is_one_line(case):
    truth, predictions, probability = case
    for wrong in (1.2, float("nan")):
        with pytest.raises(ChestlibError, match=r"0\.png: stage 1 says"):
            cascade(truth, predictions, probability | {"0.png": wrong}, 0.5)
