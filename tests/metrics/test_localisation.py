"""Is it there, and where: per-finding AUROC and the pointing game."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from chestlib.data import Record
from chestlib.detections import Detections
from chestlib.metrics import finding_auroc, localisation_scores, pointing

BOX = [10, 10, 30, 30]


def test_the_auroc_is_scikit_learns_with_weights_and_ties() -> None:
    rng = np.random.default_rng(0)
    truth = [Record(f"{i}.png", [BOX] * (i % 3 == 0), [8] * (i % 3 == 0)) for i in range(30)]
    scores = rng.integers(0, 6, 30) / 6
    found = {r.file_name: Detections([BOX, BOX], [8, 8], [s, s / 2]) for r, s in zip(truth, scores, strict=True) if s}
    weights = rng.integers(0, 4, (3, 30)).astype(float)
    areas = finding_auroc(truth, found, weights)
    there = [r.diseased for r in truth]
    assert areas[:, 7] == pytest.approx([roc_auc_score(there, scores, sample_weight=row) for row in weights])
    assert np.isnan(np.delete(areas, 7, 1)).all()


@pytest.mark.parametrize(
    ("boxes", "labels", "scores", "hit"),
    [
        ([[14, 14, 20, 20]], [8], [0.1], 1),  # however faint and small
        ([[0, 0, 40, 40]], [8], [0.1], 1),  # however large
        ([[10, 10, 50, 50]], [8], [0.1], 1),  # its middle is a corner of the true box
        ([[11, 10, 51, 50]], [8], [0.1], 0),
        ([[12, 12, 20, 20]], [9], [0.9], 0),  # another finding
        ([[12, 12, 20, 20], [40, 40, 50, 50]], [8, 8], [0.4, 0.5], 0),  # the best one points elsewhere
        ([[60, 60, 80, 80]], [8], [0.5], 1),  # of two true boxes any
        ([], [], [], 0),
    ],
)
def test_the_middle_of_the_best_box_points(boxes: list, labels: list, scores: list, hit: int) -> None:
    truth = [Record("a.png", [BOX, [60, 60, 80, 80], [0, 0, 9, 9]], [8, 8, 9]), Record("b.png")]
    said = {"a.png": Detections(boxes, labels, scores), "b.png": Detections([BOX], [8], [0.9])}
    assert pointing(truth, said, np.ones((1, 2)))[0, 7] == hit


def test_the_summary_means_the_findings_that_are_there() -> None:
    truth = [Record("a.png", [BOX], [8]), Record("b.png", [BOX], [9]), Record("c.png")]
    said = {"a.png": Detections([BOX], [8], [0.5]), "c.png": Detections([BOX], [9], [0.5])}
    scores = localisation_scores(truth, said)
    assert (scores["auroc"], scores["pointing"]) == (pytest.approx((1 + 0.25) / 2), 0.5)
    assert scores["per_finding"]["Mass"] == {"auroc": 1.0, "pointing": 1.0, "n": 1}
    assert scores["per_finding"]["Effusion"] == {"auroc": None, "pointing": None, "n": 0}


def test_what_nobody_looked_for_counts_for_nothing() -> None:
    truth = [Record("a.png", [BOX], [8]), Record("b.png"), Record("c.png", annotated=frozenset({9}))]
    said = {"b.png": Detections([BOX], [8], [0.2]), "c.png": Detections([BOX], [8], [0.9])}
    assert finding_auroc([*truth[:2], Record("c.png")], said, np.ones((1, 3)))[0, 7] == 0
    said["a.png"] = Detections([BOX], [8], [0.5])
    assert finding_auroc(truth, said, np.ones((1, 3)))[0, 7] == 1
