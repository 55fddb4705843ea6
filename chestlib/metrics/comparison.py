"""Is B better than A? Both on the same films, resample by resample: what both find hard falls out of the difference.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 8 (paired data); Field and Welsh,
J. R. Stat. Soc. B 69 (2007), for patients as clusters. Many differences are looked at: one of twenty whose interval
leaves out 0 is expected of two equals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from chestlib.data import patient_groups
from chestlib.files import plain
from chestlib.metrics.binary import checked, weighted_scores
from chestlib.metrics.evaluation import counts_of
from chestlib.metrics.intervals import Clusters, interval, mean_present, resampled
from chestlib.metrics.matching import Predictions, Truth, names_of
from chestlib.metrics.measures import MAIN, NAMES, Measures
from chestlib.metrics.presence import DEFAULT_THRESHOLD
from chestlib.metrics.sound import require_same_images, require_sound
from chestlib.metrics.tables import FEW_SIGN, FEW_TOLD, number

Thresholds = Mapping[str, float] | None


def compare(
    truth: Truth,
    a: Predictions,
    b: Predictions,
    *,
    thresholds: tuple[Thresholds, Thresholds] = (None, None),
    called: tuple[str, str] = ("A", "B"),
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare two detectors on the same images: what B gains over A, by a paired bootstrap of patients.

    Parameters
    ----------
    truth, a, b
        As :func:`chestlib.metrics.evaluate` takes a truth and predictions.
    thresholds : (mapping, mapping)
        Those of A and of B: finding to the score from which it is called; .5 for findings not named.
    called : (str, str)
        What errors call them.
    resamples : int
        0 for differences alone.

    Returns
    -------
    dict
        n_images; n_patients (an image whose patient is unknown counts as one) and without_patient, such images;
        resamples; differences {AP50, froc_average, macro_f1: row}; per_finding {finding: {AP50, froc, f1: row}};
        counts {finding: {boxes, images, few}}. A row is {a, b, difference (b - a), interval: [low, high], above_0},
        the last the share of resamples in which b - a is above 0, of those that define it.

    Raises
    ------
    ChestlibError
        As :func:`chestlib.metrics.evaluate`, and if one of them is silent on an image that the other predicts.
    """
    for said in (a, b):
        require_sound(truth, said)
    require_same_images(a, b, called)
    names = names_of(truth)
    default = {name: DEFAULT_THRESHOLD for name in names}
    pair = [Measures(truth, said, default | dict(own or {})) for said, own in zip((a, b), thresholds, strict=True)]
    rows = _paired([partial(_flat, of, names) for of in pair], patient_groups(truth), resamples, seed)
    return dict(
        plain(
            {
                **_about(truth, resamples),
                "differences": {NAMES[figure]: rows[figure] for figure in MAIN},
                "per_finding": {name: {figure: rows[f"{figure} {name}"] for figure in MAIN} for name in names},
                "counts": counts_of(truth),
            }
        )
    )


def compare_binary(
    truth: Truth,
    a: np.ndarray,
    b: np.ndarray,
    thresholds: tuple[float, float],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare two classifiers of disease: probabilities (images,) each, called from their own threshold on.

    Returns
    -------
    dict
        As :func:`compare`, without findings; differences of recall, precision, f1, accuracy, specificity, auroc and
        average_precision.
    """
    y = np.array([record.diseased for record in truth])
    pair = [partial(weighted_scores, *checked(y, p), at) for p, at in zip((a, b), thresholds, strict=True)]
    rows = _paired(pair, patient_groups(truth), resamples, seed)
    return dict(plain({**_about(truth, resamples), "differences": rows}))


def _flat(measures: Measures, names: Sequence[str], weights: np.ndarray) -> dict[str, np.ndarray]:
    """Name the mean of each figure, and the figure of each finding; (r,) each."""
    found = measures(weights)
    own = {f"{figure} {name}": of[:, i] for figure, of in found.items() for i, name in enumerate(names)}
    return {**{figure: mean_present(of) for figure, of in found.items()}, **own}


def _about(truth: Truth, resamples: int) -> dict[str, int]:
    return {
        "n_images": len(truth),
        "n_patients": len({*patient_groups(truth)}),
        "without_patient": sum(not record.patient for record in truth),
        "resamples": resamples,
    }


def _paired(
    pair: Sequence[Callable[[np.ndarray], Mapping[str, np.ndarray]]], clusters: Clusters, resamples: int, seed: int
) -> dict[str, dict[str, Any]]:
    """Both figures, their difference, and what resamples make of it; every resample is drawn once for both."""
    a, b = (statistic(np.ones((1, len(clusters)))) for statistic in pair)

    def difference(weights: np.ndarray) -> dict[str, np.ndarray]:
        first, second = (statistic(weights) for statistic in pair)
        return {name: second[name] - first[name] for name in first}

    drawn = resampled(difference, clusters, resamples, seed) if resamples else {}
    rows = {}
    for name in a:
        row: dict[str, Any] = {"a": a[name][0], "b": b[name][0], "difference": b[name][0] - a[name][0]}
        if drawn:
            known = drawn[name][~np.isnan(drawn[name])]
            row |= {"interval": interval(known), "above_0": (known > 0).mean() if known.size else None}
        rows[name] = row
    return rows


def compared(scores: Mapping[str, Any]) -> str:
    """Lay out what :func:`compare` and :func:`compare_binary` return as plain text."""
    counts, per_finding = scores.get("counts", {}), scores.get("per_finding", {})
    rows = dict(scores["differences"])
    marks = {}
    for name, of in per_finding.items():
        if counts[name]["boxes"]:
            rows[f"AP50 {name}"] = of["AP50"]
            marks[f"AP50 {name}"] = f"{counts[name]['boxes']}{FEW_SIGN * counts[name]['few']}"
    width = max(map(len, rows))
    lines = [f"{'':{width}}{'boxes':>7}{'A':>8}{'B':>8}{'B - A':>9}{'95 %':>18}{'above 0':>9}"]
    for name, row in rows.items():
        low, high = row.get("interval") or (None, None)
        between = "-" if low is None else f"{low:+.3f} to {high:+.3f}"
        above = "-" if row.get("above_0") is None else f"{row['above_0']:.0%}"
        gain = "-" if row["difference"] is None else f"{row['difference']:+.3f}"
        cells = f"{number(row['a']):>8}{number(row['b']):>8}{gain:>9}{between:>18}{above:>9}"
        lines.append(f"{name:{width}}{marks.get(name, ''):>7}{cells}")
    if any(FEW_SIGN in mark for mark in marks.values()):
        lines.append(FEW_TOLD)
    lines.append(f"{scores['n_images']} images of {scores['n_patients']} patients, {scores['resamples']} resamples")
    return "\n".join(lines)
