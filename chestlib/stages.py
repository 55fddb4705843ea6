"""From a data folder to a finished run, for both stages: split, train, choose thresholds on val, score test once."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

import chestlib
from chestlib import classifier, detector, devices, images, metrics, splits
from chestlib.annotations import Record
from chestlib.classifier import Classifier
from chestlib.datasets import XrayDataset, collate_boxes, repeat_factors
from chestlib.detections import Detections
from chestlib.detector import Detector
from chestlib.errors import ChestlibError
from chestlib.files import first_process
from chestlib.findings import FINDINGS
from chestlib.runs import Run
from chestlib.settings import ClassifierSettings, DetectorSettings, FitSettings, to_json
from chestlib.sources import DataFolder
from chestlib.splits import Split
from chestlib.training import Progress, fit, load_checkpoint, load_weights

S = TypeVar("S")
M = TypeVar("M", Classifier, Detector)


def _about(
    run: Run, kind: str, data: DataFolder, split: Split, settings: FitSettings, profile: str, resume: bool
) -> dict[str, Any]:
    """What the run is; a resumed run must be the same one."""
    about = {
        "kind": kind,
        "profile": profile,
        "settings": to_json(settings),
        "data": {"name": data.root.resolve().name, "synthetic": data.synthetic, "missing": data.missing},
        "split": {"name": split.name, "seed": split.seed}
        | {part: len(getattr(split, part)) for part in ("train", "val", "test")},
    }
    if run.settings_file.is_file() and first_process():  # the other processes join a run that has begun
        if not resume:
            raise ChestlibError(f"{run.path}: holds a run already; go on with --resume, or name another folder")
        before = run.read("settings")
        if differing := [key for key in about if before.get(key) != about[key]]:
            raise ChestlibError(
                f"{run.settings_file}: the run to resume has other {', '.join(differing)}; use another folder"
            )
    return about


def _begin(run: Run, about: dict[str, Any], split: Split) -> None:
    """Write what the run is, unless it goes on."""
    if not run.settings_file.is_file() and first_process():
        run.write("split", split.to_json())
        run.write("settings", about | {"versions": versions(), "device": devices.name()})


def versions() -> dict[str, str]:
    """Versions that a result depends on."""
    import lightning
    import torchvision

    return {
        "chestlib": chestlib.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "lightning": lightning.__version__,
        "numpy": np.__version__,
    }


def train_classifier(
    data: DataFolder,
    run: Run,
    settings: ClassifierSettings,
    *,
    split: Split | None = None,
    profile: str = "quick",
    resamples: int = 1000,
    cache: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    **trainer_options: Any,
) -> Run:
    """Stage 1 from data to a finished run.

    Parameters
    ----------
    resamples : int
        Bootstrap resamples, by patient, for the 95 % intervals on test.
    cache : Path
        Folder of the image cache; default `cache` beside the run, since data may be read-only.
    resume : bool
        Go on with the run that is there.

    Raises
    ------
    TooSmall
        If a part is too small to train or to score.
    ChestlibError
        If the run folder holds another run, or the training fails in a way that the user can mend.
    """
    split = split or splits.default(data.train, data.test, settings.seed)
    splits.require_trainable(split, data.root)
    about = _about(run, "classifier", data, split, settings, profile, resume)
    if run.finished:
        return run
    start = time.monotonic()
    cache = cache or run.path.parent / "cache"
    parts = {
        part: XrayDataset(
            getattr(split, part), settings.image_size, cache, boxes=False,
            augment=settings.augment if part == "train" else 0.0,
        )
        for part in ("train", "val", "test")
    }  # fmt: skip
    _begin(run, about, split)  # now that every image has been read
    module = Classifier(settings, classifier.pos_weight(split.train))
    fit(
        run,
        module,
        parts["train"],
        parts["val"],
        monitor="val_recall",
        resume=resume,
        progress=progress,
        **trainer_options,
    )
    seconds = time.monotonic() - start
    load_weights(module, run.best)
    predicted = {part: _classify(module, parts[part]) for part in ("val", "test")}
    run.write(
        "predictions",
        {
            part: [
                {"file": r.file_name, "disease_probability": round(float(p), 6)}
                for r, p in zip(getattr(split, part), predicted[part], strict=True)
            ]
            for part in predicted
        },
    )
    truth = {part: np.array([r.diseased for r in getattr(split, part)]) for part in predicted}
    floor = settings.specificity_floor
    normals = int((~truth["val"]).sum())
    # A floor that val just keeps is missed on test every other time: aim one standard error higher.
    aim = max(floor, min(floor + (floor * (1 - floor) / max(1, normals)) ** 0.5, 1 - 1 / max(1, normals)))
    point = metrics.threshold_at_floor(truth["val"], predicted["val"], aim)
    chosen = {"threshold": point.threshold, "chosen_on": "val", "floor": floor, "aim": round(aim, 4)}
    run.write("operating_point", chosen | {"sensitivity": point.sensitivity, "specificity": point.specificity})
    patients = [r.patient or r.file_name for r in split.test]
    run.write(
        "test",
        {
            "images": len(split.test),
            "seconds_training": round(seconds, 1),
            "scores": metrics.binary_scores(truth["test"], predicted["test"], point.threshold),
            "intervals": metrics.binary_intervals(
                truth["test"], predicted["test"], point.threshold, patients, resamples=resamples, seed=settings.seed
            ),
        },
    )
    return run


@torch.no_grad()
def _classify(module: Classifier, dataset: XrayDataset, batch: int = 64) -> np.ndarray:
    chunks = [
        classifier.probabilities(
            module, torch.stack([dataset.image(i) for i in range(at, min(at + batch, len(dataset)))])
        )
        for at in range(0, len(dataset), batch)
    ]
    return np.concatenate(chunks)


def train_detector(
    data: DataFolder,
    run: Run,
    settings: DetectorSettings,
    *,
    split: Split | None = None,
    profile: str = "quick",
    resamples: int = 1000,
    cache: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    **trainer_options: Any,
) -> Run:
    """Stage 2 from data to a finished run; parameters and errors as of :func:`train_classifier`."""
    split = split or splits.default(data.train, data.test, settings.seed)
    splits.require_trainable(split, data.root)
    about = _about(run, "detector", data, split, settings, profile, resume)
    if run.finished:
        return run
    start = time.monotonic()
    cache = cache or run.path.parent / "cache"
    parts = {
        part: XrayDataset(
            getattr(split, part), settings.image_size, cache, boxes=True,
            augment=settings.augment if part == "train" else 0.0,
        )
        for part in ("train", "val", "test")
    }  # fmt: skip
    _begin(run, about, split)
    module = Detector(settings)
    factors = repeat_factors(split.train, settings.repeat_threshold) if settings.repeat_threshold else None
    fit(run, module, parts["train"], parts["val"], monitor="val_AP50", collate=collate_boxes, factors=factors,
        resume=resume, progress=progress, **trainer_options)  # fmt: skip
    seconds = time.monotonic() - start
    load_weights(module, run.best)
    found = {part: _detect(module, parts[part]) for part in ("val", "test")}
    run.write("predictions", {part: {name: d.to_list() for name, d in found[part].items()} for part in found})
    thresholds = metrics.choose_thresholds(split.val, found["val"])
    run.write("operating_point", {"thresholds": thresholds, "chosen_on": "val"})
    scores = metrics.evaluate(split.test, found["test"], thresholds=thresholds, bootstrap=resamples, seed=settings.seed)
    run.write("test", {"images": len(split.test), "seconds_training": round(seconds, 1), "scores": scores})
    return run


def _detect(module: Detector, dataset: XrayDataset, batch: int = 8) -> dict[str, Detections]:
    found: dict[str, Detections] = {}
    for at in range(0, len(dataset), batch):
        records: Sequence[Record] = dataset.records[at : at + batch]
        pictures = [dataset.image(at + i) for i in range(len(records))]
        sizes = [images.size(record.path) for record in records if record.path]  # all have one, as in training
        for record, detections in zip(records, detector.detect(module, pictures, sizes), strict=True):
            # As predictions.json rounds them, so that who scores that file gets the run's figures.
            found[record.file_name] = Detections.from_list(detections.to_list())
    return found


def load_classifier(run: Run) -> tuple[Classifier, float]:
    """The trained stage 1 of a run, ready to predict, and its threshold."""
    module = _load(run, "classifier", ClassifierSettings, Classifier)
    (threshold,) = _thresholds(run, lambda point: [point["threshold"]])
    return module, threshold


def load_detector(run: Run) -> tuple[Detector, dict[str, float]]:
    """The trained stage 2 of a run, ready to predict, and its threshold for each finding."""
    module = _load(run, "detector", DetectorSettings, partial(Detector, pretrained=False))
    return module, dict(
        zip(FINDINGS, _thresholds(run, lambda point: [point["thresholds"][f] for f in FINDINGS]), strict=True)
    )


def _load(run: Run, kind: str, settings: type[S], build: Callable[[S], M]) -> M:
    chosen = run.require(kind, checkpoint=True).settings(settings)
    state = load_checkpoint(run.best)["state_dict"]
    try:
        with torch.device("meta"):  # no memory is taken for a model that the weights do not fill
            shapes = {name: value.shape for name, value in build(chosen).state_dict().items()}
    except Exception as error:
        raise ChestlibError(f"{run.settings_file}: no model can be built like this ({error}); train again") from None
    if shapes != {name: value.shape for name, value in state.items()}:
        raise ChestlibError(f"{run.best}: weights of another model than {run.settings_file} describes; train again")
    module = build(chosen)
    module.load_state_dict(state)
    return module.eval()


def _thresholds(run: Run, choose: Callable[[dict[str, Any]], list[Any]]) -> list[float]:
    """Those that a run chose on val."""
    try:
        found = choose(run.read("operating_point"))
        if all(type(value) in (int, float) and abs(value) <= 2 for value in found):
            return found
    except (KeyError, TypeError):
        pass
    file = run.path / "operating_point.json"
    raise ChestlibError(f"{file}: lacks the thresholds that a training chooses; train again")
