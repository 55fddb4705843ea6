"""Trained models back from their runs; nothing that a checkpoint holds is executed."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
import torch
from torch import nn

from chestlib.errors import ChestlibError
from chestlib.settings import ClassifierSettings, DetectorSettings
from chestlib.train.classifier import Classifier
from chestlib.train.detector import Detector
from chestlib.train.run import Run

S = TypeVar("S")
M = TypeVar("M", Classifier, Detector)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read last.ckpt as a dict of tensors and plain values (weights_only=True).

    Raises
    ------
    ChestlibError
        If the file is missing, broken, or holds anything but weights.
    """
    with _told(path):
        # torch 2.5 executes code from its oldest format, a tar archive, for all weights_only (CVE-2025-32434).
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("constants.pkl") for name in archive.namelist()):
                raise ValueError("TorchScript: a program")
        state = torch.load(path, map_location="cpu", weights_only=True)
        _require_numbers(path, state["state_dict"])
    return state


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read best.safetensors: the weights by name, on the CPU.

    Raises
    ------
    ChestlibError
        If the file is missing or broken.
    """
    with _told(path):
        weights = safetensors.torch.load(path.read_bytes())
        _require_numbers(path, weights)
    return weights


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Make one line of whatever a file that is no checkpoint raises, from KeyError to UnpicklingError."""
    try:
        yield
    except FileNotFoundError:
        raise ChestlibError(f"{path}: no such checkpoint; finish the training first") from None
    except ChestlibError:
        raise
    except Exception as error:
        raise ChestlibError(
            f"{path}: not a readable checkpoint ({type(error).__name__}); remove it and train again"
        ) from None


def _require_numbers(path: Path, weights: dict[str, torch.Tensor]) -> None:
    if not all(torch.isfinite(weight).all() for weight in weights.values()):
        raise ChestlibError(f"{path}: has weights that are no numbers; remove it and train again")


def load_weights(module: nn.Module, path: Path) -> None:
    """Give `module` the weights of best.safetensors, and set it to evaluation mode."""
    try:
        module.load_state_dict(read_weights(path))
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
    state = read_weights(run.best)
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
