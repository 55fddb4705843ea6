"""One call for every figure of stage 2, and the price of letting stage 1 gate it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chestlib.data import patient_groups
from chestlib.detections import proper
from chestlib.errors import ChestlibError
from chestlib.files import plain
from chestlib.findings import BACKGROUND
from chestlib.metrics.coco import average_precision, coco_ranks, coco_scores
from chestlib.metrics.confusion import box_scores, confusion_matrix
from chestlib.metrics.froc import froc_ranks, froc_scores, mean_recall
from chestlib.metrics.intervals import bootstrap_intervals, mean_present
from chestlib.metrics.matching import Predictions, Truth, looked_for, names_of, pooled
from chestlib.metrics.presence import DEFAULT_THRESHOLD, called, presence_scores, present

COLUMNS = ("AP50", "recall", "precision", "f1", "accuracy")
"""Of the table."""


def evaluate(
    truth: Truth,
    predictions: Predictions,
    *,
    thresholds: Mapping[str, float] | None = None,
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
    bootstrap : int
        Patient-clustered resamples for 95 % intervals; 0 for none.

    Returns
    -------
    dict
        n_images; coco and froc (as in :mod:`coco`, :mod:`froc`); per_finding {finding: {AP50, accuracy, recall,
        precision, f1}} and macro, their mean, at image level; boxes: the same at box level with the confusion matrix
        (rows truth, columns detected, background last); thresholds; without_prediction, the images left out; intervals
        {AP50, froc_average, macro_f1: [low, high]} when asked for; looked_for {finding: images} where labels are
        partial: others are left out of that finding's truth, detections and rates. None stands for a finding that the
        truth lacks; it enters no mean.

    Raises
    ------
    ChestlibError
        For an empty truth, an image named twice, a true box that is none, or predictions for an image that it lacks.
    """
    _check(truth, predictions)
    names = names_of(truth)
    thresholds = {name: DEFAULT_THRESHOLD for name in names} | dict(thresholds or {})
    coco = coco_scores(truth, predictions)
    at_50 = np.array([coco["per_finding"][name]["AP50"] for name in names], float)
    looked, everyone = looked_for(truth), np.ones((1, len(truth)))
    presence = presence_scores(present(truth), called(truth, predictions, thresholds), everyone, looked)
    counts, order = confusion_matrix(truth, predictions, thresholds), [*range(1, len(names) + 1), BACKGROUND]
    result = {
        "n_images": len(truth),
        "coco": coco,
        "froc": froc_scores(truth, predictions),
        **_by_finding(names, {"AP50": at_50, **{key: value[0] for key, value in presence.items()}}),
        "boxes": {
            **_by_finding(names, box_scores(counts)),
            "confusion": {"labels": [*names, "background"], "counts": counts[np.ix_(order, order)]},
        },
        "thresholds": thresholds,
        "without_prediction": [r.file_name for r in truth if r.file_name not in predictions],
        **({} if looked.all() else {"looked_for": dict(zip(names, looked.sum(0), strict=True))}),
    }
    if bootstrap:
        result["intervals"] = detection_intervals(truth, predictions, thresholds, bootstrap, seed)
    return dict(plain(result))


def detection_intervals(
    truth: Truth, predictions: Predictions, thresholds: Mapping[str, float], resamples: int = 1000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % patient-clustered bootstrap intervals of AP50, the FROC average and the image-level macro F1."""
    at_50 = [coco_ranks(truth, predictions, name)[0][0] for name in names_of(truth)]
    froc, there, looked = froc_ranks(truth, predictions), present(truth), looked_for(truth)
    call = called(truth, predictions, thresholds)

    def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "AP50": mean_present(np.stack([average_precision(ranked, weights) for ranked in at_50], axis=1)),
            "froc_average": mean_recall(froc, weights).mean(1),
            "macro_f1": mean_present(presence_scores(there, call, weights, looked)["f1"]),
        }

    return bootstrap_intervals(statistic, patient_groups(truth), resamples, seed)


def cascade(
    truth: Truth, predictions: Predictions, disease_probability: Mapping[str, float], threshold: float
) -> dict[str, Any]:
    """Tell what gating costs and saves: stage 2 alone beside stage 2 only where stage 1 reaches its threshold.

    Returns
    -------
    dict
        {"alone": froc, "gated": froc, "saved": share of images that stage 2 need not examine}
    """
    _check(truth, predictions)
    missing = [r.file_name for r in truth if r.file_name not in disease_probability]
    if missing:
        raise ChestlibError(f"{missing[0]}: no stage 1 probability ({len(missing)} images); run stage 1 on every image")
    passed = {r.file_name for r in truth if disease_probability[r.file_name] >= threshold}
    gated = {name: found for name, found in predictions.items() if name in passed}
    return {
        "alone": froc_scores(truth, predictions),
        "gated": froc_scores(truth, gated),
        "saved": 1 - len(passed) / len(truth),
    }


def _check(truth: Truth, predictions: Predictions) -> None:
    files = {r.file_name for r in truth}
    if not truth:
        raise ChestlibError("no images to evaluate; the truth is empty")
    if len(files) < len(truth):
        raise ChestlibError("an image is named twice in the truth; evaluate one part at a time")
    true = pooled(truth)
    names = names_of(truth)
    if other := [r.file_name for r in truth if r.names != names]:
        raise ChestlibError(f"{other[0]}: of other findings than {truth[0].file_name}; evaluate one data set at a time")
    if other := [name for name, found in predictions.items() if len(found) and found.names != names]:
        raise ChestlibError(f"{other[0]}: predicted with other findings than those of the truth ({', '.join(names)})")
    strange, wrong = (true.labels < 1) | (true.labels > len(names)), ~proper(true.boxes)
    if len(bad := np.flatnonzero(strange | wrong)):
        name, own = truth[true.image[bad[0]]].file_name, true.image == true.image[bad[0]]
        if strange[own].any():
            raise ChestlibError(f"{name}: a true box has a finding without a name; leave it out of the truth")
        box = true.boxes[own & wrong][0].tolist()
        raise ChestlibError(f"{name}: true box {box} is empty, swapped or not finite; mend the annotation file")
    if unknown := sorted(predictions.keys() - files):
        raise ChestlibError(f"{unknown[0]}: predicted, but not in the truth ({len(unknown)} such images)")


def _by_finding(names: Sequence[str], scores: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Lay out scores (findings,) by finding, with their mean over the findings present."""
    return {
        "per_finding": {name: {key: v[i] for key, v in scores.items()} for i, name in enumerate(names)},
        "macro": {key: mean_present(v) for key, v in scores.items()},
    }


def table(scores: Mapping[str, Any]) -> str:
    """Lay out what :func:`evaluate` returns as plain text; a dash stands for a finding that the truth lacks."""
    per_finding, froc = scores["per_finding"], scores["froc"]
    width = max(map(len, per_finding))
    lines = [f"{'finding':{width}}{''.join(f'{c:>11}' for c in (*COLUMNS, 'FROC'))}"]
    for name, row in {**per_finding, "mean": scores["macro"]}.items():
        recalls = froc if name == "mean" else froc["per_finding"][name]
        cells = [*(row[c] for c in COLUMNS), recalls["average"] if recalls else None]
        lines.append(f"{name:{width}}{''.join(f'{_number(c):>11}' for c in cells)}")
    coco = {key: value for key, value in scores["coco"].items() if key != "per_finding"}
    lines += [
        "",
        f"images {scores['n_images']}, without a prediction {len(scores['without_prediction'])}",
        "COCO   " + ", ".join(f"{key} {_number(value)}" for key, value in coco.items()),
        "FROC   " + ", ".join(f"{_number(v)} at {rate}" for rate, v in froc["recall_at"].items()),
    ]
    if partly := scores.get("looked_for"):
        lines.append("looked for on " + ", ".join(f"{n} {name}" for name, n in partly.items()) + " images")
    if "thresholds_of" in scores:
        chosen = (
            f"those of {scores['thresholds_of']}"
            if scores["thresholds_of"]
            else f"{DEFAULT_THRESHOLD} for each finding"
        )
        lines.append(f"called by thresholds: {chosen}")
    for name, (low, high) in scores.get("intervals", {}).items():
        lines.append(f"95 %   {name} {_number(low)} to {_number(high)}")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
