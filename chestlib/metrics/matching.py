"""Which detection hits which true box: overlap, the challenge's matching, and detections ranked over all images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np

from chestlib.data import Record
from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS

Truth: TypeAlias = Sequence[Record]
"""Every image that was to be examined, those without a box too."""

Predictions: TypeAlias = Mapping[str, Detections]
"""Detections by file name."""

IOU = 0.5

Criterion: TypeAlias = float | Literal["centre"]
"""What a hit must reach: this overlap, or that the middle of the detection lies in the true box, edges included."""

CRITERIA: tuple[Criterion, ...] = (0.3, IOU, "centre")
"""Those that are told side by side."""


def names_of(truth: Truth) -> tuple[str, ...]:
    """Give the findings of the labels 1, 2, ... in a truth."""
    return truth[0].names if truth else FINDINGS


def looked_for(truth: Truth) -> np.ndarray:
    """Tell on which image somebody looked for which finding; (images, findings) bool."""
    looked = np.ones((len(truth), len(names_of(truth))), bool)
    for row, record in zip(looked, truth, strict=True):
        if record.annotated is not None:
            row[:] = False
            row[[i - 1 for i in {*record.annotated, *record.labels.tolist()}]] = True
    return looked


@dataclass(frozen=True, eq=False)
class Pool:
    """The boxes of many images in one array each, image by image: all of them are worked on at once.

    Attributes
    ----------
    image : (n,) int64
        Index of the image of each box.
    boxes : (n, 4) float32, xyxy
    labels : (n,) int64
    scores : (n,) float32
        Best first within an image; 1 for true boxes.
    """

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, keep: np.ndarray) -> Pool:
        return Pool(self.image[keep], self.boxes[keep], self.labels[keep], self.scores[keep])


def pooled(truth: Truth) -> Pool:
    """Pool the true boxes."""
    if not truth:
        raise ChestlibError("no images to evaluate; the truth is empty")
    labels = np.concatenate([r.labels for r in truth])
    return Pool(_images(truth), np.concatenate([r.boxes for r in truth]), labels, np.ones(len(labels), np.float32))


def pooled_detections(truth: Truth, predictions: Predictions) -> Pool:
    """Pool the detections of what was looked for on the images of the truth; one without an entry has none."""
    nothing = Detections.empty()
    found = [predictions.get(record.file_name, nothing) for record in truth]
    boxes, labels, scores = (np.concatenate([getattr(d, key) for d in found]) for key in ("boxes", "labels", "scores"))
    pool = Pool(_images(found), boxes, labels, scores)
    partly = any(record.annotated is not None for record in truth)
    return pool[looked_for(truth)[pool.image, pool.labels - 1]] if partly else pool


def _images(items: Sequence[Record] | Sequence[Detections]) -> np.ndarray:
    return np.repeat(np.arange(len(items)), [len(item.labels) for item in items])


@dataclass(frozen=True, eq=False)
class Match:
    """The verdict on one image's detections and true boxes.

    Attributes
    ----------
    iou : (n,) float
        Best overlap of each detection with a true box of its finding; 0 without any.
    truth : (n,) int64
        Index of that true box when the overlap reaches the limit, else -1.
    hit : (n,) bool
        True for the first detection, in order of score, that claims its true box; all others are false alarms.
    found : (m,) bool
        True boxes that were hit.
    """

    iou: np.ndarray
    truth: np.ndarray
    hit: np.ndarray
    found: np.ndarray


def overlap(boxes: np.ndarray, others: np.ndarray, edge: float = 0.0) -> np.ndarray:
    """Intersection over union of every pair of xyxy boxes; (n, 4) and (m, 4) give (n, m).

    `edge` is added to every width and height: 0 measures coordinates (COCO), 1 counts both border pixels (challenge).

    Examples
    --------
    >>> overlap(np.array([[0.0, 0, 2, 2]]), np.array([[0.0, 0, 2, 1], [5, 5, 6, 6]])).tolist()
    [[0.5, 0.0]]
    """
    return _overlap(boxes[:, None], others[None], edge)


def _overlap(boxes: np.ndarray, others: np.ndarray, edge: float) -> np.ndarray:
    low = np.maximum(boxes[..., :2], others[..., :2])
    high = np.minimum(boxes[..., 2:], others[..., 2:])
    common = np.maximum(high - low + edge, 0).prod(-1)
    area, other = ((b[..., 2:] - b[..., :2] + edge).prod(-1) for b in (boxes, others))
    iou: np.ndarray = common / (area + other - common)
    return iou


def pairs(found: Pool, true: Pool, edge: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pair every detection with every true box of its image and finding: their indices, ascending, and overlap."""
    span = 1 + max(found.labels.max(initial=0), true.labels.max(initial=0))
    wanted, there = found.image * span + found.labels, true.image * span + true.labels
    order = np.argsort(there, kind="stable")
    first, last = (np.searchsorted(there[order], wanted, side) for side in ("left", "right"))
    count = last - first
    row = np.repeat(np.arange(len(found)), count)
    column = order[np.arange(len(row)) + np.repeat(first - (np.cumsum(count) - count), count)]
    return row, column, _overlap(found.boxes[row], true.boxes[column], edge)


def fitting(
    found: Pool, true: Pool, row: np.ndarray, column: np.ndarray, iou: np.ndarray, criterion: Criterion
) -> tuple[np.ndarray, float]:
    """Give the overlaps (n,) of :func:`pairs`, 0 where the criterion rules them out, and the least that is a hit."""
    if criterion != "centre":
        if not 0 <= criterion <= 1:
            raise ChestlibError(f'criterion {criterion!r}: expected an overlap from 0 to 1, or "centre"')
        return iou, criterion
    middle = (found.boxes[:, :2] + found.boxes[:, 2:])[row] / 2
    inside = ((true.boxes[column, :2] <= middle) & (middle <= true.boxes[column, 2:])).all(1)
    return np.where(inside, iou, 0), float(np.finfo(np.float32).tiny)


def match(truth_boxes: np.ndarray, truth_labels: np.ndarray, detections: Detections, iou: Criterion = IOU) -> Match:
    """Match one image by the challenge's rule.

    Every detection points at the true box of its finding that it overlaps best (pixels inclusive). The best-scored
    detection that points at a box hits it; a second one is a false alarm, even where it overlaps another free box.

    Parameters
    ----------
    truth_boxes : (m, 4) float32, xyxy
    truth_labels : (m,) int64
    detections : Detections
        n of them.
    iou : float, or "centre"
        Least overlap of a hit; or its middle must lie in the true box (of several the one that it overlaps best).

    Source: eval.py in github.com/Deepwise-AILab/ChestX-Det10-Dataset.
    """
    true = Pool(np.zeros(len(truth_labels), np.int64), truth_boxes, truth_labels, np.ones(len(truth_labels)))
    found = Pool(np.zeros(len(detections), np.int64), detections.boxes, detections.labels, detections.scores)
    return match_all(true, found, iou)


def match_all(true: Pool, found: Pool, iou: Criterion = IOU) -> Match:
    """Match as :func:`match`, all images at once; indices are those of the pools."""
    row, column, value = pairs(found, true, edge=1.0)
    value, limit = fitting(found, true, row, column, value, iou)
    start = np.flatnonzero(np.diff(row, prepend=-1))
    best, nearest = np.zeros(len(found), value.dtype), np.full(len(found), -1)
    best[row[start]] = np.maximum.reduceat(value, start) if len(start) else 0
    top = np.flatnonzero(value == best[row])[::-1]  # of equals the first: it is written last
    nearest[row[top]] = column[top]
    claim = np.where((best >= limit) & (best > 0), nearest, -1)
    hit = first_claims(claim)
    taken = np.zeros(len(true), bool)
    taken[claim[hit]] = True
    return Match(best, claim, hit, taken)


def first_claims(claims: np.ndarray) -> np.ndarray:
    """Mark where a claim (a box index, -1 for none) appears for the first time; (n,) gives (n,) bool."""
    first = np.zeros(len(claims), bool)
    first[np.unique(claims, return_index=True)[1]] = True
    return first & (claims >= 0)


@dataclass(frozen=True, eq=False)
class Ranked:
    """The detections of one finding over all images, best score first."""

    image: np.ndarray  # (n,) int64, index of the image
    hit: np.ndarray  # (n,) bool, else a false alarm
    boxes: np.ndarray  # (images,) int64, true boxes to be found in each image
    looked: np.ndarray  # (images,) bool, where somebody looked for the finding

    def cumulative(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hits and false alarms down to each rank, (r, n) each, and true boxes (r,), when images weigh (r, images)."""
        drawn = weights[:, self.image]
        return np.cumsum(drawn * self.hit, axis=1), np.cumsum(drawn * ~self.hit, axis=1), weights @ self.boxes

    @cached_property
    def _between(self) -> np.ndarray:
        """False alarms of each image between one hit and the next; (images, hits + 1)."""
        n = int(self.hit.sum()) + 1
        place = self.image[~self.hit] * n + np.cumsum(self.hit)[~self.hit]
        return np.bincount(place, minlength=len(self.boxes) * n).reshape(-1, n).astype(float)

    def at_hits(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Weight of each hit and false alarms before it, (r, hits) each, all false alarms and true boxes, (r,) each.

        All that a curve needs, and far less than :meth:`cumulative`: most detections are false alarms.
        """
        alarms = np.cumsum(weights @ self._between, axis=1)
        return weights[:, self.image[self.hit]], alarms[:, :-1], alarms[:, -1], weights @ self.boxes
