"""Every per-finding figure of stage 2 as a function of the images' weights: for points, intervals, differences, groups.

Rankings and matches are made once. What is then asked of thousands of resamples is a few matrix products each.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from chestlib.metrics.coco import THRESHOLDS, average_precision, ranks_by
from chestlib.metrics.confusion import box_pairs
from chestlib.metrics.froc import froc_ranks, recall_at
from chestlib.metrics.intervals import mean_present, rates
from chestlib.metrics.matching import CRITERIA, IOU, Predictions, Truth, looked_for, names_of
from chestlib.metrics.presence import called, presence_scores, present

OTHERS = tuple(criterion for criterion in CRITERIA if criterion != IOU)
MAIN = ("AP50", "froc", "f1")
"""What is told of a whole: their means are `AP50`, `froc_average` and `macro_f1`."""
BY_FINDING = ("AP", "AP50", "AP75", "froc", "accuracy", "recall", "precision", "f1")
BOXES = ("box_recall", "box_precision", "box_f1")
OF_CRITERIA = ("AP50", "froc", *(f"{kind}@{criterion}" for criterion in OTHERS for kind in ("AP", "froc")))
FIGURES = (*BY_FINDING, *BOXES, *OF_CRITERIA[2:])
NAMES = {"AP50": "AP50", "froc": "froc_average", "f1": "macro_f1"}
"""Of the means over findings."""


class Measures:
    """Figures of one set of predictions, per finding, for any weights of the images.

    Parameters
    ----------
    truth, predictions, thresholds
        As :func:`chestlib.metrics.evaluate` takes them; a threshold for each finding.
    wanted : collection of str
        Some of FIGURES. `AP@0.3` is the average precision with that criterion of a hit, `froc@0.3` the FROC average.
    """

    def __init__(
        self,
        truth: Truth,
        predictions: Predictions,
        thresholds: Mapping[str, float],
        wanted: Collection[str] = MAIN,
    ) -> None:
        self._wanted, self._looked = wanted, looked_for(truth)
        ious = tuple(float(iou) for iou in THRESHOLDS) if {"AP", "AP75"} & {*wanted} else (IOU,)
        others = [c for c in OTHERS if f"AP@{c}" in wanted]
        ranks = ranks_by(truth, predictions, [*ious, *others])
        self._coco = [rows[: len(ious)] for rows in ranks]
        self._ap_by = {f"AP@{c}": [rows[len(ious) + i] for rows in ranks] for i, c in enumerate(others)}
        self._froc = list(froc_ranks(truth, predictions).values()) if "froc" in wanted else []
        self._froc_by = {
            f"froc@{c}": list(froc_ranks(truth, predictions, criterion=c).values())
            for c in OTHERS
            if f"froc@{c}" in wanted
        }
        self._there, self._call = present(truth), called(truth, predictions, thresholds)
        self._cells = _cells(truth, predictions, thresholds) if {*BOXES} & {*wanted} else None

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Give each figure for every row of weights (r, images): (r, findings), NaN where the truth lacks a finding."""
        found = dict(presence_scores(self._there, self._call, weights, self._looked))
        by_iou = np.array([[average_precision(ranked, weights) for ranked in rows] for rows in self._coco])
        found["AP50"] = by_iou[:, 0].T
        if by_iou.shape[1] > 1:
            found |= {"AP": by_iou.mean(1).T, "AP75": by_iou[:, 5].T}
        found |= {
            name: np.stack([average_precision(ranked, weights) for ranked in ranks], axis=1)
            for name, ranks in self._ap_by.items()
        }
        for name, ranks in {"froc": self._froc, **self._froc_by}.items():
            if ranks:
                found[name] = np.stack([recall_at(ranked, weights).mean(1) for ranked in ranks], axis=1)
        if self._cells is not None:
            hits, true, calls = (weights @ cell for cell in self._cells)
            scores = rates(hits, true, calls)
            found |= {f"box_{name}": np.where(true > 0, value, np.nan) for name, value in scores.items()}
        return {name: found[name] for name in self._wanted}

    def means(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Give the mean of each figure over the findings present; (r,) each, `AP50`, `froc_average`, `macro_f1`, …."""
        return {NAMES.get(name, name): mean_present(values) for name, values in self(weights).items()}


def _cells(truth: Truth, predictions: Predictions, thresholds: Mapping[str, float]) -> np.ndarray:
    """Count hits, true boxes and calls; (3, images, findings)."""
    image, row, column = box_pairs(truth, predictions, thresholds)
    cells = np.zeros((3, len(truth), len(names_of(truth)) + 1))
    same = row == column
    np.add.at(cells[0], (image[same], row[same]), 1)
    np.add.at(cells[1], (image, row), 1)
    np.add.at(cells[2], (image, column), 1)
    return cells[:, :, 1:]
