"""What a patient has, and where: findings of an image and their boxes, drawn without rendering.

Every number here is a parameter fitted to the 3,001 train records of ChestX-Det10 (arXiv:2006.10550); no record is
copied. Boxes are in px at 1024.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from chestlib.findings import FINDINGS, ID
from chestlib.phantom.anatomy import SIZE, Frame

# Maximum-entropy model of which findings occur together: log-odds of one finding, of a pair, and of none or >= 4.
_SINGLE = np.array([-2.02, -2.0, -0.62, -1.2, -3.6, -1.54, -2.45, -3.42, -1.78, -4.13])
_PAIR = (
    (),
    (-1.84,),
    (-1.12, -1.44),
    (0.57, -0.5, 1.66),
    (0.02, -0.98, -0.06, -0.03),
    (-0.92, -0.04, -0.47, -0.41, 2.17),
    (0.08, -0.41, 0.15, 0.31, -0.35, 0.18),
    (0.13, -0.42, 0.12, -0.25, 0.67, -0.12, -0.27),
    (-0.33, -0.37, -0.51, -0.38, -0.13, -0.65, 0.52, 1.31),
    (0.38, -0.03, 1.17, 0.59, 0.08, 0.42, 0.76, 0.35, -0.54),
)
_NONE, _MANY = 0.21, 0.19

GOLDEN = 0.6180339887498949
_SILVER = 0.4142135623730951
_LEVELS = (0.0, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98, 1.0)


class BoxLaw(NamedTuple):
    """How one finding's boxes are distributed."""

    side: tuple[float, ...]  # sqrt(area) at the quantiles of _LEVELS, px
    left: float  # share of single boxes on the right of the image (the patient's left)
    again: tuple[float, float, float]  # chance of a second box, of a third given a second, and of each further one
    across: float  # chance that the second box lies in the other lung
    aspect: tuple[float, float, float]  # log(height / width): at the mean log size, slope with it, standard deviation
    s: tuple[float, float, float]  # the same for the centre in lung coordinates
    t: tuple[float, float, float]


LAWS: dict[str, BoxLaw] = {
    "Atelectasis": BoxLaw(
        (36, 49, 82, 122, 167, 203, 252, 380, 450), 0.57, (0.157, 0.03, 0.0), 0.95,
        (-0.44, 0.86, 0.40), (0.60, -0.22, 0.16), (0.73, -0.13, 0.16)),
    "Calcification": BoxLaw(
        (9, 11, 15, 19, 28, 39, 67, 111, 150), 0.41, (0.393, 0.45, 0.45), 0.25,
        (0.13, 0.10, 0.31), (0.43, -0.21, 0.26), (0.49, -0.03, 0.24)),
    "Consolidation": BoxLaw(
        (50, 89, 145, 193, 260, 357, 423, 478, 520), 0.46, (0.526, 0.06, 0.1), 0.96,
        (0.31, 0.59, 0.35), (0.49, 0.02, 0.15), (0.59, 0.01, 0.17)),
    "Effusion": BoxLaw(
        (40, 52, 79, 131, 244, 328, 413, 479, 520), 0.56, (0.447, 0.03, 0.1), 0.97,
        (0.09, 0.12, 0.45), (0.65, -0.24, 0.15), (0.78, -0.14, 0.15)),
    "Emphysema": BoxLaw(
        (300, 317, 377, 405, 443, 481, 521, 568, 600), 0.88, (0.686, 0.0, 0.0), 1.0,
        (0.73, 0.25, 0.19), (0.49, 0.12, 0.1), (0.50, 0.04, 0.08)),
    "Fibrosis": BoxLaw(
        (30, 40, 64, 111, 194, 330, 400, 468, 500), 0.59, (0.444, 0.08, 0.1), 0.85,
        (0.22, 0.63, 0.5), (0.55, -0.13, 0.17), (0.49, -0.04, 0.21)),
    "Fracture": BoxLaw(
        (36, 42, 55, 62, 77, 93, 143, 243, 300), 0.44, (0.387, 0.46, 0.5), 0.47,
        (0.0, -0.19, 0.45), (0.65, -0.13, 0.26), (0.41, -0.13, 0.23)),
    "Mass": BoxLaw(
        (92, 98, 107, 126, 151, 178, 208, 305, 335), 0.46, (0.116, 0.15, 0.5), 0.6,
        (0.19, -0.07, 0.25), (0.43, 0.0, 0.21), (0.57, -0.1, 0.19)),
    "Nodule": BoxLaw(
        (14, 17, 25, 32, 45, 65, 90, 120, 140), 0.43, (0.42, 0.6, 0.75), 0.35,
        (0.09, 0.03, 0.23), (0.55, -0.06, 0.25), (0.56, 0.11, 0.24)),
    "Pneumothorax": BoxLaw(
        (30, 38, 74, 108, 159, 214, 278, 446, 500), 0.46, (0.097, 0.0, 0.0), 0.15,
        (-0.09, 0.10, 0.7), (0.47, -0.02, 0.2), (0.25, 0.0, 0.27)),
}  # fmt: skip

_CONTRAST = {"Mass": (0.068, 0.025), "Nodule": (0.018, 0.03)}
"""Mean and deviation of a lesion's contrast, grey in [0, 1] (283 boxes on 50 NIH radiographs)."""


@dataclass(frozen=True)
class Lesion:
    """One finding to be drawn so that it fills its box (x1, y1, x2, y2), px at 1024."""

    label: int
    side: int  # -1 left of the image, +1 right
    box: tuple[float, float, float, float]
    seed: int
    contrast: float | None = None  # grey in [0, 1] over what lies around; None: whatever the drawing gives


@cache
def _sets() -> tuple[np.ndarray, np.ndarray]:
    """List the 1,024 sets of findings (1024, 10), those alike side by side, and their cumulative probability."""
    n = len(FINDINGS)
    sets = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    pair = np.zeros((n, n))
    for i, row in enumerate(_PAIR):
        pair[i, :i] = row
    size = sets.sum(1)
    energy = sets @ _SINGLE + np.einsum("ni,ij,nj->n", sets, pair, sets) + _NONE * (size == 0) + _MANY * (size >= 4)
    p = np.exp(energy)
    return sets.astype(bool), np.cumsum(p / p.sum())


def findings_at(u: np.ndarray) -> np.ndarray:
    """Find the findings (n, 10) bool at quantiles u (n,) in [0, 1) of their joint distribution."""
    sets, cumulative = _sets()
    return sets[np.minimum(np.searchsorted(cumulative, u, side="right"), len(sets) - 1)]


def sample_lesions(rng: np.random.Generator, quantiles: dict[str, float], frame: Frame) -> list[Lesion]:
    """Lesions in a chest, each with the box it is to fill, of findings each given as a quantile of size in [0, 1).

    The quantile is that of the finding's first lesion; those of its others are spread from there.
    """
    lesions = []
    for name, due in quantiles.items():
        law, count = LAWS[name], 1
        while rng.random() < law.again[min(count, 3) - 1]:
            count += 1
        side = 1 if rng.random() < law.left else -1
        for k in range(count):
            if k > 0 and rng.random() < (law.across if k == 1 else 0.5):
                side = -side
            box, seed = _box(rng, name, side, frame, (due + k * _SILVER) % 1), int(rng.integers(2**31))
            contrast = float(rng.normal(*_CONTRAST[name])) if name in _CONTRAST else None
            lesions.append(Lesion(ID[name], side, box, seed, contrast))
    return lesions


def _box(
    rng: np.random.Generator, name: str, side: int, frame: Frame, quantile: float
) -> tuple[float, float, float, float]:
    law = LAWS[name]
    size = float(np.exp(np.interp(quantile, _LEVELS, np.log(law.side))))
    offset = np.log(size / np.exp(np.mean(np.log(law.side[1:-1]))))
    aspect, s, t = (m + slope * offset + sd * rng.normal() for m, slope, sd in (law.aspect, law.s, law.t))
    w, h = size * np.exp(-np.clip(aspect, -1.8, 1.8) / 2), size * np.exp(np.clip(aspect, -1.8, 1.8) / 2)
    (medial, y0), (lateral, y1) = frame.lung_point(side, -0.12, 0.0), frame.lung_point(side, 1.02, 1.02)
    x0, x1 = min(medial, lateral), max(medial, lateral)
    x, y = frame.lung_point(side, s, t)
    if name == "Effusion":  # gathers in the costophrenic angle
        x, y = lateral - side * (w / 2 + 14 * rng.normal()), y1 - h / 2 - 32 - 24 * rng.normal()
    if name == "Pneumothorax" and rng.random() < 0.75:  # rises to the apex
        x, y = lateral - side * (w / 2 + 90 + 20 * rng.normal()), y0 + h / 2 + 10 * rng.normal()
    w, h = min(w, x1 - x0), min(h, y1 - y0)
    x, y = np.clip(x, x0 + w / 2, x1 - w / 2), np.clip(y, y0 + h / 2, y1 - h / 2)
    if name == "Fracture":
        x, y = nearest_rib(frame, side, np.array([x, y]))[0]
    x, y = np.clip(x, w / 2 + 4, SIZE - 4 - w / 2), np.clip(y, h / 2 + 4, SIZE - 4 - h / 2)
    return float(x - w / 2), float(y - h / 2), float(x + w / 2), float(y + h / 2)


def nearest_rib(frame: Frame, side: int, point: np.ndarray) -> tuple[np.ndarray, float]:
    """Find the point of a rib nearest to `point` (2,), and the rib's direction there, radians."""
    lines = [line for k in range(2, 10) for line in frame.rib(side, k)]
    at = np.concatenate([line[1:-1] for line in lines])
    along = np.concatenate([line[2:] - line[:-2] for line in lines])
    i = int(np.argmin(((at - point) ** 2).sum(1)))
    return at[i], float(np.arctan2(along[i, 1], along[i, 0]))
