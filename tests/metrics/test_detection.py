"""Stage 2's figures: against pycocotools, the challenge's own numbers, brute force, and by hand."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from counting import calls
from random_cases import pycoco, random_case
from scipy.interpolate import interp1d

from chestlib.data import Record, read_annotations
from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS, ID
from chestlib.metrics import (
    cascade,
    choose_thresholds,
    coco_scores,
    confusion_matrix,
    evaluate,
    froc_curves,
    froc_pooled,
    froc_scores,
    intervals,
    match,
    read_predictions,
    table,
)
from chestlib.metrics.coco import average_precision, coco_ranks
from chestlib.metrics.evaluation import detection_intervals
from chestlib.metrics.froc import froc_ranks, mean_recall
from chestlib.metrics.intervals import mean_present, patient_weights
from chestlib.metrics.presence import called, presence_scores, present

SHARED = Path(__file__).parents[3] / "shared"
CASES, TRUTH = SHARED / "froc-cases", SHARED / "real" / "chestx-det10" / "test.json"
RATES = (0.05, 0.1, 0.2)
HALF = dict.fromkeys(FINDINGS, 0.5)


@pytest.mark.parametrize("seed", range(6))
def test_average_precision_equals_pycocotools(seed):
    truth, predictions = random_case(seed, whole=seed % 2 == 0)
    ours, (stats, precision) = coco_scores(truth, predictions), pycoco(truth, predictions)
    names = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
    assert [ours[name] for name in names] == pytest.approx(list(stats[:6]), abs=1e-12)
    for k, name in enumerate(FINDINGS):
        own, theirs = ours["per_finding"][name], precision[:, :, k, 0, 2]
        if k >= 4:
            assert own == {"AP": None, "AP50": None, "AP75": None} and theirs.max() == -1
        else:
            assert own["AP"] == pytest.approx(theirs.mean(), abs=1e-12)
            assert own["AP50"] == pytest.approx(theirs[0].mean(), abs=1e-12)


def test_more_than_100_detections_of_a_finding_are_cut_as_in_pycocotools():
    truth = [Record("a.png", [[0, 0, 50, 50]], [3])]
    boxes = [[200, 200, 210, 210]] * 100 + [[0, 0, 50, 50]]
    predictions = {"a.png": Detections(boxes, [3] * 101, np.linspace(1, 0.5, 101))}
    assert coco_scores(truth, predictions)["AP"] == pycoco(truth, predictions)[0][0] == 0


@pytest.mark.skipif(not CASES.is_dir() or not TRUTH.is_file(), reason="../shared/froc-cases is not here")
@pytest.mark.parametrize("case", ["few-false-positives", "strong", "weak"])
def test_froc_equals_the_official_program(case):
    truth = read_annotations(TRUTH)
    predictions = read_predictions(CASES / case / "predictions.json", truth)
    expected = json.loads((CASES / case / "expected.json").read_text())
    ours = froc_scores(truth, predictions)
    assert ours["recall_at"] == pytest.approx(expected["mean_recall_at"], abs=1e-6)
    assert ours["average"] == pytest.approx(expected["avg_recall"], abs=1e-6)
    for name, curve in expected["per_class"].items():
        held = [curve["sensitivity"][min(i, len(curve["sensitivity"]) - 1)] for i in range(len(RATES))]
        assert list(ours["per_finding"][name]["recall_at"].values()) == pytest.approx(held, abs=1e-6)


def official_recalls(truth, predictions, label):
    """The official conventions in plain loops: pixels inclusive, the best true box or none, scipy's interpolation."""
    found = []
    for i, record in enumerate(truth):
        own = predictions[record.file_name]
        found += [(own.scores[j], i, own.boxes[j]) for j in np.flatnonzero(own.labels == label)]
    free = [[list(map(float, b)) for b in r.boxes[r.labels == label]] for r in truth]
    taken, hits, alarms, curve = set(), 0, 0, []
    total = sum(map(len, free))
    for place in np.argsort(np.array([s for s, _, _ in found], np.float32))[::-1]:
        _, i, (x1, y1, x2, y2) = found[place]
        overlaps = []
        for a1, b1, a2, b2 in free[i]:
            common = max(min(x2, a2) - max(x1, a1) + 1, 0) * max(min(y2, b2) - max(y1, b1) + 1, 0)
            overlaps.append(common / ((x2 - x1 + 1) * (y2 - y1 + 1) + (a2 - a1 + 1) * (b2 - b1 + 1) - common))
        best = int(np.argmax(overlaps)) if overlaps else -1
        if overlaps and overlaps[best] >= 0.5 and (i, best) not in taken:
            taken.add((i, best))
            hits += 1
        else:
            alarms += 1
        curve.append((alarms / len(truth), hits / total))
    if not curve:
        return [0.0] * 3
    if curve[-1][0] == 0:
        return [curve[-1][1]] * 3
    if curve[0][0] > 0:
        curve.insert(0, (0, 0))
    read = interp1d(*zip(*curve, strict=True), fill_value="extrapolate")
    return [float(read(min(rate, curve[-1][0]))) for rate in RATES]


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_froc_equals_the_conventions_in_plain_loops(seed, tied):
    truth, predictions = random_case(seed, images=(1, 4, 10, 40)[seed % 4], findings=2)
    if tied:
        predictions = {k: Detections(d.boxes, d.labels, np.round(d.scores, 1)) for k, d in predictions.items()}
    ours = froc_scores(truth, predictions)
    rows = []
    for name in FINDINGS:
        if any(ID[name] in r.labels for r in truth):
            rows.append(official_recalls(truth, predictions, ID[name]))
            assert list(ours["per_finding"][name]["recall_at"].values()) == pytest.approx(rows[-1], abs=1e-9)
        else:
            assert ours["per_finding"][name] is None
    if rows:
        assert list(ours["recall_at"].values()) == pytest.approx(np.mean(rows, axis=0), abs=1e-9)


BOX, OTHER, AWAY = [10, 10, 60, 60], [100, 100, 160, 160], [200, 200, 240, 240]


def mass(boxes, scores=()):
    labels = [ID["Mass"]] * len(boxes)
    return Detections(boxes, labels, scores) if len(scores) else (boxes, labels)


@pytest.mark.parametrize(
    ("case", "found", "recalls"),
    [
        ("no predictions", [], (0, 0, 0)),
        ("one hit", [("0.png", BOX, 0.4)], (0.5, 0.5, 0.5)),
        ("one false alarm", [("0.png", AWAY, 0.4)], (0, 0, 0)),
        ("perfect recall, no false alarm", [("0.png", BOX, 0.9), ("1.png", OTHER, 0.2)], (1, 1, 1)),
        ("false alarm on an image without a box", [("9.png", AWAY, 0.9), ("0.png", BOX, 0.5)], (0, 0, 0)),
        ("hits before the first alarm", [("0.png", BOX, 0.9), ("9.png", AWAY, 0.8)], (0.5, 0.5, 0.5)),
        ("a second box on one lesion", [("0.png", BOX, 0.9), ("0.png", BOX, 0.8), ("1.png", OTHER, 0.7)], (0.5,) * 3),
        (
            "two alarms between hits",
            [("0.png", BOX, 0.9), ("8.png", AWAY, 0.8), ("1.png", OTHER, 0.7), ("9.png", AWAY, 0.6)],
            (0.5, 0.5, 1),
        ),
    ],
)
def test_froc_edge_cases(case, found, recalls):
    truth = [Record("0.png", *mass([BOX])), Record("1.png", *mass([OTHER]))] + [
        Record(f"{i}.png") for i in range(2, 10)
    ]
    names = {name for name, _, _ in found}
    predictions = {n: mass(*zip(*[(b, s) for name, b, s in found if name == n], strict=True)) for n in names}
    result = froc_scores(truth, predictions)
    assert list(result["recall_at"].values()) == list(recalls), case
    assert result["average"] == pytest.approx(np.mean(recalls))
    assert [name for name, value in result["per_finding"].items() if value] == ["Mass"]


def test_without_any_true_box_nothing_has_a_value():
    truth = [Record("0.png"), Record("1.png")]
    result = evaluate(truth, {"0.png": mass([AWAY], [0.9])}, bootstrap=5)
    assert result["froc"]["average"] is None and set(result["macro"].values()) == {None}
    assert result["coco"]["AP50"] is None and result["intervals"]["AP50"] == [None, None]
    assert result["boxes"]["confusion"]["counts"][10][ID["Mass"] - 1] == 1
    assert "-" in table(result)
    json.dumps(result, allow_nan=False)


def test_match_tells_hits_duplicates_and_misses():
    found = Detections([BOX, BOX, OTHER, AWAY], [8, 8, 9, 8], [0.7, 0.9, 0.8, 0.1])
    result = match(np.array([BOX, OTHER], np.float32), np.array([8, 8]), found)
    assert result.hit.tolist() == [True, False, False, False]  # best first: hit, wrong finding, duplicate, nowhere
    assert result.truth.tolist() == [0, -1, 0, -1] and result.found.tolist() == [True, False]
    assert result.iou.tolist() == [1, 0, 1, 0]
    assert len(match(np.zeros((0, 4)), np.zeros(0), found).hit) == 4
    assert match(np.array([BOX]), np.array([8]), Detections.empty()).found.tolist() == [False]


def test_confusion_matrix_counts_every_box_once():
    truth = [Record("0.png", [BOX, OTHER, AWAY], [8, 9, 3]), Record("1.png")]
    predictions = {
        "0.png": Detections([BOX, OTHER, AWAY], [8, 8, 3], [0.9, 0.8, 0.4]),  # hit, taken for a mass, below .5
        "1.png": Detections([BOX], [4], [0.6]),
    }
    counts = confusion_matrix(truth, predictions, HALF)
    assert {(r, c): int(counts[r, c]) for r, c in np.argwhere(counts)} == {(8, 8): 1, (9, 8): 1, (3, 0): 1, (0, 4): 1}
    truth, predictions = random_case(3)
    counts = confusion_matrix(truth, predictions, HALF)
    assert counts[1:].sum() == sum(len(r.labels) for r in truth) and counts[0, 0] == 0
    assert counts[:, 1:].sum() == sum((d.scores >= 0.5).sum() for d in predictions.values())


def test_presence_is_the_best_box_against_its_threshold():
    truth = [Record("0.png", [BOX], [8]), Record("1.png", [BOX], [8]), Record("2.png")]
    predictions = {"0.png": mass([AWAY, BOX], [0.3, 0.9]), "2.png": mass([BOX], [0.6])}
    thresholds = choose_thresholds(truth, predictions)
    assert thresholds["Mass"] == pytest.approx(0.9) and thresholds["Nodule"] == 0.5
    crowd = [*truth, *(Record(f"{i}.png") for i in range(3, 20))]
    assert choose_thresholds(crowd, {r.file_name: mass([AWAY], [0.02]) for r in crowd})["Mass"] == 0.5  # not "everyone"
    row = evaluate(truth, predictions, thresholds={"Mass": 0.5})["per_finding"]["Mass"]
    assert row.pop("AP50") == pytest.approx(0.5, abs=0.01)
    assert row == {"accuracy": pytest.approx(1 / 3), "recall": 0.5, "precision": 0.5, "f1": 0.5}


def test_bootstrap_equals_evaluating_each_resample(monkeypatch):
    truth, predictions = random_case(5)
    weights = patient_weights([r.patient for r in truth], 12, np.random.default_rng(0))
    ranks = [coco_ranks(truth, predictions, name)[0][0] for name in FINDINGS]
    ap50 = mean_present(np.stack([average_precision(ranked, weights) for ranked in ranks], axis=1))
    recall = mean_recall(froc_ranks(truth, predictions), weights)
    f1 = mean_present(presence_scores(present(truth), called(truth, predictions, HALF), weights)["f1"])
    for i, row in enumerate(weights.astype(int)):
        copies = [(f"{copy} {r.file_name}", r) for r, n in zip(truth, row, strict=True) for copy in range(n)]
        drawn = [Record(name, r.boxes, r.labels) for name, r in copies]
        result = evaluate(drawn, {name: predictions[r.file_name] for name, r in copies})
        assert ap50[i] == pytest.approx(result["coco"]["AP50"])
        assert recall[i] == pytest.approx(list(result["froc"]["recall_at"].values()))
        assert f1[i] == pytest.approx(result["macro"]["f1"])
    first, again = (detection_intervals(truth, predictions, HALF, 60, seed=1) for _ in range(2))
    assert first == again and set(first) == {"AP50", "froc_average", "macro_f1"}
    monkeypatch.setattr(intervals, "CHUNK", 7 * len(truth))  # as with many images: few resamples at once
    assert detection_intervals(truth, predictions, HALF, 60, seed=1) == first


def test_five_films_of_a_patient_are_one_case():
    """So many copies of every film, each with its patient, say no more than one of each; unknown patients do."""
    truth, predictions = random_case(5)
    copies = [Record(f"{i} {r.file_name}", r.boxes, r.labels, r.file_name) for r in truth for i in range(5)]
    found = {f"{i} {name}": said for name, said in predictions.items() for i in range(5)}
    strangers = [Record(r.file_name, r.boxes, r.labels) for r in copies]
    one, many, more = (
        evaluate(films, said, bootstrap=200, seed=3)["intervals"]
        for films, said in (
            ([replace(r, patient=r.file_name) for r in truth], predictions),
            (copies, found),
            (strangers, found),
        )
    )
    assert many["macro_f1"] == pytest.approx(one["macro_f1"])
    for name, (low, high) in many.items():
        assert high - low > 1.5 * (more[name][1] - more[name][0])


def test_evaluate_works_on_all_images_at_once():
    few, many = (random_case(8, images=n) for n in (50, 250))
    evaluate(*few)
    assert calls(lambda: evaluate(*many)) - calls(lambda: evaluate(*few)) < 200 * 100  # one by one they took 764 each


def test_evaluate_has_the_promised_keys_and_is_json():
    truth, predictions = random_case(6)
    del predictions["3.png"]
    result = json.loads(json.dumps(evaluate(truth, predictions, bootstrap=20), allow_nan=False))
    assert result["n_images"] == 25 and result["without_prediction"] == ["3.png"]
    assert {"AP", "AP50", "AP75"} <= result["coco"].keys()
    assert list(result["froc"]) == ["recall_at", "average", "per_finding"]
    assert list(result["froc"]["recall_at"]) == ["0.05", "0.1", "0.2"]
    assert list(result["per_finding"]) == list(FINDINGS)
    rows = list(result["per_finding"].values())
    assert all(list(row) == ["AP50", "accuracy", "recall", "precision", "f1"] for row in rows)
    assert all(set(row.values()) == {None} for row in rows[4:])
    for key, value in result["macro"].items():
        assert value == pytest.approx(np.mean([row[key] for row in rows[:4]]))
    assert all(low <= high for low, high in result["intervals"].values())
    assert "Pneumothorax" in table(result)


def test_froc_curves_start_at_0_and_end_where_the_detections_end():
    truth, predictions = random_case(7)
    curves = froc_curves(truth, predictions)
    assert set(curves) == {*FINDINGS[:4], "mean"}
    for alarms, recall in curves.values():
        assert alarms[0] == recall[0] == 0 and (np.diff(alarms) >= 0).all() and recall.max() <= 1
    assert froc_curves(truth, {})["mean"][1].tolist() == [0, 0]


def test_the_pooled_curve_has_at_every_score_what_match_finds():
    truth, predictions = random_case(7)
    alarms, recall = froc_pooled(truth, predictions)
    for least in (0.0, 0.3, 0.6):
        found = [predictions.get(r.file_name, Detections.empty()).above(least) for r in truth]
        hit = np.concatenate([match(r.boxes, r.labels, d).hit for r, d in zip(truth, found, strict=True)])
        assert alarms[len(hit)] == (~hit).sum() / len(truth)
        assert recall[len(hit)] == hit.sum() / sum(len(r.boxes) for r in truth)
    assert np.isnan(froc_pooled([Record("0.png")], {"0.png": Detections([BOX], [1], [0.5])})[1][1])


def test_cascade_gives_the_price_of_gating():
    truth = [Record("0.png", *mass([BOX])), Record("1.png", *mass([OTHER])), Record("2.png"), Record("3.png")]
    predictions = {"0.png": mass([BOX], [0.9]), "1.png": mass([OTHER], [0.4]), "2.png": mass([AWAY], [0.8])}
    probability = {"0.png": 0.9, "1.png": 0.2, "2.png": 0.1, "3.png": 0.1}
    result = cascade(truth, predictions, probability, 0.5)
    assert (result["alone"]["average"], result["gated"]["average"], result["saved"]) == (0.5, 0.5, 0.75)
    assert cascade(truth, predictions, probability, 0.15)["gated"]["average"] == 1
    with pytest.raises(ChestlibError, match=r"3\.png"):
        cascade(truth, predictions, {k: 1 for k in ("0.png", "1.png", "2.png")}, 0.5)


@pytest.mark.parametrize(
    ("truth", "predictions", "says"),
    [
        ([], {}, "the truth is empty"),
        ([Record("a.png"), Record("a.png")], {}, "named twice"),
        ([Record("a.png", [[5, 5, 5, 9]], [1])], {}, "empty, swapped or not finite"),
        ([Record("a.png", [[9, 5, 5, 9]], [1])], {}, "empty, swapped or not finite"),
        ([Record("a.png", [[np.nan, 5, 5, 9]], [1])], {}, "empty, swapped or not finite"),
        ([Record("a.png", [[1, 5, 5, 9]], [11])], {}, "without a name"),
        ([Record("a.png")], {"b.png": Detections.empty()}, "not in the truth"),
    ],
)
def test_bad_truth_is_one_clear_line(truth, predictions, says):
    with pytest.raises(ChestlibError) as error:
        evaluate(truth, predictions)
    assert says in str(error.value) and "\n" not in str(error.value)


def partial_case(seed):
    """A random case on which half of the findings were looked for on each image, those of its boxes among them."""
    truth, predictions = random_case(seed, images=40)
    looked = np.random.default_rng(seed).random((len(truth), len(FINDINGS))) < 0.5
    ids = [frozenset((np.flatnonzero(row) + 1).tolist()) for row in looked]
    return [replace(r, annotated=own | {*r.labels.tolist()}) for r, own in zip(truth, ids, strict=True)], predictions


@pytest.mark.parametrize("seed", range(3))
def test_a_finding_is_scored_on_the_images_where_somebody_looked_for_it(seed):
    truth, predictions = partial_case(seed)
    thresholds = choose_thresholds(truth, predictions)
    scores = evaluate(truth, predictions, thresholds=thresholds)
    for label, name in enumerate(FINDINGS[:5], start=1):
        seen = [replace(record, annotated=None) for record in truth if label in record.annotated]
        own = {record.file_name: predictions[record.file_name] for record in seen}
        assert scores["looked_for"][name] == len(seen) < len(truth)
        assert thresholds[name] == choose_thresholds(seen, own)[name]
        alone = evaluate(seen, own, thresholds=thresholds)
        assert "looked_for" not in alone
        for part in (lambda s: s, lambda s: s["coco"], lambda s: s["froc"]):
            assert part(scores)["per_finding"][name] == part(alone)["per_finding"][name]
        if label < 5:
            for one, other in zip(froc_curves(truth, predictions)[name], froc_curves(seen, own)[name], strict=True):
                np.testing.assert_array_equal(one, other)


def test_what_nobody_looked_for_is_no_false_alarm():
    truth = [Record("0.png", *mass([BOX]), annotated=frozenset({ID["Mass"]})), Record("1.png", annotated=frozenset())]
    nodule = Detections([OTHER], [ID["Nodule"]], [0.9])
    said = {"0.png": Detections.from_list([*mass([BOX], [0.8]).to_list(), *nodule.to_list()]), "1.png": nodule}
    scores = evaluate(truth, said, bootstrap=20)
    assert scores["looked_for"] == {name: int(name == "Mass") for name in FINDINGS}
    assert np.sum(scores["boxes"]["confusion"]["counts"]) == 1 and scores["coco"]["AP50"] == 1
    assert scores["macro"]["accuracy"] == 1 and scores["intervals"]["AP50"] == [1, 1]
    assert "looked for on" in table(scores)
