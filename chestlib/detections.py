"""Detections of one image: what a detector says, in one form for training, metrics, viewer and files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS


def proper(boxes: np.ndarray) -> np.ndarray:
    """Tell which boxes (n, 4) are finite, with x2 > x1 and y2 > y1; (n,) bool."""
    good: np.ndarray = np.isfinite(boxes).all(1) & (boxes[:, 2:] > boxes[:, :2]).all(1)
    return good


@dataclass(frozen=True, eq=False)
class Detections:
    """Boxes with findings and scores, best first.

    Parameters
    ----------
    boxes : (n, 4) float32
        xyxy in pixels of the original image, x2 > x1 and y2 > y1.
    labels : (n,) int64
        Finding ids, 1, 2, ...
    scores : (n,) float32
        In [0, 1]; sorted in descending order on construction (stable for ties).
    names : tuple of str
        The findings of these ids; the ten where nothing else is said.

    Raises
    ------
    ChestlibError
        If a shape, a box, an id or a score is not of that form.

    Examples
    --------
    >>> found = Detections([[0, 0, 40, 30], [5, 5, 20, 20]], [3, 9], [0.2, 0.7])
    >>> found.labels.tolist()  # best first
    [9, 3]
    >>> found.above(0.5).to_list()
    [{'finding': 'Nodule', 'box': [5.0, 5.0, 20.0, 20.0], 'score': 0.7}]
    """

    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    names: tuple[str, ...] = FINDINGS

    def __post_init__(self) -> None:
        boxes = np.asarray(self.boxes, np.float32)
        labels = np.asarray(self.labels, np.int64)
        scores = np.asarray(self.scores, np.float32)
        if boxes.size == 0:
            boxes = boxes.reshape(0, 4)
        n = len(boxes)
        if boxes.shape != (n, 4) or labels.shape != (n,) or scores.shape != (n,):
            raise ChestlibError(
                f"detections need boxes (n, 4), labels (n,) and scores (n,); got {boxes.shape}, {labels.shape}, "
                f"{scores.shape}"
            )
        if wrong := boxes[~proper(boxes)].tolist():
            raise ChestlibError(f"box {wrong[0]} is empty, swapped or not finite; expected x2 > x1 and y2 > y1")
        if not ((labels >= 1) & (labels <= len(self.names))).all():
            raise ChestlibError(f"finding ids are 1..{len(self.names)}; got {sorted(set(labels.tolist()))}")
        if len(outside := scores[~((scores >= 0) & (scores <= 1))]):  # NaN too
            raise ChestlibError(f"scores lie in [0, 1]; got {outside[0]}")
        order = np.argsort(-scores, kind="stable")
        for name, value in (("boxes", boxes[order]), ("labels", labels[order]), ("scores", scores[order])):
            value.setflags(write=False)
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.scores)

    def __repr__(self) -> str:
        return f"Detections({len(self)} boxes)"

    def __getitem__(self, keep: np.ndarray | slice) -> Detections:
        return Detections(self.boxes[keep], self.labels[keep], self.scores[keep], self.names)

    def above(self, score: float) -> Detections:
        """Only those with at least this score."""
        return self[self.scores >= score]

    def for_display(self, thresholds: dict[str, float]) -> Detections:
        """Only those that reach the threshold of their finding (name to score; 0.5 for one that has none)."""
        least = np.array([thresholds.get(self.names[i - 1], 0.5) for i in self.labels])
        return self[self.scores >= least]

    @classmethod
    def empty(cls, names: tuple[str, ...] = FINDINGS) -> Detections:
        """Give the answer of an image in which nothing is found."""
        return cls(np.zeros((0, 4)), np.zeros(0), np.zeros(0), names)

    # --- the forms they travel in -------------------------------------------------------------------------------

    @classmethod
    def from_torchvision(
        cls, output: dict[str, Any], scale: tuple[float, float] = (1.0, 1.0), names: tuple[str, ...] = FINDINGS
    ) -> Detections:
        """From a torchvision detector's output; boxes are multiplied by `scale` (x, y) to original pixels.

        Boxes that have no area (a regressed box clipped at the border) are dropped.
        """
        boxes, labels, scores = (output[key].detach().float().cpu().numpy() for key in ("boxes", "labels", "scores"))
        boxes = boxes * np.array([*scale, *scale], np.float32)
        keep = (boxes[:, 2:] > boxes[:, :2]).all(1)
        return cls(boxes[keep], labels[keep], scores[keep], names)

    def to_list(self) -> list[dict[str, Any]]:
        """One object a box, as in `predictions.json`: finding, box (xyxy, pixels, 2 decimals), score (5 decimals)."""
        return [
            {"finding": self.names[c - 1], "box": [round(float(v), 2) for v in box], "score": round(float(s), 5)}
            for box, c, s in zip(self.boxes, self.labels, self.scores, strict=True)
        ]

    @classmethod
    def from_list(cls, items: list[dict[str, Any]], names: tuple[str, ...] = FINDINGS) -> Detections:
        """From the objects of :meth:`to_list`.

        Raises
        ------
        ChestlibError
            For an unknown finding or a missing key.
        """
        try:
            boxes = np.array([item["box"] for item in items], np.float32).reshape(-1, 4)
            scores = np.array([item["score"] for item in items], np.float32)
            ids = {name: i for i, name in enumerate(names, start=1)}
            labels = np.array([ids[item["finding"]] for item in items], np.int64)
        except KeyError as error:
            raise ChestlibError(f"a detection has no or an unknown {error.args[0]!r}") from None
        except (OverflowError, TypeError, ValueError) as error:
            raise ChestlibError(f"a detection is not of the form finding, box, score: {error}") from None
        return cls(boxes, labels, scores, names)
