"""Stage 1's figures: against scikit-learn, against plain loops, and on bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from chestlib.data import Record
from chestlib.errors import ChestlibError
from chestlib.metrics import (
    binary_intervals,
    binary_scores,
    confusion_counts,
    curves,
    recall_by_finding,
    recall_by_size,
    reliability,
    threshold_at_floor,
)
from chestlib.metrics.binary import weighted_scores
from chestlib.metrics.intervals import bootstrap_intervals, patient_weights

cases = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=8, max_size=40).map(
    lambda rows: (np.array([y for y, _ in rows]), np.array([p for _, p in rows]) / 8)
)


def mixed(y):
    return y.any() and not y.all()


@settings(max_examples=60, deadline=None)
@given(cases.filter(lambda case: mixed(case[0])), st.sampled_from([0.0, 0.25, 0.3, 0.5, 1.0]))
def test_scores_equal_scikit_learn_ties_included(case, threshold):
    y, p = case
    called = p >= threshold
    expected = {
        "recall": sklearn_metrics.recall_score(y, called),
        "precision": sklearn_metrics.precision_score(y, called, zero_division=0),
        "f1": sklearn_metrics.f1_score(y, called, zero_division=0),
        "accuracy": sklearn_metrics.accuracy_score(y, called),
        "specificity": sklearn_metrics.recall_score(~y, ~called),
        "auroc": sklearn_metrics.roc_auc_score(y, p),
        "average_precision": sklearn_metrics.average_precision_score(y, p),
    }
    assert binary_scores(y, p, threshold) == pytest.approx(expected, abs=1e-12)
    assert (confusion_counts(y, p, threshold) == sklearn_metrics.confusion_matrix(y, called)).all()


@settings(max_examples=60, deadline=None)
@given(cases.filter(lambda case: mixed(case[0]) and (~case[0]).sum() >= 4), st.sampled_from([0.0, 0.5, 0.7]))
def test_operating_point_is_the_best_of_all_thresholds_within_the_floor(case, floor):
    y, p = case
    point = threshold_at_floor(y, p, floor)
    called = p >= point.threshold
    assert point.sensitivity == called[y].mean()
    assert point.specificity == pytest.approx((~called)[~y].mean()) and point.specificity >= floor
    sensitivities = [(p >= t)[y].mean() for t in p if (p < t)[~y].mean() >= floor]
    assert point.sensitivity == max(sensitivities, default=0)


def test_a_constant_classifier_has_sensitivity_0_not_1():
    y = np.arange(20) % 2 == 0
    point = threshold_at_floor(y, np.full(20, 0.9))
    assert (point.sensitivity, point.specificity) == (0, 1) and point.threshold > 0.9


@pytest.mark.parametrize(
    ("y", "p", "says"),
    [
        ([1, 1, 1, 1], [0.1, 0.2, 0.3, 0.4], "only diseased images"),
        ([0, 0, 0, 0], [0.1, 0.2, 0.3, 0.4], "only normal images"),
        ([], [], "no images"),
        ([0, 0, 0, 1], [0.1, 0.2, 0.3, 0.4], "at least 4 normal images, this part has 3"),
        ([0, 1], [0.1, np.nan], "got nan"),
        ([0, 1], [0.1, 1.5], "got 1.5"),
        ([0, 1], [0.1], "got (2,) and (1,)"),
    ],
)
def test_bad_input_is_one_clear_line(y, p, says):
    with pytest.raises(ChestlibError) as error:
        threshold_at_floor(y, p)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_resamples_draw_patients_and_equal_a_plain_loop():
    rng = np.random.default_rng(1)
    y, clusters = rng.random(60) < 0.6, rng.integers(0, 25, 60)
    p = np.round(np.clip(0.3 * y + 0.7 * rng.random(60), 0, 1), 1)
    weights = patient_weights(clusters, 50, rng)
    assert all(len(set(row[clusters == c])) == 1 for row in weights for c in np.unique(clusters))
    assert weights[:, np.unique(clusters, return_index=True)[1]].sum(1).tolist() == [len(set(clusters))] * 50
    scores = weighted_scores(y, p, 0.5, weights)
    for i, row in enumerate(weights):
        drawn = np.repeat(np.arange(60), row.astype(int))
        assert {name: value[i] for name, value in scores.items()} == pytest.approx(
            binary_scores(y[drawn], p[drawn], 0.5)
        )


def test_intervals_are_seeded_hold_the_value_and_widen_with_clusters():
    rng = np.random.default_rng(2)
    patients = np.repeat(np.arange(60), 5)
    y = np.repeat(rng.random(60) < 0.5, 5)
    p = np.clip(0.25 + 0.3 * y + np.repeat(rng.normal(0, 0.2, 60), 5), 0, 1)
    clustered = binary_intervals(y, p, 0.5, patients, resamples=500, seed=3)
    assert clustered == binary_intervals(y, p, 0.5, patients, resamples=500, seed=3)
    assert clustered != binary_intervals(y, p, 0.5, patients, resamples=500, seed=4)
    single = binary_intervals(y, p, 0.5, np.arange(300), resamples=500, seed=3)
    for name, value in binary_scores(y, p, 0.5).items():
        low, high = clustered[name]
        assert low <= value <= high
        assert high - low > 1.5 * (single[name][1] - single[name][0])  # five films of a patient are one case


def test_an_interval_is_the_central_95_percent_of_the_resamples():
    drawn = []

    def mean(weights):
        drawn.extend(weights @ np.arange(30.0) / 30)
        return {"mean": np.array(drawn[-len(weights) :])}

    low, high = bootstrap_intervals(mean, range(30), 2000, seed=1)["mean"]
    assert (low, high) == pytest.approx(np.percentile(drawn, [2.5, 97.5]))
    assert np.mean((low < np.array(drawn)) & (np.array(drawn) < high)) == pytest.approx(0.95, abs=0.003)


def test_resamples_without_a_value_are_left_out_of_the_interval():
    values = bootstrap_intervals(lambda w: {"none": np.full(len(w), np.nan), "one": w[:, 0] * 0 + 1}, ["a", "b"], 10)
    assert np.isnan(values["none"]).all() and values["one"] == (1, 1)
    with pytest.raises(ChestlibError):
        bootstrap_intervals(lambda w: {}, [], 10)


def test_curves_and_reliability():
    y, p = np.array([0, 0, 1, 1], bool), np.array([0.1, 0.4, 0.4, 0.8])
    found = curves(y, p)
    assert found.threshold.tolist() == [0.8, 0.4, 0.1]
    assert found.sensitivity.tolist() == [0.5, 1, 1] and found.specificity.tolist() == [1, 0.5, 0]
    assert found.precision == pytest.approx([1, 2 / 3, 0.5])
    diagram = reliability(y, p, bins=2)
    assert diagram.count.tolist() == [3, 1] and diagram.frequency == pytest.approx([1 / 3, 1])
    assert diagram.probability == pytest.approx([0.3, 0.8])
    assert diagram.expected_calibration_error == pytest.approx(0.75 * (1 / 3 - 0.3) + 0.25 * 0.2)


def test_recall_by_finding_and_by_size():
    boxes = [[0, 0, side, side] for side in (10, 20, 30, 40, 50, 60)]
    truth = [Record(f"{i}.png", [box], [9 if i < 3 else 8]) for i, box in enumerate(boxes)] + [Record("normal.png")]
    p = np.array([0.1, 0.2, 0.6, 0.7, 0.8, 0.9, 0.9])
    recall = recall_by_finding(truth, p, 0.5)
    assert (
        recall["Nodule"] == (pytest.approx(1 / 3), 3) and recall["Mass"] == (1, 3) and recall["Fracture"] == (None, 0)
    )
    assert recall_by_size(truth, p, 0.5) == [((10, 20), 0, 2), ((30, 40), 1, 2), ((50, 60), 1, 2)]
