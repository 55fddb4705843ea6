"""What values settings may have: with others a training fails, or takes any amount of memory."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from chestlib.devices import PRECISIONS
from chestlib.errors import ChestlibError

CHOICES: dict[str, tuple[str, ...]] = {
    "precision": PRECISIONS,
    "trunk": ("resnet10", "resnet18", "resnet34", "resnet50", "efficientnet_lite0"),
    "weights": ("none", "chest", "imagenet", "coco"),
    "heads": ("exclusive", "independent"),
}
LIMITS: dict[str, tuple[float, float]] = {
    "image_size": (32, 4096), "start_size": (32, 4096), "trial_size": (32, 4096), "at_once": (1, 1024),
    "epochs": (1, 2**16 - 1), "batch_size": (1, 4096), "learning_rate": (0, 1),
    "weight_decay": (0, 10), "warmup": (0, 1), "clip": (0, 2**16 - 1), "ema": (0, 1), "workers": (0, 256),
    "validate_every": (1, 2**16 - 1), "patience": (1, 2**16 - 1), "seed": (0, 2**32 - 1), "width": (1, 1024),
    "depth": (1, 10), "dropout": (0, 1), "augment": (0, 1), "specificity_floor": (0, 1), "fpn_channels": (1, 1024),
    "head_units": (1, 4096), "regions": (1, 4096), "proposals": (1, 4096), "anchor_sizes": (0.001, 2),
    "anchor_ratios": (0.01, 100), "score_floor": (0, 1), "nms_iou": (0, 1), "max_detections": (1, 1000),
    "trunk_width": (8, 256), "repeat_threshold": (0, 1), "frozen": (0, 4), "trials": (1, 2**16 - 1),
    "train_share": (0.01, 1),
}  # fmt: skip
"""The least and the greatest value."""


def check(settings: Any) -> None:
    """Raise a ChestlibError for the first field that has a value of another type or beyond its limits."""
    for field in fields(settings):
        if wrong := problem(field.name, field.type, getattr(settings, field.name)):
            raise ChestlibError(wrong)


def problem(name: str, kind: Any, value: Any) -> str:
    """Say what is wrong with the value of a field whose type has this name; nothing if it fits."""
    if name == "findings":
        named = isinstance(value, tuple) and value and all(isinstance(part, str) and part for part in value)
        return "" if named and len(set(value)) == len(value) else f"{name} is {value!r}; expected names, each once"
    if choices := CHOICES.get(name):
        return "" if value in choices else f"{name} is {value!r}; expected one of {', '.join(choices)}"
    least, most = LIMITS[name]
    if kind in ("int", "float"):
        parts, expected = (value,), "a whole number" if kind == "int" else "a number"
    else:
        parts = value if isinstance(value, tuple) and 0 < len(value) < 9 else (None,)
        expected = "1 to 8 numbers, written as 0.5,1,2, each"
    types = int if kind == "int" else (int, float)
    fits = all(isinstance(part, types) and not isinstance(part, bool) and least <= part <= most for part in parts)
    return "" if fits else f"{name} is {value!r}; expected {expected} from {least} to {most}"
