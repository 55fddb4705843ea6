"""`chestlib.predict`: films in, answers out, nothing written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from chestlib.console import tell
from chestlib.errors import ChestlibError
from chestlib.prediction.answers import Prediction
from chestlib.prediction.choice import predictor
from chestlib.prediction.stream import ask

Place = str | os.PathLike[str]
Given = Place | np.ndarray


def predict(
    images: Given | Iterable[Given], *, classifier: Place | None = None,
    detector: Place | Sequence[Place] | None = None, cascade: bool = False, flip: bool = False,
) -> list[Prediction]:  # fmt: skip
    """Say of chest X-rays whether there is disease, and what and where; not for clinical use.

    Parameters
    ----------
    images : path, array, or several of one kind
        Image files and folders of them; or grey arrays (H, W) or (1, H, W) in [0, 1].
    classifier, detector : path, optional
        Runs of stage 1 and stage 2; with neither, the model that ships with chestlib answers, and one line on standard
        error says what it is and what it reached on real films. Several of stage 2, of the same data and parts, answer
        together, by weighted box fusion.
    cascade : bool
        Stage 2 only where stage 1 says diseased.
    flip : bool
        Stage 2 sees the mirror image, too, and both answers are fused.

    Returns
    -------
    list of Prediction
        One a film: `disease_probability`, `disease_present`, `detections` in pixels of the film; `doubt` where the
        model knows nothing of such a picture; `error` where a file cannot be read.

    Raises
    ------
    ChestlibError
        If no image is found, an array is of another shape or range, or a run cannot be used.

    Examples
    --------
    >>> import chestlib
    >>> said = chestlib.predict("film.png")[0]  # doctest: +SKIP
    >>> said.disease_present, said.detections.above(0.3).to_list()  # doctest: +SKIP
    """
    given: Sequence[Given] = [images] if isinstance(images, (str, os.PathLike, np.ndarray)) else list(images)
    if wrong := next((one for one in given if not isinstance(one, (str, os.PathLike, np.ndarray))), None):
        raise ChestlibError(f"images: expected paths or NumPy arrays; got {type(wrong).__name__}")
    arrays = [_checked(one, f"image {i}") for i, one in enumerate(given, start=1) if isinstance(one, np.ndarray)]
    paths = [Path(one) for one in given if not isinstance(one, np.ndarray)]
    if not given or (arrays and paths):
        raise ChestlibError(
            "images: expected files and folders, or arrays, at least one; got " + ("both" if given else "none")
        )
    model = predictor(classifier, detector, cascade, flip)
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
