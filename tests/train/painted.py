"""Films that any network can learn in seconds: squares on grey noise; and what a training shows and does meanwhile."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from lightning.pytorch import Callback

from chestlib import settings
from chestlib.data import DataFolder, Record

SIDE = 64
BRIGHT, DARK = 8, 4
"""Labels of a bright and of a dark square; the dark one is rare."""

CNN = replace(
    settings.QUICK.classifier, image_size=SIDE, width=8, depth=3, epochs=6, batch_size=8, learning_rate=3e-3,
    weight_decay=0.0, dropout=0.0, ema=0.8, clip=0.02, precision="32-true", augment=0.5, seed=3,
)  # fmt: skip
RCNN = settings.DetectorSettings(
    image_size=SIDE, epochs=15, validate_every=3, batch_size=8, learning_rate=1e-3,
    weight_decay=0.0, weights="none", ema=0.0, clip=1.0, trunk="resnet10", fpn_channels=32, head_units=128,
    regions=16, proposals=50, anchor_sizes=(0.05, 0.1, 0.2, 0.3, 0.5), score_floor=0.02, nms_iou=0.3,
    max_detections=50, repeat_threshold=0.5, precision="32-true", augment=0.1, seed=4,
)  # fmt: skip


def film(rng: np.random.Generator, label: int | None) -> tuple[np.ndarray, list[list[float]]]:
    """Grey noise (64, 64) uint8, and the box of its square."""
    pixels = rng.normal(128, 8, (SIDE, SIDE))
    if label is None:
        return pixels.astype(np.uint8), []
    w, h = rng.integers(18, 33, 2)
    x, y = rng.integers(2, SIDE - 2 - w), rng.integers(2, SIDE - 2 - h)
    pixels[y : y + h, x : x + w] += 80 if label == BRIGHT else -80
    return pixels.astype(np.uint8), [[x, y, x + w, y + h]]


def folder(place: Path, train: int = 96, test: int = 48) -> DataFolder:
    """Half of the films are normal, a quarter of the others have a dark square."""
    rng, parts = np.random.default_rng(0), []
    for part, count in (("train", train), ("test", test)):
        records = []
        for i in range(count):
            label = None if i % 2 else DARK if i % 8 == 0 else BRIGHT
            pixels, boxes = film(rng, label)
            path = place / f"{part}-{i}.png"
            cv2.imwrite(str(path), pixels)
            records.append(Record(path.name, boxes, [label] * len(boxes), patient=path.stem, path=path))
        parts.append(records)
    return DataFolder(place, *parts, True)


class Noted(Callback):
    """What Lightning can see of a training."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.norms: list[float] = []
        self.seeds: dict[int, int] = {}
        self.shown: dict[int, list[str]] = {}
        self.averages: list[dict[str, torch.Tensor]] = []
        self.asleep: set[str] = set()
        """Modules that were not in training mode in a training step."""
        self.moved: set[str] = set()
        """Weights and statistics that a validation changed."""

    def on_train_start(self, trainer: Any, module: Any) -> None:
        self.first = {name: p.detach().clone() for name, p in module.named_parameters()}
        self.average: dict[str, torch.Tensor] = {}

    def on_train_batch_start(self, trainer: Any, module: Any, batch: tuple, index: int) -> None:
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])
        self.seeds.setdefault(trainer.current_epoch, torch.initial_seed())
        self.shown.setdefault(trainer.current_epoch, []).extend(batch[2])
        self.asleep |= {name for name, part in module.named_modules() if not part.training}

    def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
        gradients = [p.grad.norm() for p in module.parameters() if p.grad is not None]
        self.norms.append(float(torch.stack(gradients).norm()))
        now, decay = {name: p.detach() for name, p in module.named_parameters()}, module.settings.ema
        old = self.average or now
        self.average = {name: decay * old[name] + (1 - decay) * value for name, value in now.items()}

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        self.averages.append(self.average)
        self.last = {name: p.detach().clone() for name, p in module.named_parameters()}

    def on_validation_start(self, trainer: Any, module: Any) -> None:
        self.before = {name: value.clone() for name, value in module.state_dict().items()}

    def on_validation_end(self, trainer: Any, module: Any) -> None:
        if module.settings.ema:
            return  # averages are put in for a validation, before or after this call
        now = module.state_dict()
        self.moved |= {name for name, value in self.before.items() if not torch.equal(now[name], value)}

    def counts(self, epoch: int) -> Counter[str]:
        return Counter(self.shown[epoch])
