"""The predictor by what is named: two runs, stage 2 alone, or, where none is, the model that ships."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chestlib import devices
from chestlib.errors import ChestlibError
from chestlib.prediction import shipped
from chestlib.prediction.answers import Prediction
from chestlib.prediction.model import Film, Predictor, TwoStage, stack
from chestlib.train import Run

Place = str | os.PathLike[str]
"""A run folder."""

Made = tuple[str | None, tuple[str, ...], bool, bool]
"""What a predictor is made of: the run folders of both stages, where there are some, whether stage 1 is a gate, and
whether stage 2 sees the mirror image, too."""


class Shipped(Predictor):
    """The model that ships, as a predictor.

    Raises
    ------
    ChestlibError
        If its files are damaged.
    """

    def __init__(self) -> None:
        self.model = shipped.load()
        self.threshold: float = self.model.threshold
        self.thresholds = self.model.thresholds
        self.side = self.model.detector.settings.image_size
        self.sides = frozenset({self.side})
        self.device = devices.device()
        self.model.detector.to(self.device)

    def told(self) -> list[str]:
        """Say what it is and what it reached."""
        return [self.model.told()]

    def models(self) -> dict[str, Any]:
        """Say it of the one model."""
        card = self.model.card
        return {
            "models": {"shipped": card["name"]},
            "weights_sha256": {"shipped": card["weights_sha256"]},
            "trained_on": {"shipped": card["films"]},
            "reached": {name: card["reached"]["operating point"][name]["value"] for name in ("recall", "specificity")},
        }

    def say(self, films: Sequence[Film]) -> list[Prediction]:
        """Answer, and tell the films of which it knows nothing."""
        batch = stack([film.shown[self.side] for film in films], self.device)
        said = self.model(list(batch), [(film.width, film.height) for film in films])
        return [
            film.answered(round(answer.disease, 6), answer.disease >= self.threshold, answer.detections, answer.doubt)
            for film, answer in zip(films, said, strict=True)
        ]


def predictor(
    classifier: Place | None = None,
    detector: Place | Sequence[Place] | None = None,
    cascade: bool = False,
    flip: bool = False,
) -> Predictor:
    """Make the predictor of run folders, of stage 2 one or several; without any, that of the model that ships.

    Raises
    ------
    ChestlibError
        If a run is none, stage 1 is named alone, a cascade has no stage 1, runs cannot be fused, or the model that
        ships is to see mirror images.
    """
    several = [detector] if isinstance(detector, (str, os.PathLike)) else list(detector or ())
    if not several:
        if classifier is not None:
            raise ChestlibError(f"{os.fspath(classifier)}: stage 1 alone finds no boxes; name stage 2, too, or neither")
        if cascade:
            raise ChestlibError("a cascade needs stage 1; the model that ships has one look for both")
        if flip:
            raise ChestlibError("the model that ships has no thresholds for mirror images; name a run of stage 2")
        return Shipped()
    first = Run(Path(classifier)) if classifier is not None else None
    return TwoStage(first, [Run(Path(place)) for place in several], cascade, flip)


def made_of(model: Predictor) -> Made:
    """Tell another process what to give to :func:`predictor`."""
    runs = {kind: os.path.abspath(run.path) for kind, run in getattr(model, "runs", {}).items()}
    first = runs.pop("classifier", None)
    return first, tuple(runs.values()), model.cascade, model.flip
