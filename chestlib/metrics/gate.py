"""The price of letting stage 1 gate stage 2, and softer ways to let it have its say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.files import plain
from chestlib.metrics.binary import checked, curves
from chestlib.metrics.froc import froc_scores
from chestlib.metrics.matching import Predictions, Truth
from chestlib.metrics.sound import require_sound

SURE = 0.98
"""Share of the diseased that the gate of the surest normals lets pass, where it is chosen."""


def cascade(
    truth: Truth,
    predictions: Predictions,
    disease_probability: Mapping[str, float],
    threshold: float,
    sure: float | None = None,
) -> dict[str, Any]:
    """Tell what gating costs and saves: stage 2 alone beside stage 2 only where stage 1 reaches its threshold.

    Parameters
    ----------
    sure : float, optional
        A lower threshold, of :func:`sure_threshold` on validation: only the surest normals fall below it.

    Returns
    -------
    dict
        {"alone": froc, "gated": froc, "saved": share of images that stage 2 need not examine, "soft": froc of
        :func:`soft`, which saves nothing}; with `sure` also {"sure": {"froc", "soft", "saved"}}, of that gate alone
        and with soft scores behind it.
    """
    _require(truth, predictions, disease_probability)
    mild = soft(predictions, disease_probability)
    result = {
        "alone": froc_scores(truth, predictions),
        "gated": froc_scores(truth, _behind(predictions, disease_probability, threshold)),
        "saved": _saved(truth, disease_probability, threshold),
        "soft": froc_scores(truth, mild),
    }
    if sure is not None:
        result["sure"] = {
            "froc": froc_scores(truth, _behind(predictions, disease_probability, sure)),
            "soft": froc_scores(truth, _behind(mild, disease_probability, sure)),
            "saved": _saved(truth, disease_probability, sure),
        }
    return result


def soft(predictions: Predictions, disease_probability: Mapping[str, float]) -> dict[str, Detections]:
    """Multiply scores by the film's probability of disease: a doubtful film's boxes come later, none is lost."""
    return {
        name: Detections(found.boxes, found.labels, found.scores * disease_probability[name], found.names)
        for name, found in predictions.items()
    }


def sure_threshold(y: np.ndarray, p: np.ndarray, keep: float = SURE) -> float:
    """Find the highest threshold that lets at least `keep` of the diseased pass, on a validation part.

    Raises
    ------
    ChestlibError
        As :func:`chestlib.metrics.binary_scores`, and for a share outside (0, 1].
    """
    if not 0 < keep <= 1:
        raise ChestlibError(f"share of the diseased that pass {keep:g}: expected above 0, 1 at most")
    found = curves(*checked(y, p))
    return float(found.threshold[np.argmax(found.sensitivity >= keep)])


def gating_curve(
    truth: Truth, predictions: Predictions, disease_probability: Mapping[str, float], steps: int = 20
) -> dict[str, list[float]]:
    """Trace the FROC average against what is saved, as the gate's threshold rises.

    Returns
    -------
    dict
        saved, share of images that stage 2 need not examine, rising from 0; gated and soft, the FROC average behind a
        gate with raw scores and with those of :func:`soft`; threshold. Lists of `steps`, fewer where probabilities tie.
    """
    _require(truth, predictions, disease_probability)
    mild = soft(predictions, disease_probability)
    levels = np.quantile([disease_probability[r.file_name] for r in truth], np.linspace(0, 0.95, steps))
    levels = np.unique(levels)
    averages = [
        [froc_scores(truth, _behind(said, disease_probability, level))["average"] for level in levels]
        for said in (predictions, mild)
    ]
    saved = [_saved(truth, disease_probability, level) for level in levels]
    return dict(plain({"threshold": levels, "saved": saved, "gated": averages[0], "soft": averages[1]}))


def _behind(predictions: Predictions, probability: Mapping[str, float], threshold: float) -> Predictions:
    return {name: found for name, found in predictions.items() if probability[name] >= threshold}


def _saved(truth: Truth, probability: Mapping[str, float], threshold: float) -> float:
    return sum(probability[r.file_name] < threshold for r in truth) / len(truth)


def _require(truth: Truth, predictions: Predictions, probability: Mapping[str, float]) -> None:
    require_sound(truth, predictions)
    missing = [r.file_name for r in truth if r.file_name not in probability]
    if missing:
        raise ChestlibError(f"{missing[0]}: no stage 1 probability ({len(missing)} images); run stage 1 on every image")
    wrong = [r.file_name for r in truth if not 0 <= probability[r.file_name] <= 1]
    if wrong:
        raise ChestlibError(f"{wrong[0]}: stage 1 says {probability[wrong[0]]}; probabilities lie in [0, 1]")
