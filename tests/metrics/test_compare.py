"""Two models on the same films: against a bootstrap in plain loops, and whatever is no comparison is one line."""

import json

import numpy as np
import pytest
from random_cases import random_case

from chestlib.data import Record, patient_groups
from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS
from chestlib.metrics import binary_scores, compare, compare_binary, compared, evaluate
from chestlib.metrics.intervals import patient_weights


def worse(predictions, seed=0):
    """The same boxes with other scores."""
    rng = np.random.default_rng(seed)
    return {name: Detections(d.boxes, d.labels, rng.random(len(d))) for name, d in predictions.items()}


def test_a_paired_bootstrap_equals_plain_loops():
    truth, a = random_case(1)
    b = worse(a)
    scores = json.loads(json.dumps(compare(truth, a, b, resamples=30, seed=4), allow_nan=False))
    weights = patient_weights(patient_groups(truth), 30, np.random.default_rng(4)).astype(int)
    gains = {"AP50": [], "froc_average": [], "macro_f1": [], FINDINGS[0]: []}
    for row in weights:
        copies = [(f"{copy} {r.file_name}", r) for r, n in zip(truth, row, strict=True) for copy in range(n)]
        part = [Record(name, r.boxes, r.labels) for name, r in copies]
        one, other = (evaluate(part, {name: said[r.file_name] for name, r in copies}) for said in (a, b))
        gains["AP50"].append(other["coco"]["AP50"] - one["coco"]["AP50"])
        gains["froc_average"].append(other["froc"]["average"] - one["froc"]["average"])
        gains["macro_f1"].append(other["macro"]["f1"] - one["macro"]["f1"])
        first = [s["coco"]["per_finding"][FINDINGS[0]]["AP50"] for s in (one, other)]
        gains[FINDINGS[0]].append(np.nan if None in first else first[1] - first[0])
    rows = {**scores["differences"], FINDINGS[0]: scores["per_finding"][FINDINGS[0]]["AP50"]}
    for name, gain in gains.items():
        known = np.array(gain)[~np.isnan(gain)]
        assert rows[name]["interval"] == pytest.approx(np.quantile(known, [0.025, 0.975]).tolist()), name
        assert rows[name]["above_0"] == pytest.approx((known > 1e-12).mean())
    whole = evaluate(truth, b)["coco"]["AP50"] - evaluate(truth, a)["coco"]["AP50"]
    assert scores["differences"]["AP50"]["difference"] == pytest.approx(whole)
    assert scores["n_patients"] == 13 and scores["without_patient"] == 0


def test_who_is_compared_with_himself_gains_nothing_and_the_order_gives_the_sign():
    truth, a = random_case(2)
    b = worse(a)
    same, there, back = (compare(truth, x, y, resamples=40) for x, y in ((a, a), (a, b), (b, a)))
    for row in same["differences"].values():
        assert row["difference"] == 0 and row["interval"] == [0, 0] and row["above_0"] == 0
    for name, row in there["differences"].items():
        low, high = back["differences"][name]["interval"]
        assert row["interval"] == pytest.approx([-high, -low])
    assert "Pneumothorax" not in compared(there), "the truth has none"
    assert "AP50 Atelectasis" in compared(there) and "above 0" in compared(there)
    assert "interval" not in compare(truth, a, b, resamples=0)["differences"]["AP50"]


def test_a_pair_is_narrower_than_two_strangers():
    """What makes both miss, the films that are hard, falls out of the difference."""
    truth, a = random_case(3, images=60)
    b = {name: Detections(d.boxes + 1, d.labels, d.scores) for name, d in a.items()}
    low, high = compare(truth, a, b, resamples=200)["differences"]["AP50"]["interval"]
    alone = evaluate(truth, a, bootstrap=200)["intervals"]["AP50"]
    assert high - low < 0.5 * (alone[1] - alone[0])


def test_each_model_is_called_by_its_own_thresholds():
    truth, a = random_case(2)
    strict = dict.fromkeys(FINDINGS, 0.9)
    scores = compare(truth, a, a, thresholds=(None, strict), resamples=0)["differences"]
    assert scores["macro_f1"]["b"] == evaluate(truth, a, thresholds=strict)["macro"]["f1"] != scores["macro_f1"]["a"]
    assert scores["AP50"]["difference"] == 0


def test_two_classifiers_are_compared_figure_by_figure():
    rng = np.random.default_rng(0)
    truth = [Record(f"{i}.png", *([[[0, 0, 9, 9]], [1]] if i % 2 else []), patient=f"p{i // 3}") for i in range(60)]
    y = np.array([r.diseased for r in truth])
    a, b = (np.clip(y * lift + rng.random(60) * 0.6, 0, 1) for lift in (0.1, 0.4))
    scores = compare_binary(truth, a, b, (0.4, 0.5), resamples=100, seed=2)
    one, other = binary_scores(y, a, 0.4), binary_scores(y, b, 0.5)
    for name, row in scores["differences"].items():
        assert row["difference"] == pytest.approx(other[name] - one[name])
    weights = patient_weights(patient_groups(truth), 100, np.random.default_rng(2)).astype(int)
    rows = [np.repeat(np.arange(60), row) for row in weights]
    gains = [binary_scores(y[r], b[r], 0.5)["auroc"] - binary_scores(y[r], a[r], 0.4)["auroc"] for r in rows]
    assert scores["differences"]["auroc"]["interval"] == pytest.approx(np.quantile(gains, [0.025, 0.975]).tolist())
    assert {"recall", "specificity", "auroc"} <= set(scores["differences"]) and "auroc" in compared(scores)


def test_what_is_no_comparison_is_one_line():
    truth, a = random_case(1)
    short = {name: said for name, said in a.items() if name != "7.png"}
    for pair, who in (((a, short), "A and not by B"), ((short, a), "B and not by A")):
        with pytest.raises(ChestlibError, match=rf"^7\.png: predicted by {who} \(1 such images\)"):
            compare(truth, *pair)
    with pytest.raises(ChestlibError, match="predicted, but not in the truth"):
        compare(truth[1:], a, a)
    unknown = [Record(r.file_name, r.boxes, r.labels) for r in truth]
    assert compare(unknown, a, a, resamples=5)["without_patient"] == 25
