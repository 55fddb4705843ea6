"""From a data folder to a finished run, one body for both stages: train, choose on val, score test once."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import chestlib
from chestlib import devices, metrics
from chestlib.console import Progress
from chestlib.data import DataFolder, Identity, Record, Split, identify, patient_groups, splits
from chestlib.detections import Detections
from chestlib.errors import ChestlibError, Interrupted
from chestlib.files import first_process
from chestlib.settings import ClassifierSettings, DetectorSettings, to_json
from chestlib.train import classifier, detector, together
from chestlib.train.classifier import Classifier
from chestlib.train.datasets import XrayDataset, collate_boxes, repeat_factors
from chestlib.train.detector import Detector
from chestlib.train.load import load_weights
from chestlib.train.operating import finding_points, operating_point
from chestlib.train.run import Run
from chestlib.train.trainer import RESUME, fit

Settings = ClassifierSettings | DetectorSettings


@dataclass(frozen=True)
class Stage:
    """What the two trainings do not share.

    Parameters
    ----------
    monitor : str
        The validation figure that chooses the checkpoint.
    build : callable
        Settings and split to the module to be trained.
    predict : callable
        Module and data set to what the model says of each image, in order, as predictions.json rounds it.
    saved : callable
        Records and predictions to what predictions.json holds of a part.
    choose : callable
        Records and predictions of val, and the settings, to the operating point.
    score : callable
        Records and predictions of test, the operating point and options of the bootstrap, to scores (and intervals).
    loader : callable
        Split and settings to further options of :func:`chestlib.train.trainer.fit`.
    beside : callable
        Module, split and data sets to what else the run keeps, by the names of its files.
    """

    kind: str
    boxes: bool
    monitor: str
    build: Callable[[Any, Split], Any]
    predict: Callable[[Any, XrayDataset], Any]
    saved: Callable[[Sequence[Record], Any], Any]
    choose: Callable[[Sequence[Record], Any, Any], dict[str, Any]]
    score: Callable[[Sequence[Record], Any, dict[str, Any], int, int], dict[str, Any]]
    loader: Callable[[Split, Any], dict[str, Any]] = lambda split, settings: {}
    beside: Callable[[Any, Split, dict[str, XrayDataset]], dict[str, Any]] = lambda module, split, parts: {}


def train_stage(
    data: DataFolder,
    run: Run,
    settings: Settings,
    *,
    split: Split | None = None,
    resamples: int = 1000,
    cache: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    **trainer_options: Any,
) -> Run:
    """Train one stage, from data to a finished run.

    Parameters
    ----------
    settings : ClassifierSettings or DetectorSettings
        Their type says which stage.
    resamples : int
        Bootstrap resamples, by patient, for the 95 % intervals on test.
    cache : Path
        Folder of the image cache; default `cache` beside the run, since data may be read-only.
    resume : bool
        Go on with the run that is there.
    trainer_options
        As of :func:`chestlib.train.trainer.fit`. With `num_nodes=2` each node runs this program, on a file system
        that they share, with MASTER_ADDR, MASTER_PORT and its own NODE_RANK in its environment; all but one process
        end with the training.

    Raises
    ------
    TooSmall
        If a part is too small to train or to score.
    ChestlibError
        If the run folder holds another run, another process trains it, or the training fails in a way that the user
        can mend.
    Interrupted
        After SIGINT or SIGTERM.
    """
    stage = STAGES[type(settings)]
    settings = replace(settings, findings=data.findings) if isinstance(settings, DetectorSettings) else settings
    split = (split or splits.default(data.train, data.test, settings.seed)).known(stage.boxes)
    splits.require_trainable(split, data.root, getattr(settings, "specificity_floor", None), missing=data.missing)
    cache = cache or run.cache
    try:
        with run.alone():
            about = _about(run, stage.kind, data, split, identify(split, cache), settings, resume)
            if not run.finished:
                parts = _parts(stage, split, settings, cache)
                module, options = stage.build(settings, split), stage.loader(split, settings) | trainer_options
                _begin(run, about, split, settings)  # now that images are read, and weights to start from are here
                own: dict[str, Any] = {"monitor": stage.monitor, "resume": resume, "progress": progress}
                fit(run, module, parts["train"], parts["val"], **own, **options)
                _score(run, stage, module, split, parts, resamples)
    except KeyboardInterrupt:
        raise Interrupted(f"{run.path}: interrupted; {RESUME}") from None
    if not first_process():
        sys.exit()
    return run


def _score(run: Run, stage: Stage, module: Any, split: Split, parts: dict[str, XrayDataset], resamples: int) -> None:
    """Choose on val, score test, and finish the run."""
    load_weights(module, run.best)
    said = {part: stage.predict(module, parts[part]) for part in ("val", "test")}
    run.write("predictions", {part: stage.saved(getattr(split, part), said[part]) for part in said})
    point = stage.choose(split.val, said["val"], module.settings)
    run.write("operating_point", point)
    for name, value in stage.beside(module, split, parts).items():
        run.write(name, value)
    scores = stage.score(split.test, said["test"], point, resamples, module.settings.seed)
    run.write("test", {"images": len(split.test), "seconds_training": round(module.seconds, 1), **scores})


def _parts(stage: Stage, split: Split, settings: Settings, cache: Path) -> dict[str, XrayDataset]:
    return {
        part: XrayDataset(
            getattr(split, part), settings.image_size, cache, boxes=stage.boxes,
            augment=settings.augment if part == "train" else 0.0,
        )
        for part in ("train", "val", "test")
    }  # fmt: skip


def _about(
    run: Run, kind: str, data: DataFolder, split: Split, identity: Identity, settings: Settings, resume: bool
) -> dict[str, Any]:
    """Describe the run; a resumed run must be the same one."""
    of = {"chestlib": chestlib.__version__, "identity": identity._asdict(), "settings": to_json(settings)}
    if run.settings_file.is_file() and first_process():  # the other processes join a run that has begun
        run.require(kind)
        if not resume:
            raise ChestlibError(f"{run.path}: holds a run already; go on with --resume, or name another folder")
        run.require_same(of)
    return {
        "kind": kind,
        **of,
        "data": {"name": data.root.resolve().name, "synthetic": data.synthetic, "missing": data.missing},
        "doubts": splits.doubts(split, boxes=kind == "detector"),
        "split": {"name": split.name, "seed": split.seed}
        | {part: len(getattr(split, part)) for part in ("train", "val", "test")},
    }


def _begin(run: Run, about: dict[str, Any], split: Split, settings: Settings) -> None:
    """Write what the run is, unless it goes on."""
    if not run.settings_file.is_file() and first_process():
        run.write("split", split.to_json())
        machine: dict[str, Any] = {"device": devices.name(), "precision": devices.precision(settings.precision)}
        machine["bf16_gain"] = devices.bf16_gain() if devices.device() == "cpu" else None
        run.write("settings", about | machine | {"versions": versions()})


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


# --- stage 1 ---


def _classify(module: Classifier, dataset: XrayDataset, batch: int = 64) -> np.ndarray:
    """Probability of disease of each image, (n,) float64."""
    chunks = [
        classifier.probabilities(
            module, torch.stack([dataset.image(i) for i in range(at, min(at + batch, len(dataset)))])
        )
        for at in range(0, len(dataset), batch)
    ]
    return np.concatenate(chunks).astype(float).round(6)


def _named(records: Sequence[Record], probability: np.ndarray) -> list[dict[str, Any]]:
    pairs = zip(records, probability.tolist(), strict=True)
    return [{"file": record.file_name, "disease_probability": p} for record, p in pairs]


def _diseased(records: Sequence[Record]) -> np.ndarray:
    return np.array([record.diseased for record in records])


def _operating_point(records: Sequence[Record], probability: np.ndarray, settings: ClassifierSettings) -> dict:
    return operating_point(_diseased(records), probability, settings.specificity_floor)


def _score_classifier(
    records: Sequence[Record], probability: np.ndarray, point: dict[str, Any], resamples: int, seed: int
) -> dict[str, Any]:
    truth, threshold = _diseased(records), point["threshold"]
    return {
        "scores": metrics.binary_scores(truth, probability, threshold),
        "intervals": metrics.binary_intervals(
            truth, probability, threshold, patient_groups(records), resamples=resamples, seed=seed
        ),
    }  # fmt: skip


# --- stage 2 ---


def _detect(module: Detector, dataset: XrayDataset, mirror: bool = False, batch: int = 8) -> dict[str, Detections]:
    found: dict[str, Detections] = {}
    for at in range(0, len(dataset), batch):
        records = dataset.records[at : at + batch]
        pictures = [dataset.image(at + i) for i in range(len(records))]
        sizes = dataset.pixels.sizes[at : at + batch]
        for record, detections in zip(records, detector.detect(module, pictures, sizes, mirror), strict=True):
            # As predictions.json rounds them, so that who scores that file gets the run's figures.
            found[record.file_name] = Detections.from_list(detections.to_list(), detections.names)
    return found


def _score_detector(
    records: Sequence[Record], found: dict[str, Detections], point: dict[str, Any], resamples: int, seed: int
) -> dict[str, Any]:
    said = point.get("calibration")
    options = {"thresholds": point["thresholds"], "calibration": metrics.Calibration.from_json(said) if said else None}
    return {"scores": metrics.evaluate(records, found, **options, bootstrap=resamples, seed=seed)}


def _listed(found: dict[str, Detections]) -> dict[str, Any]:
    return {name: detections.to_list() for name, detections in found.items()}


def _for_fusion(module: Detector, split: Split, parts: dict[str, XrayDataset]) -> dict[str, Any]:
    """Keep what choosing thresholds of fused answers takes, for the data may be gone then."""
    mirrored = {part: _listed(_detect(module, parts[part], mirror=True)) for part in ("val", "test")}
    return {"mirrored": mirrored, "truth": together.truth_to_json(split.val)}


STAGES: dict[type, Stage] = {
    ClassifierSettings: Stage(
        kind="classifier",
        boxes=False,
        monitor=classifier.MONITOR,
        build=lambda settings, split: Classifier(settings, classifier.pos_weight(split.train)),
        predict=_classify,
        saved=_named,
        choose=_operating_point,
        score=_score_classifier,
    ),
    DetectorSettings: Stage(
        kind="detector",
        boxes=True,
        monitor="val_AP50",
        build=lambda settings, split: Detector(settings),
        predict=_detect,
        saved=lambda records, found: _listed(found),
        choose=lambda records, found, settings: finding_points(records, found),
        score=_score_detector,
        beside=_for_fusion,
        loader=lambda split, settings: {
            "collate": collate_boxes,
            "factors": repeat_factors(split.train, settings.repeat_threshold) if settings.repeat_threshold else None,
        },
    ),
}
