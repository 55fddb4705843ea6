"""A patient's chest: organ outlines in a canonical frame, and the view that projects them onto the image.

The canonical frame is in pixels at 1024 x 1024: u from the midline, positive to the right of the image (the patient's
left), v from the apices of the lungs, positive downwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

SIZE = 1024
"""Side of the image in which everything is designed, px; other sizes are this picture, resized."""
MM = 0.4
"""Millimetres a pixel, about."""

# Lung outline in its own frame: s from medial (0) to lateral (1), t from apex (0) to costophrenic angle (1).
_LATERAL = np.array(
    [(0.42, 0.0), (0.64, 0.035), (0.8, 0.12), (0.9, 0.25), (0.96, 0.42), (0.99, 0.6), (1.0, 0.8), (0.985, 0.95)]
)
_BASE = np.array([(0.965, 1.0), (0.9, 0.955), (0.76, 0.885), (0.56, 0.85), (0.34, 0.855), (0.14, 0.89), (0.0, 0.93)])
_MEDIAL = np.array([(0.02, 0.8), (0.04, 0.64), (0.05, 0.5), (0.04, 0.36), (0.04, 0.22), (0.1, 0.08), (0.24, 0.015)])


@dataclass(frozen=True)
class Anatomy:
    """What stays with the patient from one visit to the next; lengths in px at 1024."""

    lung_width: float
    lung_height: float
    gap: float  # half the width between the lungs
    depth: float  # of the trunk, cm
    heart: float  # size, 1 = usual
    fat: float  # soft tissue over the ribs
    female: bool
    breast: float  # size, 1 = usual
    rib_tilt: float  # tangent of the ribs' downward tilt
    rib_width: float
    dome: float  # height of the diaphragm's domes, 1 = usual
    unfolding: float  # how far the aorta bulges, 1 = usual
    texture: int  # seed of vessels and small irregularities


@dataclass(frozen=True)
class View:
    """What changes from one visit to the next: position and inspiration."""

    scale: float
    shift: tuple[float, float]
    angle: float  # degrees, in the image plane
    turn: float  # of the trunk about its long axis; moves front against back, px
    inspiration: float
    ap: bool
    arm: float  # how far the arms hang from the trunk, px

    @property
    def matrix(self) -> np.ndarray:
        """Affine map (2, 3) from the canonical frame to the image."""
        c, s = (turn(np.radians(self.angle)) * self.scale for turn in (np.cos, np.sin))
        pivot = 320.0  # the middle of the lungs stays in the middle of the image
        x, y = 512 + self.shift[0], 470 + self.shift[1]
        return np.array([[c, -s, x + s * pivot], [s, c, y - c * pivot]])


def sample_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draw a patient."""
    female = bool(rng.random() < 0.45)
    build = rng.normal()
    return Anatomy(
        lung_width=float(308 * np.exp(0.08 * rng.normal()) * (0.96 if female else 1.03)),
        lung_height=float(690 * np.exp(0.09 * rng.normal() - 0.02 * build) * (0.97 if female else 1.02)),
        gap=float(np.clip(50 + 6 * rng.normal(), 36, 66)),
        depth=float(21.0 * np.exp(0.06 * rng.normal() + 0.06 * build)),
        heart=float(np.exp(0.12 * rng.normal() + 0.05 * build)),
        fat=float(np.clip(52 + 26 * build, 22, 130)),
        female=female,
        breast=float(np.exp(0.35 * rng.normal() + 0.25 * build)),
        rib_tilt=float(np.clip(0.62 + 0.12 * rng.normal(), 0.35, 0.9)),
        rib_width=float(25 + 2.5 * rng.normal()),
        dome=float(np.exp(0.2 * rng.normal())),
        unfolding=float(np.exp(0.3 * rng.normal())),
        texture=int(rng.integers(2**31)),
    )


def sample_view(rng: np.random.Generator) -> View:
    """Draw a visit's position and technique."""
    ap = bool(rng.random() < 0.4)
    return View(
        scale=float(np.exp(0.045 * rng.normal() + (0.02 if ap else 0.0))),
        shift=(float(14 * rng.normal()), float(22 * rng.normal())),
        angle=float(np.clip(1.8 * rng.normal(), -5, 5)),
        turn=float(np.clip((16 if ap else 9) * rng.normal(), -36, 36)),
        inspiration=float(np.clip((0.93 if ap else 1.0) + 0.05 * rng.normal(), 0.78, 1.12)),
        ap=ap,
        arm=float(rng.uniform(0, 110)),
    )


@dataclass(frozen=True)
class Frame:
    """One patient in one view: canonical and lung coordinates to image pixels."""

    anatomy: Anatomy
    view: View

    @property
    def height(self) -> float:
        """Lung height in this breath; a deep one lowers the base, not the apex."""
        return self.anatomy.lung_height * self.view.inspiration

    @property
    def half_width(self) -> float:
        """Midline to the lateral edge of a lung."""
        return self.anatomy.gap + self.anatomy.lung_width

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """Canonical points (..., 2) to image pixels."""
        m = self.view.matrix
        return np.asarray(points, float) @ m[:, :2].T + m[:, 2]

    def grid(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Canonical u and v of the pixels of a (size, size) image, float32."""
        m = self.view.matrix
        along = (np.arange(size) + 0.5) * (SIZE / size)
        x, y = along[None] - m[0, 2], along[:, None] - m[1, 2]
        u, v = (a * x + b * y for a, b in np.linalg.inv(m[:, :2]))
        return u.astype(np.float32), v.astype(np.float32)

    def lung_point(self, side: int, s: ArrayLike, t: ArrayLike) -> np.ndarray:
        """Lung coordinates to image pixels (..., 2); side -1 is the left of the image, +1 the right."""
        u = side * (self.anatomy.gap + np.asarray(s, float) * self.anatomy.lung_width)
        return self.to_image(np.stack([u, np.asarray(t, float) * self.height], axis=-1))

    def lung(self, side: int) -> np.ndarray:
        """Outline of a lung in image pixels, (n, 2)."""
        rng = np.random.default_rng([self.anatomy.texture, 10 + side])
        base = _BASE.copy()
        base[1:, 1] = 1 - (1 - base[1:, 1]) * self.anatomy.dome
        base[1:, 1] += 0.016 if side > 0 else -0.012  # the liver lifts the right dome
        outline = np.concatenate([_LATERAL, base, _MEDIAL])
        outline += 0.006 * rng.normal(size=outline.shape)
        return self.lung_point(side, *smooth(outline).T)

    def rib(self, side: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Centre lines in image pixels of rib k's back (30, 2) and front (24, 2) half, 1 the uppermost.

        A rib is an ellipse around the thorax, tilted forwards and downwards, seen from the front.
        """
        a = self.anatomy
        level = -0.035 + 0.094 * (k - 1)  # where it leaves the spine, in lung heights of full inspiration
        tilt = a.rib_tilt * (0.72 + 0.035 * k) * self.view.inspiration**-0.5
        reach = 0.6
        for _ in range(3):  # its lateral turn lies on the lung's outer edge
            drop = 0.55 * (a.gap + reach * a.lung_width) * tilt / a.lung_height
            reach = float(np.interp(level + drop, _LATERAL[:, 1], _LATERAL[:, 0]))

        def line(phi: np.ndarray) -> np.ndarray:
            out = a.gap * 0.5 + (a.gap * 0.5 + reach * a.lung_width) * np.sin(phi)
            u = side * out + self.view.turn * np.cos(phi)
            v = level * a.lung_height * self.view.inspiration**0.5 + drop * a.lung_height * (1 - np.cos(phi))
            return self.to_image(np.stack([u, v], 1))

        end = 2.75 if k < 6 else 2.75 - 0.14 * (k - 5)
        return line(np.linspace(0.06, 1.85, 32)), line(np.linspace(1.55, end, 24))


def smooth(points: np.ndarray, n: int = 8, closed: bool = True) -> np.ndarray:
    """Draw a Catmull-Rom curve through the points (k, 2), n samples a span."""
    points = np.asarray(points, float)
    if closed:
        p = np.concatenate([points[-1:], points, points[:2]])
    else:
        p = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    u = np.linspace(0, 1, n, endpoint=False)[:, None]
    a, b, c, d = (p[i : len(p) - 3 + i, None] for i in range(4))
    curve = 0.5 * (2 * b + (c - a) * u + (2 * a - 5 * b + 4 * c - d) * u**2 + (3 * b - a - 3 * c + d) * u**3)
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])
