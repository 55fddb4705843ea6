"""Single radiographs with what the models said: matches, hits and misses close up, class-activation maps."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from chestlib.data import Record
from chestlib.detections import Detections
from chestlib.figures.style import boxes, truth, xray
from chestlib.findings import ID
from chestlib.metrics import Match


def matches(axis: Axes, image: np.ndarray, record: Record, found: Detections, match: Match, title: str = "") -> None:
    """Truth and detections on one image: hits and truth in the finding's colour, false alarms and misses marked."""
    xray(axis, image, title or record.file_name)
    truth(axis, record.boxes)
    for x1, y1, x2, y2 in record.boxes[~match.found]:
        axis.plot([x1, x2], [y1, y2], color="white", linewidth=0.8)
    notes = [
        f"{score:.2f} {'hit' if hit else 'false alarm'}" for score, hit in zip(found.scores, match.hit, strict=True)
    ]
    boxes(axis, found.boxes, found.labels, notes)


def event(
    axis: Axes, image: np.ndarray, record: Record, finding: str, box: np.ndarray, score: float | None, zoom: float = 2.2
) -> None:
    """Show a hit or false alarm close up: true boxes of its finding white, its own coloured; a miss has no score.

    The view is a square of `zoom` times the box, 256 pixels or more.
    """
    height, width = image.shape[1:]
    side = min(max(zoom * float(max(box[2:] - box[:2])), 256.0), height, width)
    left, top = (
        float(np.clip((box[k] + box[k + 2]) / 2 - side / 2, 0, whole - side)) for k, whole in ((0, width), (1, height))
    )
    xray(axis, image, f"{finding}, {'missed' if score is None else f'{score:.2f}'}\n{record.file_name}")
    truth(axis, record.boxes[record.labels == ID[finding]])
    if score is None:
        axis.plot(box[::2], box[1::2], color="white", linewidth=0.8)
    else:
        boxes(axis, box[None], [ID[finding]], names=False, width=2)
    axis.set(xlim=(left, left + side), ylim=(top + side, top))


def activation(axis: Axes, image: np.ndarray, cam: np.ndarray, boxes: np.ndarray, title: str = "") -> None:
    """Show a radiograph (1, H, W) under its class-activation map (H, W), true boxes (n, 4) in white."""
    xray(axis, image, title)
    place = (0, cam.shape[1], cam.shape[0], 0)
    axis.imshow(cam, cmap="inferno", vmin=0, vmax=1, alpha=0.75 * cam**0.5, extent=place)
    truth(axis, boxes)
