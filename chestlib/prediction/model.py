"""The predictor: is there disease, and if so, what and where."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import chestlib
from chestlib import devices
from chestlib.data import images
from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.files import sha256
from chestlib.metrics import fuse
from chestlib.prediction.answers import Prediction
from chestlib.train import Classifier, Run, classifier, detector, load_classifier, load_detector, points_together


@dataclass(frozen=True, eq=False)
class Film:
    """A radiograph as the models are shown it; its full size is let go of.

    `shown` are (S, S) uint8 by their side S; width and height are the original's.
    """

    file: str
    width: int
    height: int
    shown: dict[int, np.ndarray]
    bytes: int = 0
    mtime_ns: int = 0

    def answered(
        self, probability: float | None, present: bool | None, found: Detections | None, doubt: str = ""
    ) -> Prediction:
        """Put under the film's name what was said of it."""
        return Prediction(
            self.file, self.width, self.height, probability, present, found, doubt=doubt, bytes=self.bytes,
            mtime_ns=self.mtime_ns,
        )  # fmt: skip


class Predictor(ABC):
    """What is asked about films: it shrinks them, and answers for as many at once as it is given."""

    cascade = False
    flip = False
    threshold: float | None = None
    thresholds: dict[str, float]
    sides: frozenset[int]
    """Pixels a side of what the models are shown."""

    @abstractmethod
    def models(self) -> dict[str, Any]:
        """Say of each model where it lies, what its weights are, and what it learnt from."""

    @abstractmethod
    def say(self, films: Sequence[Film]) -> list[Prediction]:
        """Answer for films in one batch."""

    def told(self) -> list[str]:
        """Say in a line what answers, where no run was named that would say it."""
        return []

    def about(self) -> dict[str, Any]:
        """Models, thresholds and version: what stands beside the predictions."""
        return {
            "chestlib": chestlib.__version__,
            **self.models(),
            "disease_threshold": self.threshold,
            "finding_thresholds": self.thresholds,
            "cascade": self.cascade,
            **({"flip": True} if self.flip else {}),
        }

    def __call__(self, pictures: Sequence[np.ndarray], names: Sequence[str]) -> list[Prediction]:
        """Predict for images (1, H, W) float32 in [0, 1], of any sizes."""
        return self.answer([self._film(name, picture) for picture, name in zip(pictures, names, strict=True)])

    def read(self, file: str) -> Film | Prediction:
        """Read a film and shrink it; a prediction with its `error` where that cannot be done."""
        try:
            state = Path(file).stat()  # before it is read: a change afterwards will be noticed
            return self._film(file, images.read(Path(file)), state.st_size, state.st_mtime_ns)
        except ChestlibError as error:
            return Prediction(file, error=str(error))
        except OSError as error:
            return Prediction(file, error=f"{file}: cannot be read ({error.strerror})")

    def answer(self, films: Sequence[Film | Prediction]) -> list[Prediction]:
        """Predict for films in one batch; errors of :meth:`read` among them stay as they are."""
        readable = [film for film in films if isinstance(film, Film)]
        said = iter(self.say(readable) if readable else [])
        return [next(said) if isinstance(film, Film) else film for film in films]

    def _film(self, name: str, picture: np.ndarray, size: int = 0, mtime_ns: int = 0) -> Film:
        shown = {side: images.square(picture, side) for side in self.sides}
        return Film(name, picture.shape[2], picture.shape[1], shown, size, mtime_ns)


class TwoStage(Predictor):
    """The two-stage predictor of two runs, or of one of stage 1 and several of stage 2.

    Parameters
    ----------
    classifier_run, detector_run : Run
        Finished trainings. Without the first, stage 2 works alone, as where no normal film was there to learn from.
        Several of stage 2, of the same data and parts, answer together, by weighted box fusion.
    cascade : bool
        Run stage 2 only where stage 1 says diseased: cheaper, and what stage 1 misses is lost.
    flip : bool
        Show stage 2 the film's mirror image, too, and fuse both answers: better, at twice the price of stage 2.

    Raises
    ------
    ChestlibError
        If a run cannot be used, or not together with the others; see :func:`chestlib.train.said_together`.
    """

    def __init__(
        self, classifier_run: Run | None, detector_run: Run | Sequence[Run], cascade: bool = False, flip: bool = False
    ) -> None:
        if cascade and not classifier_run:
            raise ChestlibError("a cascade needs stage 1; give --classifier, or leave --cascade out")
        several = [detector_run] if isinstance(detector_run, Run) else list(detector_run)
        self.runs = {"classifier": classifier_run} if classifier_run else {}
        self.runs |= {f"detector {i}" if i > 1 else "detector": run for i, run in enumerate(several, start=1)}
        points = points_together(several, flip) if len(several) > 1 or flip else None
        self.classifier: Classifier | None = None
        if classifier_run:
            self.classifier, self.threshold = load_classifier(classifier_run)
        loaded = [load_detector(run) for run in several]
        self.detectors = [module for module, _ in loaded]
        self.thresholds = points["thresholds"] if points else loaded[0][1]
        self.cascade, self.flip = cascade, flip
        models = [*filter(None, [self.classifier]), *self.detectors]
        self.sides = frozenset(module.settings.image_size for module in models)
        self.device = devices.device()
        for module in models:
            module.to(self.device)

    def models(self) -> dict[str, Any]:
        """Say it of all runs."""
        return {
            "models": {kind: str(run.path) for kind, run in self.runs.items()},
            "weights_sha256": {kind: sha256(run.best) for kind, run in self.runs.items()},
            "trained_on": {kind: run.read("settings").get("data") for kind, run in self.runs.items()},
        }

    def say(self, films: Sequence[Film]) -> list[Prediction]:
        """Ask stage 1, and stage 2 unless a cascade spares it."""
        probability = self._probabilities(films)
        present = [None if p is None else p >= self.threshold for p in probability]
        look = [i for i in range(len(films)) if present[i] or not self.cascade]
        found: dict[int, Detections] = {}
        if look:
            found = dict(zip(look, self._found([films[i] for i in look]), strict=True))
        return [film.answered(probability[i], present[i], found.get(i)) for i, film in enumerate(films)]

    def _found(self, films: Sequence[Film]) -> list[Detections]:
        """Ask each detector of stage 2 of each view, and fuse what they say of a film."""
        sizes, views = [(film.width, film.height) for film in films], []
        sides = (False, True) if self.flip else (False,)
        for module in self.detectors:
            batch = stack([film.shown[module.settings.image_size] for film in films], self.device)
            views += [detector.detect(module, list(batch), sizes, mirror) for mirror in sides]
        return [fuse(said) for said in zip(*views, strict=True)]

    def _probabilities(self, films: Sequence[Film]) -> Sequence[Any]:
        """Ask stage 1, if there is one, rounded like those among which the threshold was chosen."""
        if not self.classifier:
            return [None] * len(films)
        pictures = stack([film.shown[self.classifier.settings.image_size] for film in films], self.device)
        return list(classifier.probabilities(self.classifier, pictures).astype(float).round(6).tolist())


def stack(pictures: Sequence[np.ndarray], device: str) -> torch.Tensor:
    """Make the models' input of images (S, S) uint8; (n, 1, S, S) float32 in [0, 1]."""
    return torch.from_numpy(np.stack(pictures))[:, None].float().div(255).to(device)
