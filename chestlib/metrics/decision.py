"""What a classifier is worth to whoever acts on it: net benefit, where disease is rare and where it is common."""

from __future__ import annotations

import numpy as np

from chestlib.errors import ChestlibError
from chestlib.files import plain
from chestlib.metrics.binary import checked

PREVALENCES = (0.01, 0.05, 0.1, 0.2, 0.5, 0.8)
"""From screening to a ward."""


def net_benefit(
    y: np.ndarray,
    p: np.ndarray,
    at: np.ndarray | None = None,
    prevalence: float | None = None,
) -> dict[str, np.ndarray]:
    """Draw the decision curve: what acting on probabilities is worth, in true positives a person.

    Whoever acts from a probability t on holds t / (1 - t) false alarms for as bad as one case missed. So the net
    benefit is recall * prevalence - (1 - specificity) * (1 - prevalence) * t / (1 - t).

    Parameters
    ----------
    y : (n,) bool
        Diseased.
    p : (n,) float
        Probability of it; should be calibrated.
    at : (k,) float, optional
        Thresholds below 1; default: .01, .02, … .99.
    prevalence : float, optional
        Of the people it is for; default: that of `y`. Probabilities are moved with it, recall and specificity at the
        same score are taken to stay.

    Returns
    -------
    dict
        threshold, model, all (act on everyone), (k,) each; acting on nobody is worth 0.

    Raises
    ------
    ChestlibError
        As :func:`chestlib.metrics.binary_scores`, and for a threshold or a prevalence outside its range.

    Sources: Vickers and Elkin, "Decision curve analysis", Med. Decis. Making 26 (2006); Saerens, Latinne, Decaestecker,
    "Adjusting the outputs of a classifier to new a priori probabilities", Neural Computation 14 (2002), equation 4.
    """
    y, p = checked(y, p)
    at = np.arange(1, 100) / 100 if at is None else np.asarray(at, float)
    share = float(y.mean()) if prevalence is None else prevalence
    if not ((at >= 0) & (at < 1)).all() or not 0 < share < 1:
        raise ChestlibError(f"prevalence {share:g}: expected above 0 and below 1, and thresholds from 0 to below 1")
    sick, well = p * share / y.mean(), (1 - p) * (1 - share) / (1 - y.mean())
    called = sick / (sick + well) >= at[:, None]
    odds = at / (1 - at)
    return {
        "threshold": at,
        "model": called[:, y].mean(1) * share - called[:, ~y].mean(1) * (1 - share) * odds,
        "all": share - (1 - share) * odds,
    }


def decisions(y: np.ndarray, p: np.ndarray, threshold: float) -> list[dict[str, float]]:
    """Tell what an operating point is worth where disease is rare and where it is common.

    Returns
    -------
    list of dict
        A row a prevalence of PREVALENCES: prevalence; predictive_positive and predictive_negative, the share of the
        called that are diseased and of the others that are not; low and high, the probabilities t between which acting
        on the call is worth more than acting on everyone or on nobody.
    """
    y, p = checked(y, p)
    called = p >= threshold
    recall, specificity = called[y].mean(), (~called)[~y].mean()
    rows = []
    for share in PREVALENCES:
        cells = recall * share, (1 - specificity) * (1 - share), (1 - recall) * share, specificity * (1 - share)
        hits, alarms, missed, cleared = cells
        positive, negative = (a / (a + b) if a + b else np.nan for a, b in ((hits, alarms), (cleared, missed)))
        row = {"prevalence": share, "predictive_positive": positive, "predictive_negative": negative}
        # Better than nobody below the share of diseased among the called; than everyone above that among the others.
        rows.append({**row, "low": 1 - negative, "high": positive})
    return list(plain(rows))
