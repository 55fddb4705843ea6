"""Scores against what they mean: reliability in plain loops, isotonic maps by pooling, decision curves by counting."""

import json

import numpy as np
import pytest
from random_cases import random_case

from chestlib.data import Record
from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.metrics import (
    Calibration,
    box_reliability,
    calibrate,
    decisions,
    evaluate,
    isotonic,
    match,
    net_benefit,
    table,
)
from chestlib.metrics.decision import PREVALENCES


def plain_reliability(truth, predictions, bins=10, least=0.0):
    rows = []
    for record in truth:
        said = predictions[record.file_name]
        rows += zip(said.scores, match(record.boxes, record.labels, said).hit, strict=True)
    rows = [(float(s), bool(h)) for s, h in rows if s >= least]
    error = 0.0
    for k in range(bins):
        own = [(s, h) for s, h in rows if k / bins <= s < (k + 1) / bins or (s == 1 and k == bins - 1)]
        if own:
            error += abs(sum(s for s, _ in own) - sum(h for _, h in own))
    return error / len(rows)


@pytest.mark.parametrize("least", [0.0, 0.4])
@pytest.mark.parametrize("seed", range(3))
def test_the_detection_calibration_error_equals_plain_loops(seed, least):
    truth, predictions = random_case(seed)
    told = box_reliability(truth, predictions, least=least)
    assert told["d_ece"] == pytest.approx(plain_reliability(truth, predictions, least=least))
    assert sum(told["count"]) == told["n"] == sum((d.scores >= least).sum() for d in predictions.values())
    assert evaluate(truth, predictions)["reliability"]["raw"]["d_ece"] == box_reliability(truth, predictions)["d_ece"]


def pooled_adjacent(scores, right):
    """Isotonic regression by pooling neighbours that fall, in plain loops; the value of each score."""
    groups = []
    for score in sorted(set(scores)):
        own = [bool(r) for s, r in zip(scores, right, strict=True) if s == score]
        groups.append([sum(own), len(own), [score]])
        while len(groups) > 1 and groups[-2][0] / groups[-2][1] >= groups[-1][0] / groups[-1][1]:
            hits, n, own_scores = groups.pop()
            groups[-1] = [groups[-1][0] + hits, groups[-1][1] + n, groups[-1][2] + own_scores]
    return {score: hits / n for hits, n, own in groups for score in own}


@pytest.mark.parametrize("seed", range(4))
def test_an_isotonic_map_equals_pooling_neighbours(seed):
    rng = np.random.default_rng(seed)
    scores = rng.random(80).round(1 if seed % 2 else 3)
    right = rng.random(80) < scores**2
    expected = pooled_adjacent(scores.tolist(), right)
    fitted = isotonic(scores, right)
    assert fitted(np.array([*expected])) == pytest.approx([*expected.values()])
    assert fitted(np.array([-1, 2])).tolist() == [min(expected.values()), max(expected.values())]


def test_a_map_of_validation_mends_scores_that_boast():
    truth, predictions = random_case(7, images=300)
    rng = np.random.default_rng(0)
    val, test = truth[:150], truth[150:]
    hit = {r.file_name: match(r.boxes, r.labels, predictions[r.file_name]).hit for r in truth}
    boast = {
        name: Detections(d.boxes, d.labels, np.clip(0.6 + 0.2 * hit[name] + 0.2 * rng.random(len(d)), 0, 1))
        for name, d in predictions.items()
    }
    said = [{r.file_name: boast[r.file_name] for r in part} for part in (val, test)]
    learnt = Calibration.from_json(json.loads(json.dumps(calibrate(val, said[0]).to_json())))
    scores = evaluate(test, said[1], calibration=learnt)
    raw, mended = (scores["reliability"][kind]["d_ece"] for kind in ("raw", "calibrated"))
    assert raw > 0.3 and mended < 0.1
    assert scores["coco"] == evaluate(test, said[1])["coco"], "no other figure changes"
    assert f"D-ECE  {raw:.3f}, {mended:.3f} by the calibration of validation" in table(scores)


@pytest.mark.parametrize(
    "said", [None, {}, {"scores": [], "shares": []}, {"scores": [0.5, 0.1], "shares": [0, 1]},
             {"scores": ["a"], "shares": [1]},
             {"scores": [0.5], "shares": [1.5]}, {"scores": [0.5, 0.6], "shares": [1]}]
)  # fmt: skip
def test_a_map_that_is_none_is_one_line(said):
    with pytest.raises(ChestlibError, match="train again"):
        Calibration.from_json(said)
    with pytest.raises(ChestlibError, match="nothing to calibrate on"):
        calibrate([Record("a.png")], {})


def people(n=200, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.4
    return y, np.clip(0.3 * y + 0.7 * rng.random(n), 0, 1)


@pytest.mark.parametrize("prevalence", [None, 0.01, 0.8])
def test_net_benefit_is_counted_person_by_person(prevalence):
    y, p = people()
    curve = net_benefit(y, p, np.array([0.05, 0.2, 0.5, 0.8]), prevalence)
    share = y.mean() if prevalence is None else prevalence
    # So many of each kind as the prevalence says: a person weighs what he stands for.
    weight = np.where(y, share / y.mean(), (1 - share) / (1 - y.mean()))
    odds = p / (1 - p) * (share / (1 - share)) / (y.mean() / (1 - y.mean()))
    for t, model, everyone in zip(*(curve[key] for key in ("threshold", "model", "all")), strict=True):
        acted = odds / (1 + odds) >= t
        assert model == pytest.approx(np.mean(weight * acted * np.where(y, 1, -t / (1 - t))))
        assert everyone == pytest.approx(np.mean(weight * np.where(y, 1, -t / (1 - t))))
    for wrong in ({"prevalence": 0}, {"at": np.array([1.0])}):
        with pytest.raises(ChestlibError, match="expected above 0"):
            net_benefit(y, p, **wrong)


def test_an_operating_point_is_worth_acting_on_between_its_two_probabilities():
    y, p = people()
    called = p >= 0.4
    rows = decisions(y, p, 0.4)
    assert (
        [row["prevalence"] for row in rows] == list(PREVALENCES) and PREVALENCES[0] == 0.01 and PREVALENCES[-1] == 0.8
    )
    for row in rows:
        share = row["prevalence"]
        for t in np.linspace(0.001, 0.999, 400):
            odds = t / (1 - t)
            own = called[y].mean() * share - called[~y].mean() * (1 - share) * odds
            best = own > max(0, share - (1 - share) * odds)
            assert best == (row["low"] < t < row["high"]), (share, t)
        assert row["predictive_positive"] == row["high"]
