"""Stage 1: SimpleCNN says normal or diseased, as one logit.

With the default settings (width 16, depth 4) and an image of 224 x 224:

    input                            1 x 224 x 224
    block 1   contrast                   2 x 224 x 224
              conv 5x5, stride 2, pool   16 x 56 x 56
    block 2   conv 3x3 x 2, pool         32 x 28 x 28
    block 3   conv 3x3 x 2, pool         64 x 14 x 14
    block 4   conv 3x3 x 2              128 x 14 x 14
    pool      mean and max         256
    dropout, linear                  1  (a logit: no Sigmoid, BCEWithLogitsLoss brings its own)

Most of a training sees smaller images, which cost a quarter; the last epochs see them in full. What is said of an image
is the mean of two logits: its own and that of its mirror image.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from chestlib.data import Record
from chestlib.metrics import binary_scores, threshold_at_floor
from chestlib.settings import ClassifierSettings
from chestlib.train.module import StageModule, first_numbers, predicting


def convolution(inside: int, outside: int, size: int = 3, stride: int = 1, pool: bool = False) -> list[nn.Module]:
    """Convolution, with `pool` half the size, normalisation, ReLU."""
    return [
        nn.Conv2d(inside, outside, size, stride, padding=size // 2, bias=False),
        # Before the norm and the ReLU, which then see a quarter of the pixels: they cost as much as convolutions.
        *([nn.MaxPool2d(2)] if pool else []),
        nn.BatchNorm2d(outside),
        nn.ReLU(inplace=True),
    ]


class Contrast(nn.Module):
    """Beside the image, by how much each pixel is lighter than what lies around it.

    Films differ in exposure by more than a lesion differs from its lung: a network that is shown the difference need
    not learn it first.
    """

    CELLS = 14

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(b, 1, H, W) to (b, 2, H, W)."""
        coarse = functional.adaptive_avg_pool2d(image, self.CELLS)
        around = functional.interpolate(coarse, size=image.shape[2:], mode="bilinear")
        return torch.cat([image, 3 * (image - around)], 1)  # 3: about as much spread as the image has


class SimpleCNN(nn.Module):
    """A plain convolutional network for grey radiographs.

    Parameters
    ----------
    width : int
        Channels of the first block; each further block doubles them, up to 128.
    depth : int
        Number of blocks; together they shrink the sides by 2 to the power of `depth`.
    dropout : float
        Before the last layer.
    """

    def __init__(self, width: int = 16, depth: int = 4, dropout: float = 0.1) -> None:
        super().__init__()
        channels = [min(width * 2**i, max(128, width)) for i in range(depth)]
        # At full size a convolution costs most and sees least, so the first one already halves the image.
        blocks = [[Contrast(), *convolution(2, width, 5, stride=2, pool=depth > 1)]]
        for i, (inside, outside) in enumerate(pairwise(channels), 2):
            blocks.append(convolution(inside, outside) + convolution(outside, outside, pool=i < depth))
        self.blocks = nn.Sequential(*(nn.Sequential(*block) for block in blocks))
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * channels[-1], 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(b, 1, H, W) float32 in [0, 1] to (b,) logits."""
        features = self.blocks((image - 0.5) * 4).float()
        # The mean sees the whole chest, the maximum a single small lesion.
        pooled = torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1)
        # In float32: a logit of bfloat16 has eight bits, so many images would share one probability, and neither
        # the threshold nor the ROC curve could tell them apart. It costs nothing: 256 products an image.
        with torch.autocast(image.device.type, enabled=False):
            return self.head(pooled).squeeze(1)


def shapes(model: SimpleCNN, image_size: int = 224) -> list[dict[str, object]]:
    """One row a layer of the drawing above: name, output shape, parameters. Measured by a forward pass."""
    rows: list[dict[str, object]] = [{"layer": "input", "output": f"1 x {image_size} x {image_size}", "parameters": 0}]
    x = torch.zeros(1, 1, image_size, image_size)
    with torch.no_grad():
        for i, part in enumerate(model.blocks, 1):
            x = part.eval()(x)
            rows.append(
                {"layer": f"block {i}", "output": " x ".join(map(str, x.shape[1:])), "parameters": _count(part)}
            )
    rows.append({"layer": "mean and max pool", "output": str(2 * x.shape[1]), "parameters": 0})
    rows.append({"layer": "dropout, linear", "output": "1 logit", "parameters": _count(model.head)})
    return rows


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


class Classifier(StageModule):
    """SimpleCNN with its loss and its validation figures.

    Parameters
    ----------
    settings : ClassifierSettings
    pos_weight : float
        Normal over diseased images of the training part: both classes weigh the same in the loss.
    """

    settings: ClassifierSettings

    def __init__(self, settings: ClassifierSettings, pos_weight: float = 1.0) -> None:
        super().__init__(settings)
        self.floor = settings.specificity_floor
        with first_numbers(settings.seed):
            model = SimpleCNN(settings.width, settings.depth, settings.dropout)
        self.model = model.to(memory_format=torch.channels_last)
        self.loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(float(pos_weight)))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Turn images (b, 1, H, W) into logits (b,): in evaluation, the mean with those of the mirrored images."""
        if not self.training:
            image = torch.cat([image, image.flip(3)])
        logit = self.model(image.contiguous(memory_format=torch.channels_last))
        return logit if self.training else logit.view(2, -1).mean(0)

    def training_step(self, batch: tuple, index: int) -> torch.Tensor:
        """Compute the loss of a batch."""
        image, diseased, names = batch
        side = side_of(self.current_epoch, self.settings)
        if side < image.shape[-1]:
            image = functional.interpolate(image, size=(side, side), mode="area")
        loss = self.checked(self.loss(self(image).float(), diseased.float()), names)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(image), sync_dist=True)
        return loss

    def validation_step(self, batch: tuple, index: int) -> None:
        """Keep the logits of a batch for the end of the epoch."""
        image, diseased, names = batch
        logit = self(image).float()
        self.log("val_loss", self.loss(logit, diseased.float()), on_epoch=True, batch_size=len(image), sync_dist=True)
        self.seen |= zip(names, zip(logit.tolist(), diseased.tolist(), strict=True), strict=True)

    def on_validation_epoch_end(self) -> None:
        """Log the scores over all validation images."""
        logit, diseased = torch.tensor(list(self.all_seen().values())).unbind(1)
        scores = validation_scores(diseased.numpy() > 0.5, torch.sigmoid(logit).numpy(), self.floor)
        for name, value in scores.items():
            self.log(f"val_{name}", value, sync_dist=True)


def side_of(epoch: int, settings: ClassifierSettings) -> int:
    """Side of the images of an epoch: `start_size` in the first half, `image_size` in the last fifth, else between.

    Examples
    --------
    >>> [side_of(epoch, ClassifierSettings(epochs=10, start_size=112)) for epoch in range(10)]
    [112, 112, 112, 112, 112, 160, 160, 160, 224, 224]
    """
    first, last = min(settings.start_size, settings.image_size), settings.image_size
    share = (epoch + 0.5) / settings.epochs
    return first if share < 0.5 else last if share > 0.8 else max(first, round((first + last) / 32) * 16)


MONITOR = "val_average_precision"
"""What chooses epochs and trials: recall at one threshold moves in steps of one image, so networks that differ tie, and
the partial AUROC above the floor hears few normal images; benchmarks/choice.py measures them."""


def validation_scores(truth: np.ndarray, probability: np.ndarray, floor: float) -> dict[str, float]:
    """Score at the best threshold that keeps the specificity floor; all 0 while a sanity pass sees one class."""
    if truth.all() or not truth.any():
        return dict.fromkeys(
            ("recall", "precision", "f1", "accuracy", "specificity", "auroc", "average_precision"), 0.0
        )
    point = threshold_at_floor(truth, probability, floor)
    return binary_scores(truth, probability, point.threshold)


def pos_weight(records: Sequence[Record]) -> float:
    """Divide the number of normal images by that of diseased ones."""
    diseased = sum(record.diseased for record in records)
    return (len(records) - diseased) / max(1, diseased)


def probabilities(model: nn.Module, images: torch.Tensor) -> np.ndarray:
    """Compute disease probabilities (b,) float32 of images (b, 1, H, W) float32 in [0, 1], at the model's size.

    Device and precision are those of :func:`chestlib.train.module.predicting`.
    """
    with predicting(model, images.device) as device:
        return torch.sigmoid(model(images.to(device)).float()).cpu().numpy()
