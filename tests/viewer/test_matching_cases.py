"""The matching that the metrics count and the viewer draws: the cases of matching.json, which match.test.js reads too.

A case has truth (x1, y1, x2, y2, finding), detections (the same and a score, best first) and both thresholds; and what
comes out: for each detection the true box that it hits (-1: none) and its best IoU, for each true box its detection.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chestlib.detections import Detections
from chestlib.metrics import matching

CASES = json.loads((Path(__file__).parent / "matching.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_metrics_match_as_the_case_says(case: dict[str, Any]) -> None:
    truth = np.array(case["truth"], np.float32).reshape(-1, 5)
    rows = np.array(case["detections"]).reshape(-1, 6)
    detections = Detections(rows[:, :4], rows[:, 4], rows[:, 5]).above(case["threshold"])
    match = matching.match(truth[:, :4], truth[:, 4].astype(np.int64), detections, case["iou"])
    left_out = len(rows) - len(detections)  # by the score threshold: they hit nothing
    took = [*np.where(match.hit, match.truth, -1).tolist(), *[-1] * left_out]
    assert took == case["took"]
    assert [took.index(i) if i in took else -1 for i in range(len(truth))] == case["takenBy"]
    assert match.found.tolist() == [by >= 0 for by in case["takenBy"]]
    assert [*match.iou, *[0.0] * left_out] == pytest.approx(case["best"], abs=1e-4)
