"""One call for every figure of stage 2.

- n_images; without_prediction, the images left out; thresholds; counts {finding: {boxes, images, few}}, few for less
  than ten boxes; looked_for {finding: images} where labels are partial: other images are left out of that finding's
  truth, detections and rates.
- coco and froc, as in :mod:`coco` and :mod:`froc`; average_recall (AR@1, 10, 100); sizes, by share of the film, where
  its size is known; criteria {0.3, 0.5, centre: {AP, froc_average, per_finding}} of a hit.
- per_finding {finding: {AP50, accuracy, recall, precision, f1}} and macro, their mean, at image level; boxes: the same
  at box level with the confusion matrix (rows truth, columns detected, background last).
- errors: what they cost and how many of each kind there are, as :func:`chestlib.metrics.error_scores` says.
- reliability {raw, calibrated if a calibration is given} of box scores, as :func:`chestlib.metrics.box_reliability`.
- With resamples also intervals {AP50, froc_average, macro_f1: [low, high]}, and intervals_of_all {figure: {mean,
  per_finding: {finding: [low, high]}}} of AP, AP50, AP75, froc, accuracy, recall, precision, f1, box_recall,
  box_precision, box_f1, AP@0.3, froc@0.3, AP@centre and froc@centre.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chestlib.data import patient_groups
from chestlib.files import plain
from chestlib.findings import BACKGROUND
from chestlib.metrics.calibration import Calibration, box_reliability
from chestlib.metrics.coco import average_recall, coco_scores, share_scores
from chestlib.metrics.confusion import box_scores, confusion_matrix
from chestlib.metrics.errors import error_scores
from chestlib.metrics.froc import froc_scores
from chestlib.metrics.intervals import bootstrap_intervals, interval, mean_present, resampled
from chestlib.metrics.matching import CRITERIA, IOU, Predictions, Truth, looked_for, names_of
from chestlib.metrics.measures import FIGURES, MAIN, NAMES, OF_CRITERIA, Measures
from chestlib.metrics.presence import DEFAULT_THRESHOLD, called, presence_scores, present
from chestlib.metrics.sound import require_sound

FEW = 10
"""A figure of a finding on fewer true boxes is marked."""


def evaluate(
    truth: Truth,
    predictions: Predictions,
    *,
    thresholds: Mapping[str, float] | None = None,
    calibration: Calibration | None = None,
    bootstrap: int = 0,
    seed: int = 0,
) -> dict[str, Any]:
    """Evaluate detections; the result is ready for JSON.

    Parameters
    ----------
    truth : sequence of Record
        Every image that was to be examined, those without a box too.
    predictions : mapping
        File name to detections; an image left out counts as without detections and is named in the result.
    thresholds : mapping, optional
        Finding to the score from which it is called, as :func:`choose_thresholds` finds; .5 for findings not named.
    calibration : Calibration, optional
        Fitted on validation (:func:`calibrate`); tells what it would make of the scores, and changes no other figure.
    bootstrap : int
        Patient-clustered resamples for 95 % intervals; 0 for none.

    Returns
    -------
    dict
        As the top of this module lists it; None for a finding that the truth lacks, which enters no mean.

    Raises
    ------
    ChestlibError
        For an empty truth, an image named twice, a true box that is none, or predictions for an image that it lacks.
    """
    require_sound(truth, predictions)
    names = names_of(truth)
    thresholds = {name: DEFAULT_THRESHOLD for name in names} | dict(thresholds or {})
    coco, looked, everyone = coco_scores(truth, predictions), looked_for(truth), np.ones((1, len(truth)))
    at_50 = np.array([coco["per_finding"][name]["AP50"] for name in names], float)
    presence = presence_scores(present(truth), called(truth, predictions, thresholds), everyone, looked)
    measures = Measures(truth, predictions, thresholds, FIGURES if bootstrap else OF_CRITERIA)
    kinds = {"raw": predictions} | ({"calibrated": calibration.apply(predictions)} if calibration else {})
    result: dict[str, Any] = {
        "n_images": len(truth),
        "coco": coco,
        "froc": froc_scores(truth, predictions),
        **_by_finding(names, {"AP50": at_50, **{key: value[0] for key, value in presence.items()}}),
        "boxes": _boxes(names, confusion_matrix(truth, predictions, thresholds)),
        "counts": counts_of(truth),
        "criteria": _criteria(measures(everyone), names),
        "average_recall": average_recall(truth, predictions),
        "sizes": share_scores(truth, predictions),
        "errors": error_scores(truth, predictions, thresholds),
        "reliability": {kind: box_reliability(truth, said) for kind, said in kinds.items()},
        "thresholds": thresholds,
        "without_prediction": [r.file_name for r in truth if r.file_name not in predictions],
        **({} if looked.all() else {"looked_for": dict(zip(names, looked.sum(0), strict=True))}),
    }
    return dict(plain(result | (_intervals(truth, measures, bootstrap, seed) if bootstrap else {})))


def _boxes(names: Sequence[str], counts: np.ndarray) -> dict[str, Any]:
    """Lay out scores at box level, and the confusion matrix with the background last."""
    order = [*range(1, len(names) + 1), BACKGROUND]
    confusion = {"labels": [*names, "background"], "counts": counts[np.ix_(order, order)]}
    return {**_by_finding(names, box_scores(counts)), "confusion": confusion}


def counts_of(truth: Truth) -> dict[str, dict[str, Any]]:
    """Count the true boxes and images of each finding, and mark those with few."""
    there = present(truth).sum(0)
    boxes = np.bincount(np.concatenate([r.labels for r in truth]), minlength=len(there) + 1)[1:]
    return {
        name: {"boxes": int(n), "images": int(held), "few": bool(n < FEW)}
        for name, n, held in zip(names_of(truth), boxes, there, strict=True)
    }


def _criteria(found: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, Any]:
    """Lay out average precision and FROC by what counts as a hit."""
    of = {c: {"AP": f"AP@{c}", "froc_average": f"froc@{c}"} for c in CRITERIA}
    of[IOU] = {"AP": "AP50", "froc_average": "froc"}
    return {
        str(c): {
            **{key: mean_present(found[name])[0] for key, name in keys.items()},
            "per_finding": {
                finding: {key: found[name][0, i] for key, name in keys.items()} for i, finding in enumerate(names)
            },
        }
        for c, keys in of.items()
    }


def _intervals(truth: Truth, measures: Measures, resamples: int, seed: int) -> dict[str, Any]:
    """Compute the 95 % intervals of every figure, of its mean and per finding."""
    drawn, names = resampled(measures, patient_groups(truth), resamples, seed), names_of(truth)
    means = {figure: interval(mean_present(values)) for figure, values in drawn.items()}
    return {
        "intervals": {NAMES[figure]: means[figure] for figure in MAIN},
        "intervals_of_all": {
            figure: {
                "mean": means[figure],
                "per_finding": {name: interval(values[:, i]) for i, name in enumerate(names)},
            }
            for figure, values in drawn.items()
        },
    }


def detection_intervals(
    truth: Truth, predictions: Predictions, thresholds: Mapping[str, float], resamples: int = 1000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % patient-clustered bootstrap intervals of AP50, the FROC average and the image-level macro F1."""
    statistic = Measures(truth, predictions, thresholds).means
    return bootstrap_intervals(statistic, patient_groups(truth), resamples, seed)


def _by_finding(names: Sequence[str], scores: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Lay out scores (findings,) by finding, with their mean over the findings present."""
    return {
        "per_finding": {name: {key: v[i] for key, v in scores.items()} for i, name in enumerate(names)},
        "macro": {key: mean_present(v) for key, v in scores.items()},
    }
