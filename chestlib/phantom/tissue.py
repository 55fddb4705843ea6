"""Beer-Lambert projection of the chest: how much of the beam each line through the patient takes away.

Attenuation is a line integral, sum of mu times length; mu of soft tissue is .17 / cm at 120 kVp, that of an air-filled
lung about a quarter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from chestlib.phantom.anatomy import Frame, smooth
from chestlib.phantom.drawing import HALF, bands, blur, dome, enlarge, texture
from chestlib.phantom.skeleton import skeleton
from chestlib.phantom.vessels import vessels

MU = 0.17
"""Of soft tissue, 1 / cm."""

LUNG = 0.26
"""Density of a lung, soft tissue = 1."""


@dataclass(frozen=True)
class Chest:
    """Line integrals through a chest without findings, (1024, 1024) float32."""

    attenuation: np.ndarray
    air: np.ndarray  # the part of it that the lungs' air takes away, >= 0


def project(frame: Frame) -> Chest:
    """Line integrals through one patient in one view."""
    a = frame.anatomy
    rng = np.random.default_rng([a.texture, 1])
    heart, branches = dome(_mediastinum(frame), 34), vessels(frame, rng)
    lungs = np.maximum(dome(frame.lung(-1), 165), dome(frame.lung(1), 165))
    lungs *= (1 - 0.8 * heart) * (1 - 0.5 * _hila(frame, rng))
    lungs = blur(lungs, 0.8)
    air = MU * (1 - LUNG) * 0.72 * a.depth * lungs
    tissue = MU * _body(frame) + skeleton(frame, rng)
    tissue += _front(frame, rng)
    air_elsewhere = 0.26 * _trachea(frame) + _stomach(frame, rng)
    air, rest = enlarge(air), enlarge(np.maximum(tissue - air_elsewhere, 0.1 * tissue))
    cloud = np.minimum(air, 1) * (branches + 0.04 * texture(rng))
    return Chest(np.maximum(rest - air, 0.06 * rest) + cloud + 0.010 * rest * texture(rng), air)


def _body(frame: Frame) -> np.ndarray:
    """Path length through trunk, neck, shoulders and arms, cm: (512, 512) float32."""
    a = frame.anatomy
    u, v = frame.grid(256)
    wide = frame.half_width + a.fat
    across = np.abs(u)
    knots = [-400, -200, 60, 330, 480, 760, 1100]
    wall = [120, 150, wide + 40, wide + 60, wide + 30, wide + 10 + 0.15 * a.fat, wide + 0.6 * a.fat]
    trunk_width = np.interp(v, knots, wall)
    top = np.clip((v + 150) / 330, 0, 1)
    trunk = _oval(across / trunk_width, 3.4) * a.depth * np.sqrt(1 - (1 - top) ** 2)
    neck_width = 116 + 0.45 * a.fat + 0.25 * np.clip(v + 120, 0, None)
    neck = _oval(across / neck_width, 2.6) * 13 * np.clip((250 - v) / 200, 0, 1)
    crest = np.interp(across, [0, 110, 200, 320, 430, 520, 600], [-330, -190, -84, -26, 8, 70, 220]) - 0.3 * a.fat
    girdle = np.sqrt(np.clip(1 - (1 - np.clip((v - crest) / 150, 0, 1)) ** 2, 0, None))
    girdle *= 14 * _oval(across / (wide + 190), 6) * np.clip((430 - v) / 190, 0, 1)
    arm_x = wide + 60 + np.interp(v, [0, 120, 1000], [0, 20 + 0.25 * frame.view.arm, 70 + frame.view.arm])
    radius = 72 + 0.3 * a.fat
    arms = _oval((across - arm_x) / radius, 2) * (7.5 + 0.035 * a.fat) * np.clip((v - 20) / 120, 0, 1)
    total = (trunk**3 + neck**3 + girdle**3) ** (1 / 3)
    return cv2.resize(np.maximum(total, 0) + arms, (HALF, HALF), interpolation=cv2.INTER_CUBIC).clip(0)


def _oval(x: np.ndarray, power: float) -> np.ndarray:
    return np.clip(1 - np.abs(x) ** power, 0, None) ** (1 / power)


def _mediastinum(frame: Frame) -> np.ndarray:
    a, view, h = frame.anatomy, frame.view, frame.height
    big = a.heart * (1.1 if view.ap else 1.0) / view.inspiration**0.5
    knob = 38 * a.unfolding
    left = [(40, -0.3), (42, -0.1), (44, 0.08), (48 + 0.4 * knob, 0.19), (52 + knob, 0.25), (50 + 0.9 * knob, 0.3)]
    left += [(52 + 0.4 * knob, 0.36), (72, 0.42), (90, 0.48), (146, 0.58), (206, 0.68), (240, 0.78), (246, 0.86)]
    left += [(216, 0.95), (90, 1.04)]
    right = [(60, 1.04), (92, 0.94), (108, 0.86), (114, 0.76), (104, 0.66), (80, 0.56), (66, 0.47), (62, 0.36)]
    right += [(58, 0.22), (52, 0.08), (42, -0.1), (40, -0.3)]

    def border(side: int, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(side * (x if t < 0.45 else 56 + (x - 56) * big) + 0.8 * view.turn, t * h) for x, t in points]

    return frame.to_image(smooth(np.array([*border(1, left), *border(-1, right)])))


def _hila(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    total = np.zeros((HALF, HALF), np.float32)
    t = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    for side in (-1, 1):
        r = 1 + 0.25 * rng.normal(size=12)
        s, y = 0.06 + 0.13 * r * np.cos(t), (0.44 if side < 0 else 0.41) + 0.085 * r * np.sin(t)
        total += dome(frame.lung_point(side, *smooth(np.stack([s, y], 1), 4).T), 40)
    return blur(total, 5)


def _trachea(frame: Frame) -> np.ndarray:
    x, h = 0.5 * frame.view.turn, frame.height
    points = [(x, -0.5 * h), (x, -0.1 * h), (x - 4, 0.12 * h), (x - 8, 0.29 * h)]
    line = frame.to_image(smooth(np.array(points), closed=False))
    return blur(bands([(line, 34 * frame.view.scale, 1.0)]), 1.4)


def _stomach(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Gas under the left dome."""
    t = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    s, r, level = rng.uniform(0.25, 0.6), rng.uniform(0.08, 0.2), 0.985 + 0.01 * rng.normal()
    shape = np.stack([s + r * np.cos(t), level + 0.32 * r * np.sin(t) * (1 + 0.2 * np.cos(3 * t))], 1)
    return rng.choice([0.0, 0.5, 0.9]) * dome(frame.lung_point(1, *smooth(shape, 4).T), 24)


def _front(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Breasts or pectoral muscles."""
    a = frame.anatomy
    total = np.zeros((HALF, HALF), np.float32)
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    for side in (-1, 1):
        wobble = 0.03 * rng.normal(size=2)
        if a.female:
            size = 0.75 + 0.25 * a.breast
            x, y = 0.62 + wobble[0] + 0.52 * size * np.cos(t), 0.76 + wobble[1] + 0.20 * size * np.sin(t)
            total += 0.34 * a.breast**0.7 * dome(frame.lung_point(side, x, y), 170)
        else:
            x, y = 0.75 + wobble[0] + 0.55 * np.cos(t + 0.3), 0.28 + wobble[1] + 0.25 * np.sin(t)
            total += 0.16 * dome(frame.lung_point(side, x, y), 200)
    return blur(total, 2.5)
