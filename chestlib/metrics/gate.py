"""The price of letting stage 1 gate stage 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chestlib.errors import ChestlibError
from chestlib.metrics.froc import froc_scores
from chestlib.metrics.matching import Predictions, Truth
from chestlib.metrics.sound import require_sound


def cascade(
    truth: Truth, predictions: Predictions, disease_probability: Mapping[str, float], threshold: float
) -> dict[str, Any]:
    """Tell what gating costs and saves: stage 2 alone beside stage 2 only where stage 1 reaches its threshold.

    Returns
    -------
    dict
        {"alone": froc, "gated": froc, "saved": share of images that stage 2 need not examine}
    """
    require_sound(truth, predictions)
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
