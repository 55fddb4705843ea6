"""Bones of the chest, as attenuation beyond that of soft tissue."""

from __future__ import annotations

import numpy as np

from chestlib.phantom.anatomy import Frame, smooth
from chestlib.phantom.drawing import bands, blur, fill


def skeleton(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    """Ribs, spine, clavicles, scapulae and upper arms: (512, 512) float32; `rng` is that of the patient."""
    density = np.exp(0.15 * rng.normal())
    return density * blur(_ribs(frame) + _spine(frame, rng) + _shoulders(frame, rng), 0.6)


def _ribs(frame: Frame) -> np.ndarray:
    width = frame.anatomy.rib_width * frame.view.scale
    back, front = [], []
    for side in (-1, 1):
        for k in range(1, 11):
            behind, ahead = frame.rib(side, k)
            back += [(behind, width, 1.0), (behind, width - 5, 0.5)]
            if k < 8:
                front += [(ahead, 1.25 * width, 1.0), (ahead, 1.25 * width - 5, 0.7)]
    return 0.30 * bands(back) + 0.17 * blur(bands(front), 1.2)


def _spine(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    v = np.arange(-330, 1150, 30.0)
    bend = 6 * rng.normal() * np.sin(v / 260 + rng.uniform(0, 6))
    column = frame.to_image(np.stack([bend - 0.5 * frame.view.turn * 0.3, v], 1))
    scale = frame.view.scale
    pitch = 0.088 * frame.anatomy.lung_height
    discs, arches = [], []
    for centre in np.arange(-330.0, 1150, pitch) + rng.uniform(0, pitch):
        x = float(np.interp(centre, v, bend))
        discs.append((frame.to_image(np.array([(x - 31, centre), (x, centre + 3), (x + 31, centre)])), 9.0, 1.0))
        for side in (-1, 1):
            t = np.linspace(0, 2 * np.pi, 14)
            ring = np.stack([x + side * 17 + 6 * np.cos(t), centre + pitch / 2 + 9 * np.sin(t)], 1)
            arches.append((frame.to_image(ring), 4.0, 1.0))
        spine = np.array([(x, centre + 0.45 * pitch), (x, centre + 0.8 * pitch)])
        arches.append((frame.to_image(spine), 8.0, 1.0))
    body = bands([(column, 74 * scale, 1.0), (column, 62 * scale, 0.8)])
    return 0.36 * blur(body, 2.5) * (1 - 0.4 * blur(bands(discs), 1.2)) + 0.16 * blur(bands(arches), 1.0)


def _shoulders(frame: Frame, rng: np.random.Generator) -> np.ndarray:
    a, view = frame.anatomy, frame.view
    wide, width = frame.half_width, a.rib_width * view.scale
    lift = 16 * rng.normal()
    strokes, flats, heads = [], [], []
    for side in (-1, 1):
        inner = side * 32 + view.turn * 1.5
        knots = [(0, 74), (70, 52), (150, 34), (230, 10), (300, -6 + lift), (wide - 30, -2 + lift)]
        line = frame.to_image(smooth(np.array(knots) * (side, 1) + (inner, 0), closed=False))
        strokes += [(line, 1.15 * width, 1.0), (line, 1.15 * width - 9, 0.62)]
        # Scapula: a blade whose medial border and spine show, pulled off the lung by the raised shoulders.
        x = wide - 16 + 24 * rng.normal() + 0.15 * view.arm
        edge = [(x - 40, 70), (x - 58, 150), (x - 30, 330), (x + 4, 400), (x + 40, 330), (x + 80, 190), (x + 96, 60)]
        blade = frame.to_image(smooth(np.array([*edge, (x + 30, 30)]) * (side, 1)))
        flats.append(blade)
        strokes.append((blade[: len(blade) * 5 // 8], 6.0, 0.5))
        spine = np.array([(x - 44, 96), (x + 30, 60), (x + 100, 22 + lift)]) * (side, 1)
        strokes.append((frame.to_image(smooth(spine, closed=False)), 16.0, 0.5))
        # Humerus: a head in the socket, a shaft along the arm.
        x, y = x + 128, 92 + 0.5 * lift
        t = np.linspace(0, 2 * np.pi, 40)
        heads.append(frame.to_image(np.stack([side * (x + 52 * np.cos(t)), y + 52 * np.sin(t)], 1)))
        shaft = np.array([(x + 12, y + 20), (x + 20 + 0.2 * view.arm, y + 240), (x + 30 + view.arm, y + 900)])
        shaft = frame.to_image(smooth(shaft * (side, 1), closed=False))
        strokes += [(shaft, 46.0, 0.7), (shaft, 28.0, 0.4)]
    return 0.5 * bands(strokes) + 0.10 * blur(fill(flats), 1.5) + 0.25 * blur(fill(heads), 1.5)
