"""What each finding adds to a chest's attenuation, drawn so that it fills its box."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from chestlib.findings import NAME
from chestlib.phantom.anatomy import SIZE, Frame
from chestlib.phantom.drawing import fractal
from chestlib.phantom.film import Exposure
from chestlib.phantom.sampling import Lesion, nearest_rib
from chestlib.phantom.tissue import Chest

VISIBLE = 2.5
"""A pixel belongs to a lesion when it changes by more than this many grey levels of 255."""


@dataclass(frozen=True)
class Patch:
    """The box of a lesion: (h, w) coordinates in [-1, 1], and the chance it is drawn by."""

    x: np.ndarray  # from medial (-1) to lateral (1)
    y: np.ndarray  # from top (-1) to bottom (1)
    rng: np.random.Generator
    angle: float  # direction of the nearest rib, radians from x to y

    def noise(self, cell: float, octaves: int = 3) -> np.ndarray:
        """Smooth noise with structures of about `cell` px, standard deviation about 1."""
        h, w = self.x.shape
        n = 1 << int(np.ceil(np.log2(max(h, w, 16))))
        return fractal(self.rng, n, max(2, round(n / cell)), octaves, 0.55)[:h, :w]

    def inside(self, power: float = 2.0, wobble: float = 0.0) -> np.ndarray:
        """1 minus the superelliptic radius: > 0 inside the outline, which may wobble but touches all four sides."""
        x, y = self.x, self.y
        if not wobble:
            return (1 - (np.abs(x) ** power + np.abs(y) ** power) ** (1 / power)).astype(np.float32)
        waves = [(k, wobble / k**0.5, self.rng.uniform(0, 6.3)) for k in (2, 3, 5, 8)]

        def edge(angle: np.ndarray) -> np.ndarray:
            return np.asarray(1 + sum(a * np.cos(k * angle + at) for k, a, at in waves))

        ring = np.linspace(-np.pi, np.pi, 180)
        u, v = edge(ring) * np.cos(ring), edge(ring) * np.sin(ring)
        x = np.where(x > 0, x * u.max(), -x * u.min())
        y = np.where(y > 0, y * v.max(), -y * v.min())
        return (1 - np.hypot(x, y) / edge(np.arctan2(y, x))).astype(np.float32)

    def ball(self, wobble: float) -> np.ndarray:
        """Thickness of a ball that fills the patch, 1 in its middle."""
        depth = np.clip(self.inside(wobble=wobble), 0, 1)
        return np.sqrt(depth * (2 - depth))


def _ramp(v: np.ndarray, width: float) -> np.ndarray:
    """0 below 0, 1 above `width`, smooth between."""
    v = np.clip(v / width, 0, 1)
    return v * v * (3 - 2 * v)


def _mass(p: Patch) -> np.ndarray:
    ball = p.ball(0.09)
    return p.rng.uniform(0.16, 0.36) * ball * (1 + 0.12 * p.noise(30))


def _nodule(p: Patch) -> np.ndarray:
    ball = p.ball(0.05)
    return p.rng.uniform(0.16, 0.34) * ball


def _calcification(p: Patch) -> np.ndarray:
    depth = np.clip(p.inside(wobble=0.12), 0, 1)
    grains = _ramp(p.noise(max(5, min(p.x.shape) / 4), 2) + 0.5, 0.6)
    return p.rng.uniform(1.4, 2.2) * np.sqrt(depth) * (0.35 + 0.65 * grains)


def _consolidation(p: Patch) -> np.ndarray:
    soft = _ramp(p.inside(wobble=0.07) + 0.10 * p.noise(60, 3) * (p.inside(2.6) > 0.12), 0.5)
    patches = 0.35 + 0.65 * _ramp(p.noise(48, 4) + 1.0, 2.0)
    return p.rng.uniform(0.5, 0.85) * soft * patches


def _effusion(p: Patch) -> np.ndarray:
    climb = np.clip((p.x + 1) / 2, 0, 1)
    level = 0.2 - 1.15 * climb**1.8 + 0.05 * np.sin(3 * p.x)
    return p.rng.uniform(0.8, 1.1) * _ramp(p.y - level, 0.16) * _ramp(1.02 - p.y, 0.2) * _ramp(p.x + 1.02, 0.25)


def _emphysema(p: Patch) -> np.ndarray:
    walls = _ramp(0.10 - np.abs(p.noise(70, 1)), 0.10)
    return _ramp(p.inside(5), 0.16) * (-p.rng.uniform(0.38, 0.5) + 0.2 * walls)


def _fibrosis(p: Patch) -> np.ndarray:
    net = _ramp(0.22 - np.abs(p.noise(42, 1)), 0.2) + 0.8 * _ramp(0.25 - np.abs(p.noise(27, 1)), 0.25)
    return p.rng.uniform(0.36, 0.48) * _ramp(p.inside(3.5), 0.3) * (0.15 + net)


def _fracture(p: Patch) -> np.ndarray:
    h, w = p.x.shape
    x, y = p.x * w / 2, p.y * h / 2
    c, s = np.cos(p.angle), np.sin(p.angle)
    along, across = c * x + s * y, c * y - s * x
    shift = np.sign(along) * p.rng.uniform(7, 12) * p.rng.choice([-1, 1]) + np.abs(along) * p.rng.uniform(-0.15, 0.15)
    old = np.exp(-((across / 12) ** 6))
    new = np.exp(-(((across - shift) / 12) ** 6)) * _ramp(np.abs(along) - 2.5, 3)
    ends = np.exp(-(((np.abs(along) - 7) / 4) ** 2)) * new
    near = _ramp(p.inside(4), 0.25)
    return near * (0.06 + 0.85 * (new - old) + 0.75 * ends) + 0.03 * near


def _pneumothorax(p: Patch) -> np.ndarray:
    bend = p.rng.uniform(1.55, 1.75)
    edge = (((p.x + 1) / bend) ** 2 + ((1 - p.y) / bend) ** 2) ** 0.5 - 1 + 0.02 * np.sin(4 * p.x + 3 * p.y)
    near = _ramp(1.01 - np.abs(p.x), 0.06) * _ramp(1.01 - np.abs(p.y), 0.06)
    line = np.exp(-((edge * min(p.x.shape) * bend / 4 / 2.4) ** 2))
    return near * (-p.rng.uniform(0.62, 0.75) * _ramp(edge, 0.03) + 0.45 * line)


def _atelectasis(p: Patch) -> np.ndarray:
    h, w = p.x.shape
    rise = p.y - p.rng.uniform(-0.5, 0.5) * p.x
    plates = sum(
        np.exp(-(((rise - at) * h / 2 / p.rng.uniform(6, 11)) ** 2))
        for at in p.rng.uniform(-0.5, 0.5, 1 + (h > 60) + (h > 140))
    )
    lobe = _ramp(rise + 0.55, 0.08) * _ramp(1.2 - rise, 0.9) if h > 0.5 * w else 0.4
    return _ramp(p.inside(5), 0.15) * (0.14 + 0.52 * lobe + 0.75 * np.minimum(plates, 1.2))


class _Style(NamedTuple):
    """How a finding is drawn."""

    draw: Callable[[Patch], np.ndarray]  # attenuation (h, w), or the share of the air there that is replaced
    fill: float  # share of the patch's sides that shows; its border fades away
    airy: bool = False  # replaces air, or adds to it where negative


_LEAST_AIR = 0.35
"""What a finding that replaces air finds everywhere."""

_STYLE: dict[str, _Style] = {
    "Atelectasis": _Style(_atelectasis, 0.94),
    "Calcification": _Style(_calcification, 0.84),
    "Consolidation": _Style(_consolidation, 0.87, True),
    "Effusion": _Style(_effusion, 0.95, True),
    "Emphysema": _Style(_emphysema, 0.93, True),
    "Fibrosis": _Style(_fibrosis, 0.92, True),
    "Fracture": _Style(_fracture, 0.91),
    "Mass": _Style(_mass, 0.97),
    "Nodule": _Style(_nodule, 0.95),
    "Pneumothorax": _Style(_pneumothorax, 0.97, True),
}


def draw(
    chest: Chest, exposure: Exposure, frame: Frame, lesions: list[Lesion]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Grey levels of a chest with its lesions.

    Returns
    -------
    grey : (1024, 1024) float32
        In [0, 255], before noise.
    boxes : (n, 4) float32
        The tight box of what each lesion changes visibly; a lesion that shows nowhere is left out, and not drawn.
    labels : (n,) int64
    """
    bare = exposure.grey()
    added = np.zeros_like(bare)
    boxes, labels = [], []
    for lesion in lesions:
        x1, y1, x2, y2 = lesion.box
        fringe = (1 / _STYLE[NAME[lesion.label]].fill - 1) / 2
        w, h = fringe * (x2 - x1), fringe * (y2 - y1)
        x1, y1, x2, y2 = (int(np.clip(round(v), 0, SIZE)) for v in (x1 - w, y1 - h, x2 + w, y2 + h))
        at = np.s_[y1:y2, x1:x2]
        layer = _layer(lesion, chest, exposure, frame, at)
        if lesion.contrast is not None:
            layer = layer * _strength(lesion.box, lesion.contrast, exposure.grey(layer, at) - bare[at], bare)
        shape = np.abs(exposure.grey(layer, at) - bare[at]) > VISIBLE
        if np.count_nonzero(shape) < 12:
            continue
        bx, by, w, h = cv2.boundingRect(shape.astype(np.uint8))
        boxes.append((x1 + bx, y1 + by, x1 + bx + w, y1 + by + h))
        labels.append(lesion.label)
        added[at] += layer
    if boxes:
        (x1, y1), (x2, y2) = np.min(boxes, 0)[:2], np.max(boxes, 0)[2:]
        at = np.s_[y1:y2, x1:x2]
        bare[at] = exposure.grey(added[at], at)
    return bare, np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int64)


def _strength(box: tuple[float, ...], contrast: float, change: np.ndarray, bare: np.ndarray) -> float:
    """Factor on the `change` by a mass or nodule that gives it its contrast, as far as it stays visible.

    Contrast: mean grey of the inner half of the box's ellipse minus that of the ring from 1.1 to 1.8 times the box.
    """
    x1, y1, x2, y2 = box
    w, h = 0.9 * (x2 - x1), 0.9 * (y2 - y1)  # the ring reaches 1.8 half sides out
    rows, columns = (slice(max(int(v), 0), int(u) + 1) for v, u in ((y1 - h / 2, y2 + h / 2), (x1 - w / 2, x2 + w / 2)))
    area, middles = bare[rows, columns], np.arange(SIZE) + 0.5
    x, y = middles[columns] - (x1 + x2) / 2, middles[rows, None] - (y1 + y2) / 2
    r = 2 * np.hypot(x / (x2 - x1), y / (y2 - y1))
    inner, ring = r <= 0.5, (r >= 1.1) & (r <= 1.8)
    middle = change[tuple(slice(n // 4, -(n // 4)) for n in change.shape)]
    if not (inner.any() and ring.any() and middle.size) or middle.mean() < 0.5:
        return 1.0
    wanted = 255 * contrast - (area[inner].mean() - area[ring].mean())
    return float(np.clip(wanted / middle.mean(), 0.25, 5))


def _layer(lesion: Lesion, chest: Chest, exposure: Exposure, frame: Frame, at: tuple[slice, slice]) -> np.ndarray:
    rows, columns = at
    x, y = np.meshgrid(
        np.linspace(-1, 1, columns.stop - columns.start, dtype=np.float32) * lesion.side,
        np.linspace(-1, 1, rows.stop - rows.start, dtype=np.float32),
    )
    angle = nearest_rib(frame, lesion.side, np.array([columns.stop + columns.start, rows.stop + rows.start]) / 2)[1]
    angle = angle if lesion.side > 0 else np.pi - angle  # x runs to lateral
    style = _STYLE[NAME[lesion.label]]
    layer = style.draw(Patch(x, y, np.random.default_rng(lesion.seed), angle))
    if style.airy:
        layer = layer * np.maximum(chest.air[at], _LEAST_AIR)
    # Readers box what they see: where the film is flat, only denser lesions are among the annotated.
    return (layer * np.clip(0.27 / np.maximum(exposure.gain(at), 1e-3), 0.7, 4)).astype(np.float32)
