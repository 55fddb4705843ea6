"""`chestlib.predict`: films in, answers out, nothing written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from chestlib.console import tell
from chestlib.errors import ChestlibError
from chestlib.prediction.answers import Prediction
from chestlib.prediction.shipped import predictor
from chestlib.prediction.stream import ask

Given = str | os.PathLike[str] | np.ndarray


def call(
    images: Given | Iterable[Given],
    classifier: str | os.PathLike[str] | None = None,
    detector: str | os.PathLike[str] | None = None,
    cascade: bool = False,
) -> list[Prediction]:
    """Do as :func:`chestlib.predict` says."""
    given: Sequence[Given] = [images] if isinstance(images, (str, os.PathLike, np.ndarray)) else list(images)
    arrays = [_checked(one, f"image {i}") for i, one in enumerate(given, start=1) if isinstance(one, np.ndarray)]
    paths = [Path(one) for one in given if not isinstance(one, np.ndarray)]
    if not given or (arrays and paths):
        raise ChestlibError(
            "images: expected files and folders, or arrays, at least one; got " + ("both" if given else "none")
        )
    model = predictor(classifier, detector, cascade)
    tell("chestlib", model.told())
    if paths:
        return list(ask(paths, model))
    return [said for i, array in enumerate(arrays, start=1) for said in model([array], [f"image {i}"])]


def _checked(image: np.ndarray, name: str) -> np.ndarray:
    """Take a grey image as (1, H, W) float32."""
    shown = np.asarray(image, np.float32)
    shown = shown[None] if shown.ndim == 2 else shown
    if shown.ndim != 3 or shown.shape[0] != 1 or 0 in shown.shape:
        raise ChestlibError(f"{name}: expected (H, W) or (1, H, W), grey; got {image.shape}")
    if not (shown.min() >= 0 and shown.max() <= 1):  # NaN too
        raise ChestlibError(f"{name}: grey values lie in [0, 1]; got {shown.min():.4g} to {shown.max():.4g}")
    return shown
