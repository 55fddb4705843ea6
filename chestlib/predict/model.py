"""The predictor: is there disease, and if so, what and where."""

from __future__ import annotations

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
from chestlib.predict.answers import Prediction
from chestlib.train import Classifier, Run, classifier, detector, load_classifier, load_detector


@dataclass(frozen=True, eq=False)
class Film:
    """A radiograph as the models are shown it; its full size is let go of.

    `stage1` (None where there is no such stage) and `stage2` are (S, S) uint8; width and height are the original's.
    """

    file: str
    width: int
    height: int
    stage1: np.ndarray | None
    stage2: np.ndarray
    bytes: int = 0
    mtime_ns: int = 0


class TwoStage:
    """The two-stage predictor.

    Parameters
    ----------
    classifier_run, detector_run : Run
        Finished trainings. Without the first, stage 2 works alone, as where no normal film was there to learn from.
    cascade : bool
        Run stage 2 only where stage 1 says diseased: cheaper, and what stage 1 misses is lost.
    """

    def __init__(self, classifier_run: Run | None, detector_run: Run, cascade: bool = False) -> None:
        if cascade and not classifier_run:
            raise ChestlibError("a cascade needs stage 1; give --classifier, or leave --cascade out")
        self.runs = {"classifier": classifier_run} if classifier_run else {}
        self.runs["detector"] = detector_run
        self.classifier: Classifier | None = None
        self.threshold: float | None = None
        if classifier_run:
            self.classifier, self.threshold = load_classifier(classifier_run)
        self.detector, self.thresholds = load_detector(detector_run)
        self.cascade = cascade
        self.device = devices.device()
        for module in filter(None, (self.classifier, self.detector)):
            module.to(self.device)

    def about(self) -> dict[str, Any]:
        """Models, thresholds and version: what stands beside the predictions."""
        return {
            "chestlib": chestlib.__version__,
            "models": {kind: str(run.path) for kind, run in self.runs.items()},
            "weights_sha256": {kind: sha256(run.best) for kind, run in self.runs.items()},
            "trained_on": {kind: run.read("settings").get("data") for kind, run in self.runs.items()},
            "disease_threshold": self.threshold,
            "finding_thresholds": self.thresholds,
            "cascade": self.cascade,
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
        said = iter(self._say(readable) if readable else [])
        return [next(said) if isinstance(film, Film) else film for film in films]

    def _film(self, name: str, picture: np.ndarray, size: int = 0, mtime_ns: int = 0) -> Film:
        stage1 = images.square(picture, self.classifier.settings.image_size) if self.classifier else None
        stage2 = images.square(picture, self.detector.settings.image_size)
        return Film(name, picture.shape[2], picture.shape[1], stage1, stage2, size, mtime_ns)

    def _say(self, films: list[Film]) -> list[Prediction]:
        probability = self._probabilities(films)
        present = [None if p is None else p >= self.threshold for p in probability]
        look = [i for i in range(len(films)) if present[i] or not self.cascade]
        found: dict[int, Detections] = {}
        if look:
            batch = self._stack([films[i].stage2 for i in look])
            sizes = [(films[i].width, films[i].height) for i in look]
            found = dict(zip(look, detector.detect(self.detector, list(batch), sizes), strict=True))
        return [
            Prediction(
                film.file, film.width, film.height, probability[i], present[i], found.get(i),
                bytes=film.bytes, mtime_ns=film.mtime_ns,
            )
            for i, film in enumerate(films)
        ]  # fmt: skip

    def _probabilities(self, films: list[Film]) -> Sequence[Any]:
        """Ask stage 1, if there is one, rounded like those among which the threshold was chosen."""
        if not self.classifier:
            return [None] * len(films)
        pictures = self._stack([film.stage1 for film in films if film.stage1 is not None])
        return list(classifier.probabilities(self.classifier, pictures).astype(float).round(6).tolist())

    def _stack(self, pictures: Sequence[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.stack(pictures))[:, None].float().div(255).to(self.device)
