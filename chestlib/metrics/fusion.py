"""Several answers about one film made one: weighted box fusion.

Source: Solovyev, Wang and Gabruseva, "Weighted boxes fusion", Image and Vision Computing 107 (2021), arXiv:1910.13302,
section 3, with its equations 1 to 3 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.metrics.matching import Predictions, overlap
from chestlib.metrics.sound import require_same_images

FUSED = 0.5
"""Overlap above which boxes are one, chosen among .4 to .7 on validation parts of the phantom; benchmarks/ensembles.py
tells the AP50 of each."""


def fuse(sets: Sequence[Detections], iou: float = FUSED) -> Detections:
    """Make one answer of what several models, or one model of several views, say of one film.

    Best first, each box joins the fused box of its finding that it overlaps most, if by more than `iou`, or begins one.
    A fused box is the mean of its boxes, weighted by their scores. Its score is the mean of theirs, to which each set
    that lacks the box adds a 0; so it has another scale than the scores of one set. One set alone stays as it is.

    Raises
    ------
    ChestlibError
        If the sets are of different findings.

    Examples
    --------
    >>> one, two = Detections([[0, 0, 40, 30]], [3], [0.9]), Detections([[0, 0, 40, 38]], [3], [0.3])
    >>> fuse([one, two]).to_list()
    [{'finding': 'Consolidation', 'box': [0.0, 0.0, 40.0, 32.0], 'score': 0.6}]
    >>> fuse([one, Detections.empty()]).scores.tolist()  # half of them see it
    [0.44999998807907104]
    """
    first = sets[0]
    if odd := [said.names for said in sets if said.names != first.names]:
        raise ChestlibError(f"predictions of {', '.join(first.names)} can't be fused with those of {', '.join(odd[0])}")
    if len(sets) == 1:
        return first
    keys = ("boxes", "labels", "scores")
    boxes, labels, scores = (np.concatenate([getattr(said, key) for said in sets]) for key in keys)
    fused = [(np.zeros((0, 4)), np.zeros(0), np.zeros(0))]
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        own = own[np.argsort(-scores[own], kind="stable")]
        means, weights, counts = _joined(boxes[own].astype(float), scores[own].astype(float), iou)
        fused.append((means, np.full(len(means), label), weights / np.maximum(counts, len(sets))))
    boxes, labels, scores = (np.concatenate(column) for column in zip(*fused, strict=True))
    return Detections(boxes, labels, np.clip(scores, 0, 1), first.names)


def _joined(boxes: np.ndarray, scores: np.ndarray, iou: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Join boxes (n, 4) of one finding, best first: fused boxes (k, 4), sum of scores and number of boxes of each."""
    means, weights, counts = np.zeros_like(boxes), np.zeros(len(boxes)), np.zeros(len(boxes))
    k = 0
    for box, score in zip(boxes, np.maximum(scores, np.finfo(np.float32).tiny), strict=True):  # 0 weighs a little, too
        near = overlap(box[None], means[:k])[0]
        at = int(near.argmax()) if near.max(initial=0) > iou else k
        k += at == k
        weights[at] += score
        counts[at] += 1
        means[at] += (box - means[at]) * score / weights[at]
    return means[:k], weights[:k], counts[:k]


def fuse_all(several: Sequence[Predictions], called: Sequence[str], iou: float = FUSED) -> dict[str, Detections]:
    """Fuse what several sets of predictions, `called` so in errors, say of the same images.

    Raises
    ------
    ChestlibError
        As :func:`fuse`, and if one of them is silent on an image that another predicts.
    """
    for name, other in zip(called[1:], several[1:], strict=True):
        require_same_images(several[0], other, (called[0], name))
    return {image: fuse([said[image] for said in several], iou) for image in several[0]}
