"""One phantom radiograph: a patient, a visit, its findings."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from chestlib.data import Record
from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS
from chestlib.phantom.anatomy import SIZE, Frame, sample_anatomy, sample_view
from chestlib.phantom.film import expose
from chestlib.phantom.lesions import draw
from chestlib.phantom.sampling import GOLDEN, Lesion, findings_at, sample_lesions
from chestlib.phantom.tissue import project

_BLOCK = 256
"""Images whose findings and sizes are spread together."""


@dataclass(frozen=True)
class Visit:
    """One image of one patient.

    Parameters
    ----------
    patient : tuple of int
        Seed of the anatomy.
    number : int
        Which visit, from 0.
    index : int
        Which image of its series: a low-discrepancy sequence over the index spreads findings and sizes evenly, so
        that even some dozens of images show them in their true shares.
    """

    patient: tuple[int, ...]
    number: int
    index: int


def plan_visit(visit: Visit) -> tuple[Frame, list[Lesion], np.random.Generator]:
    """Plan what a visit will show, before it is drawn: the chest in its view, the lesions, the rest of the chance."""
    view, lesions, rest = (np.random.default_rng([*visit.patient, k, visit.number]) for k in (1, 2, 3))
    frame = Frame(sample_anatomy(np.random.default_rng([*visit.patient, 0])), sample_view(view))
    return frame, sample_lesions(lesions, _spread(visit), frame), rest


def _spread(visit: Visit) -> dict[str, float]:
    """Choose the findings of an image, each with the quantile of size that its next box is due.

    The golden ratio spreads the findings over the images of a series, and the sizes over those with the finding.
    """
    first = visit.index - visit.index % _BLOCK
    offset, *sizes = np.random.default_rng([*visit.patient[:-1], 4, first]).random(1 + len(FINDINGS))
    shown = findings_at((offset + np.arange(visit.index - first + 1) * GOLDEN) % 1)
    due = (np.array(sizes) + shown[:-1].sum(0) * GOLDEN) % 1
    return {FINDINGS[i]: float(due[i]) for i in np.flatnonzero(shown[-1])}


def render_visit(visit: Visit, size: int = SIZE, findings: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image (size, size) uint8, boxes (n, 4) float32 in its pixels, labels (n,) int64."""
    frame, lesions, rng = plan_visit(visit)
    chest = project(frame)
    exposure = expose(frame, chest, rng)
    grey, boxes, labels = draw(chest, exposure, frame, lesions if findings else [])
    image = exposure.develop(grey)
    if size != SIZE:
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if size < SIZE else cv2.INTER_CUBIC)
        boxes = boxes * np.float32(size / SIZE)
        boxes = np.concatenate([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])], axis=1)
    return image, boxes, labels


def render(seed: int, size: int = SIZE, findings: bool = True) -> tuple[np.ndarray, Record]:
    """Draw one phantom radiograph.

    Parameters
    ----------
    seed : int
        0 or more. The same seed gives the same picture everywhere; consecutive seeds follow the real shares of
        findings closely.
    size : int
        Side, px. Every size is the same picture, scaled from 1024.
    findings : bool
        False draws the same chest, noise included, without its findings.

    Returns
    -------
    image : (size, size) uint8
    record : Record
        Boxes in pixels of `image`.

    Raises
    ------
    ChestlibError
        If the seed is negative or the size is not from 32 to 4096.
    """
    if seed < 0 or not 32 <= size <= 4096:
        raise ChestlibError(f"phantom: expected seed >= 0 and size from 32 to 4096; got seed {seed}, size {size}")
    image, boxes, labels = render_visit(Visit((seed,), 0, seed), size, findings)
    return image, Record(f"{seed:05d}.png", boxes, labels, f"{seed:05d}")
