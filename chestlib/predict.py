"""Both stages on image files: is there disease, and if so, what and where."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import chestlib
from chestlib import devices
from chestlib.console import Progress
from chestlib.data import images
from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.files import write_atomically, write_json
from chestlib.findings import COLOUR, NAME
from chestlib.train import Run, classifier, detector, load_classifier, load_detector
from chestlib.viewer import drawn

OVERLAY_SIDE = 1024
"""Longer side of an overlay at most, pixels."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """What both stages say of one file; `error` tells why a file could not be read, and then nothing else counts.

    `detections` is None when stage 1 gated stage 2 (`cascade`).
    """

    file: str
    width: int = 0
    height: int = 0
    disease_probability: float | None = None
    disease_present: bool | None = None
    detections: Detections | None = None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """One object of `predictions.json`."""
        return {
            "file": self.file,
            "width": self.width,
            "height": self.height,
            "disease_probability": self.disease_probability,
            "disease_present": self.disease_present,
            "detections": self.detections.to_list() if self.detections is not None else [],
            "error": self.error,
        }


class TwoStage:
    """The two-stage predictor.

    Parameters
    ----------
    classifier_run, detector_run : Run
        Finished trainings.
    cascade : bool
        Run stage 2 only where stage 1 says diseased: cheaper, and what stage 1 misses is lost.
    """

    def __init__(self, classifier_run: Run, detector_run: Run, cascade: bool = False) -> None:
        self.runs = {"classifier": classifier_run, "detector": detector_run}
        self.classifier, self.threshold = load_classifier(classifier_run)
        self.detector, self.thresholds = load_detector(detector_run)
        self.cascade = cascade
        self.device = devices.device()
        self.classifier.to(self.device)
        self.detector.to(self.device)

    def about(self) -> dict[str, Any]:
        """Models, thresholds and version: what stands beside the predictions."""
        return {
            "chestlib": chestlib.__version__,
            "models": {kind: str(run.path) for kind, run in self.runs.items()},
            "trained_on": {kind: run.read("settings")["data"] for kind, run in self.runs.items()},
            "disease_threshold": self.threshold,
            "finding_thresholds": self.thresholds,
            "cascade": self.cascade,
        }

    def __call__(self, pictures: Sequence[np.ndarray], names: Sequence[str]) -> list[Prediction]:
        """Predict for images (1, H, W) float32 in [0, 1], of any sizes."""
        if not pictures:
            return []
        probability = classifier.probabilities(self.classifier, self._stack(pictures, self.classifier))
        probability = probability.astype(float).round(6)  # as those were among which the threshold was chosen
        present = probability >= self.threshold
        look = [i for i in range(len(pictures)) if present[i] or not self.cascade]
        found: dict[int, Detections] = {}
        if look:
            batch = self._stack([pictures[i] for i in look], self.detector)
            sizes = [(pictures[i].shape[2], pictures[i].shape[1]) for i in look]
            found = dict(zip(look, detector.detect(self.detector, list(batch), sizes), strict=True))
        return [
            Prediction(
                name,
                picture.shape[2],
                picture.shape[1],
                float(probability[i]),
                bool(present[i]),
                found.get(i),
            )
            for i, (picture, name) in enumerate(zip(pictures, names, strict=True))
        ]

    def _stack(self, pictures: Sequence[np.ndarray], model: Any) -> torch.Tensor:
        small = np.stack([images.square(picture, model.settings.image_size) for picture in pictures])
        return torch.from_numpy(small)[:, None].float().div(255).to(self.device)


def predict(
    paths: Sequence[Path],
    model: TwoStage,
    out: Path,
    *,
    batch: int = 8,
    progress: Progress | None = None,
) -> list[Prediction]:
    """Predict for files and folders, and write `predictions.json`, `about.json` and an overlay PNG each into `out`.

    A file that cannot be read is kept as a prediction with its `error`; the others go on. If all are such files,
    nothing is written.
    """
    files = images.find(paths)
    results: list[Prediction] = []
    for at in range(0, len(files), batch):
        pictures: dict[Path, np.ndarray] = {}
        failed: dict[Path, Prediction] = {}
        for file in files[at : at + batch]:
            try:
                pictures[file] = images.read(file)
            except ChestlibError as error:
                failed[file] = Prediction(str(file), error=str(error))
        done = dict(zip(pictures, model(list(pictures.values()), [str(file) for file in pictures]), strict=True))
        for i, file in enumerate(files[at : at + batch]):
            prediction = done.get(file) or failed[file]
            results.append(prediction)
            if prediction.error is None:
                shown = (prediction.detections or Detections.empty()).for_display(model.thresholds)
                # The number keeps files of one name from several folders apart.
                _write_overlay(out / f"{at + i + 1:04d}-{file.stem}.png", pictures[file], shown)
        if progress:
            progress(len(results), len(files))
    if all(result.error for result in results):
        return results
    write_json(out / "about.json", model.about())
    write_json(out / "predictions.json", [result.to_json() for result in results])
    return results


def _write_overlay(path: Path, image: np.ndarray, found: Detections) -> None:
    """One radiograph (1, H, W) with its detections, as PNG."""
    names = [NAME[int(label)] for label in found.labels]
    rows = zip(found.boxes.tolist(), names, found.scores, strict=True)
    boxes = [(box, f"{name} {score:.2f}", COLOUR[name], False) for box, name, score in rows]
    buffer = io.BytesIO()
    drawn(image, boxes, OVERLAY_SIDE).save(buffer, "PNG")
    write_atomically(path, buffer.getvalue())
