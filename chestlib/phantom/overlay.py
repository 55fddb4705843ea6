"""What lies over the chest and belongs to no finding: side marker, leads, tubes."""

from __future__ import annotations

import cv2
import numpy as np

from chestlib.phantom.anatomy import SIZE, Frame, smooth
from chestlib.phantom.drawing import blur, lines


def overlay(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Grey to be added, (1024, 1024) float32 in [0, 1]; lines and tubes are commoner in bedside (AP) images."""
    layer = _marker(frame, rng)
    for bedside, elsewhere, draw in _CHANCES:
        if rng.random() < (bedside if frame.view.ap else elsewhere):
            layer = np.maximum(layer, draw(frame, rng))
    return layer


def _marker(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Draw a lead letter beside the shoulder: L or R, on its side, now and then with AP below."""
    layer = np.zeros((SIZE, SIZE), np.uint8)
    left = rng.random() < 0.7
    x, y = int(rng.uniform(880, 960) if left else rng.uniform(40, 110)), int(rng.uniform(70, 190))
    scale, thick = rng.uniform(1.4, 2.3), int(rng.integers(4, 8))
    cv2.putText(layer, "L" if left else "R", (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thick, cv2.LINE_AA)
    if frame.view.ap and rng.random() < 0.5:
        cv2.putText(layer, "AP", (x - 10, y + 45), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 200, 3, cv2.LINE_AA)
    return blur(layer.astype(np.float32) / 255, 0.8) * np.float32(rng.uniform(0.35, 0.75))


def _leads(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Three electrodes on the skin, each with a wire that leaves the image."""
    wires, discs = [], np.zeros((SIZE, SIZE), np.uint8)
    for u, v in ((-0.8, 0.12), (0.8, 0.1), (0.75, 0.85)):
        start = frame.to_image(np.array([u * frame.half_width, v * frame.height]) + rng.normal(0, 25, 2))
        end = np.array([rng.uniform(250, 780), -30 if v < 0.5 else SIZE + 30])
        bend = (start + end) / 2 + rng.normal(0, 70, 2)
        wires.append(smooth(np.array([start, bend, end]), 16, closed=False))
        cv2.circle(discs, tuple(np.round(start).astype(int).tolist()), int(rng.integers(9, 14)), 255, -1, cv2.LINE_AA)
    strength = np.float32(rng.uniform(0.10, 0.2))
    return strength * np.maximum(lines([([wire], 3, 1.0) for wire in wires]), discs.astype(np.float32) / 255)


def _tube(frame: Frame, path: list[tuple[float, float]], width: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a hollow tube along canonical points: two bright walls and a fainter lumen."""
    curve = smooth(frame.to_image(np.array(path)), 16, closed=False)
    walls = lines([([curve], width, 1.0)]) - 0.6 * lines([([curve], max(1, width - 4), 1.0)])
    return np.float32(rng.uniform(0.08, 0.16)) * walls


def _central_line(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """From the neck or under a clavicle to the superior vena cava."""
    side = rng.choice([-1, 1])
    w, h = frame.half_width, frame.height
    entry = (side * rng.uniform(0.15, 0.5) * w, -0.12 * h)
    return _tube(frame, [entry, (side * 0.12 * w, 0.06 * h), (-0.1 * w, 0.2 * h), (-0.12 * w, 0.38 * h)], 5, rng)


def _tracheal_tube(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Down the trachea, ending above the carina."""
    h, drift = frame.height, rng.normal(0, 6)
    return _tube(frame, [(drift, -0.45 * h), (0.0, -0.15 * h), (drift, rng.uniform(0.1, 0.2) * h)], 13, rng)


def _feeding_tube(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Down the oesophagus into the stomach."""
    w, h = frame.half_width, frame.height
    path = [(0, -0.45 * h), (0.02 * w, 0.2 * h), (0.04 * w, 0.8 * h), (0.25 * w, 1.08 * h), (0.5 * w, 1.12 * h)]
    return _tube(frame, path, 6, rng)


_CHANCES = (
    (0.45, 0.06, _leads),
    (0.2, 0.2 / 8, _central_line),
    (0.15, 0.15 / 8, _tracheal_tube),
    (0.12, 0.12 / 8, _feeding_tube),
)
"""Of each object in a bedside image and in any other."""
