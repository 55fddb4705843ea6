"""Both stages trained: data sets, models, the fit, the run folder, Optuna's study. The one package with Lightning.

What stands here is imported when it is first asked for: torch and Lightning take seconds, and who only looks into a
run folder needs neither.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chestlib.train import classifier, datasets, detector, linear
    from chestlib.train.classifier import Classifier, SimpleCNN
    from chestlib.train.datasets import Target, XrayDataset, augmentation, collate_boxes, repeat_factors, scale_boxes
    from chestlib.train.detector import Detector
    from chestlib.train.load import load_classifier, load_detector, load_weights
    from chestlib.train.module import predicting, warmup_cosine
    from chestlib.train.run import SEARCHED, Run, differences, scored_records
    from chestlib.train.study import ended, failures, tune
    from chestlib.train.together import points_together, said_together
    from chestlib.train.trainer import fit
    from chestlib.train.workflow import train_stage, versions

_HOME = {
    "classifier": ("Classifier", "SimpleCNN"),
    "datasets": ("Target", "XrayDataset", "augmentation", "collate_boxes", "repeat_factors", "scale_boxes"),
    "detector": ("Detector",),
    "load": ("load_classifier", "load_detector", "load_weights"),
    "module": ("predicting", "warmup_cosine"),
    "run": ("SEARCHED", "Run", "differences", "scored_records"),
    "study": ("ended", "failures", "tune"),
    "together": ("points_together", "said_together"),
    "trainer": ("fit",),
    "workflow": ("train_stage", "versions"),
}
"""Module to the names that it gives to the face."""

_MODULES = ("classifier", "datasets", "detector", "linear")

__all__ = [
    "SEARCHED", "Classifier", "Detector", "Run", "SimpleCNN", "Target", "XrayDataset", "augmentation", "classifier",
    "collate_boxes", "datasets", "detector", "differences", "ended", "failures", "fit", "linear", "load_classifier",
    "load_detector", "load_weights", "points_together", "predicting", "repeat_factors", "said_together", "scale_boxes",
    "scored_records", "train_stage", "tune", "versions", "warmup_cosine",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"chestlib.train.{name}")
    for module, names in _HOME.items():
        if name in names:
            return getattr(import_module(f"chestlib.train.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
