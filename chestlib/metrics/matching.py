"""Which detection hits which true box: overlap, the challenge's matching, and detections ranked over all images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from chestlib.data import Record
from chestlib.detections import Detections
from chestlib.errors import ChestlibError

Truth: TypeAlias = Sequence[Record]
"""Every image that was to be examined, those without a box too."""

Predictions: TypeAlias = Mapping[str, Detections]
"""Detections by file name."""

IOU = 0.5


def in_order(truth: Truth, predictions: Predictions) -> list[Detections]:
    """List the detections of every image of the truth, empty ones for an image without an entry."""
    if not truth:
        raise ChestlibError("no images to evaluate; the truth is empty")
    nothing = Detections.empty()
    return [predictions.get(record.file_name, nothing) for record in truth]


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
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = np.maximum(high - low + edge, 0).prod(2)
    area, other = ((b[:, 2:] - b[:, :2] + edge).prod(1) for b in (boxes, others))
    iou: np.ndarray = common / (area[:, None] + other - common)
    return iou


def match(truth_boxes: np.ndarray, truth_labels: np.ndarray, detections: Detections, iou: float = IOU) -> Match:
    """Match one image by the challenge's rule.

    Every detection points at the true box of its finding that it overlaps best (pixels inclusive). The best-scored
    detection that points at a box hits it; a second one is a false alarm, even where it overlaps another free box.

    Parameters
    ----------
    truth_boxes : (m, 4) float32, xyxy
    truth_labels : (m,) int64
    detections : Detections
        n of them.
    iou : float
        Least overlap of a hit.

    Source: eval.py in github.com/Deepwise-AILab/ChestX-Det10-Dataset.
    """
    best, truth = np.zeros(len(detections)), np.full(len(detections), -1)
    if len(detections) and len(truth_labels):
        pairs = overlap(detections.boxes, truth_boxes, edge=1.0)
        pairs[detections.labels[:, None] != truth_labels] = 0
        best, nearest = pairs.max(1), pairs.argmax(1)
        truth = np.where((best >= iou) & (best > 0), nearest, -1)
    hit = first_claims(truth)
    found = np.zeros(len(truth_labels), bool)
    found[truth[hit]] = True
    return Match(best, truth, hit, found)


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

    def cumulative(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hits and false alarms down to each rank, (r, n) each, and true boxes (r,), when images weigh (r, images)."""
        drawn = weights[:, self.image]
        return np.cumsum(drawn * self.hit, axis=1), np.cumsum(drawn * ~self.hit, axis=1), weights @ self.boxes
