"""Scores that mean something: how often a box of score .8 is right, and a map that makes it eight times of ten.

Sources: Küppers et al., "Multivariate confidence calibration for object detection", CVPR workshops 2020,
arXiv:2004.13546, equation 6, on the score alone (D-ECE); Zadrozny and Elkan, "Transforming classifier scores into
accurate multiclass probability estimates", KDD 2002 (isotonic regression).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.files import plain
from chestlib.metrics.intervals import ratio
from chestlib.metrics.matching import IOU, Criterion, Predictions, Truth, match_all, pooled, pooled_detections

BINS = 10


def box_reliability(
    truth: Truth, predictions: Predictions, bins: int = BINS, criterion: Criterion = IOU, least: float = 0.0
) -> dict[str, Any]:
    """Hold scores of boxes against the share of them that hits, in bins of equal width.

    A second box on a hit is a false alarm (challenge's rule).

    Parameters
    ----------
    least : float
        Boxes of lower score are left out. Faint false alarms are many, and they rule the error where they count.

    Returns
    -------
    dict
        d_ece, the mean distance of score and share over boxes, None without any; n boxes; score, precision, count
        (bins,), None in an empty bin.
    """
    scores, hit = _verdicts(truth, predictions, criterion)
    scores, hit = scores[scores >= least], hit[scores >= least]
    place = np.minimum((scores * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    score, precision = (ratio(np.bincount(place, of, bins), count) for of in (scores, hit))
    error = np.nansum(count * np.abs(score - precision)) / len(scores) if len(scores) else None
    return dict(plain({"d_ece": error, "n": len(scores), "score": score, "precision": precision, "count": count}))


def _verdicts(truth: Truth, predictions: Predictions, criterion: Criterion) -> tuple[np.ndarray, np.ndarray]:
    """Scores of all boxes, and which of them hit."""
    found = pooled_detections(truth, predictions)
    return found.scores.astype(float), match_all(pooled(truth), found, criterion).hit


@dataclass(frozen=True, eq=False)
class Calibration:
    """A rising map of scores, piecewise linear; make one with :func:`calibrate`.

    Attributes
    ----------
    scores, shares : (k,) float
        Its knots: scores, rising, and the share of right ones there.
    """

    scores: np.ndarray
    shares: np.ndarray

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Map scores (n,) to shares (n,); beyond the knots the nearest one counts."""
        mapped: np.ndarray = np.interp(scores, self.scores, self.shares)
        return mapped

    def apply(self, predictions: Predictions) -> dict[str, Detections]:
        """Give the same boxes with mapped scores.

        Boxes that the map makes equal keep their order within an image, but lose it between images: score AP and FROC
        with the raw ones.
        """
        return {
            name: Detections(found.boxes, found.labels, self(found.scores), found.names)
            for name, found in predictions.items()
        }

    def to_json(self) -> dict[str, list[float]]:
        """Give the knots as a run keeps them."""
        return {"scores": self.scores.tolist(), "shares": self.shares.tolist()}

    @classmethod
    def from_json(cls, said: Any) -> Calibration:
        """Take the knots that a run keeps.

        Raises
        ------
        ChestlibError
            If they are none.
        """
        try:
            scores, shares = (np.array(said[key], float) for key in ("scores", "shares"))
        except (KeyError, TypeError, ValueError):
            raise ChestlibError("the calibration of scores is not what a training writes; train again") from None
        sound = scores.ndim == 1 and scores.shape == shares.shape and len(scores)
        if not sound or not ((shares >= 0) & (shares <= 1)).all() or not (np.diff(scores) >= 0).all():
            raise ChestlibError("the calibration of scores is no rising map into [0, 1]; train again")
        return cls(scores, shares)


def calibrate(truth: Truth, predictions: Predictions, criterion: Criterion = IOU) -> Calibration:
    """Fit an isotonic map from the score of a box to the share that hits, on a *validation* part.

    Raises
    ------
    ChestlibError
        If no box was predicted there.
    """
    return isotonic(*_verdicts(truth, predictions, criterion))


def isotonic(scores: np.ndarray, right: np.ndarray) -> Calibration:
    """Fit the rising map of scores (n,) that is nearest, in squares, to right or wrong (n,) bool."""
    if not len(scores):
        raise ChestlibError("nothing to calibrate on: no box is predicted on the validation part")
    from sklearn.isotonic import IsotonicRegression  # half a second that few need

    fitted = IsotonicRegression(out_of_bounds="clip").fit(scores, right)
    return Calibration(fitted.X_thresholds_, fitted.y_thresholds_)
