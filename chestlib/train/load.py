"""Trained models back from their runs; nothing that a checkpoint holds is executed."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from lightning.pytorch import LightningModule

from chestlib.errors import ChestlibError
from chestlib.settings import ClassifierSettings, DetectorSettings
from chestlib.train.classifier import Classifier
from chestlib.train.detector import Detector
from chestlib.train.run import Run

S = TypeVar("S")
M = TypeVar("M", Classifier, Detector)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint as a dict of tensors and plain values (weights_only=True).

    Raises
    ------
    ChestlibError
        If the file is missing, broken, or holds anything but weights.
    """
    try:
        # torch 2.5 executes code from its oldest format, a tar archive, for all weights_only (CVE-2025-32434).
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("constants.pkl") for name in archive.namelist()):
                raise ValueError("TorchScript: a program")
        state = torch.load(path, map_location="cpu", weights_only=True)
        sound = all(torch.isfinite(weight).all() for weight in state["state_dict"].values())
    except FileNotFoundError:
        raise ChestlibError(f"{path}: no such checkpoint; finish the training first") from None
    except Exception as error:  # a broken file raises anything from KeyError to UnpicklingError
        raise ChestlibError(
            f"{path}: not a readable checkpoint ({type(error).__name__}); remove it and train again"
        ) from None
    if not sound:
        raise ChestlibError(f"{path}: has weights that are no numbers; remove it and train again")
    return state


def load_weights(module: LightningModule, path: Path) -> None:
    """Give `module` the weights of a checkpoint, and set it to evaluation mode."""
    try:
        module.load_state_dict(load_checkpoint(path)["state_dict"])
    except RuntimeError:
        raise ChestlibError(f"{path}: weights of another model than settings.json describes; train again") from None
    module.eval()


def load_classifier(run: Run) -> tuple[Classifier, float]:
    """Load the trained stage 1 of a run, ready to predict, and its threshold."""
    module = _load(run, "classifier", ClassifierSettings, Classifier)
    (threshold,) = run.thresholds(lambda point: [point["threshold"]])
    return module, threshold


def load_detector(run: Run) -> tuple[Detector, dict[str, float]]:
    """Load the trained stage 2 of a run, ready to predict, and its threshold for each finding."""
    return _load(run, "detector", DetectorSettings, partial(Detector, pretrained=False)), run.finding_thresholds()


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
