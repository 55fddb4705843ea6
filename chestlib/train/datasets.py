"""Torch data sets over the image cache. Boxes move with the image: torchvision.transforms.v2 carries both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from chestlib.data import Record, cached_images

Target = dict[str, torch.Tensor]


def scale_boxes(boxes: np.ndarray, size: tuple[int, int], new_size: tuple[int, int]) -> np.ndarray:
    """Move boxes (n, 4) from an image of `size` (width, height) to the same image at `new_size`.

    Examples
    --------
    >>> scale_boxes(np.array([[256, 512, 768, 1024]]), (1024, 1024), (128, 128)).tolist()
    [[32.0, 64.0, 96.0, 128.0]]
    """
    fx, fy = new_size[0] / size[0], new_size[1] / size[1]
    return np.asarray(boxes, np.float32) * np.array([fx, fy, fx, fy], np.float32)


def augmentation(strength: float, size: int, boxes: bool = False) -> v2.Transform:
    """Random flip, change of place and scale, brightness and contrast; `strength` in [0, 1] scales all but the flip.

    Without `boxes`, a part of the image is enlarged to `size` pixels again. With `boxes`, a sample is (image, target):
    both are moved and scaled, never cut, and boxes that leave the image go with their labels. Strength 0 changes
    nothing.
    """
    if strength <= 0:
        return v2.Identity()
    if boxes:
        move = v2.RandomAffine(
            degrees=0,  # a turned box is no longer tight
            translate=(0.08 * strength, 0.08 * strength),
            scale=(1 - 0.15 * strength, 1 + 0.15 * strength),
            interpolation=v2.InterpolationMode.BILINEAR,
        )
    else:  # five times as fast as an affine change
        scale, ratio = (1 - 0.3 * strength, 1), (1 - 0.1 * strength, 1 + 0.1 * strength)
        move = v2.RandomResizedCrop(size, scale, ratio, antialias=False)
    jitter = v2.ColorJitter(brightness=0.3 * strength, contrast=0.4 * strength)
    steps = [v2.RandomHorizontalFlip(0.5), move, jitter]
    if boxes:
        steps.append(v2.SanitizeBoundingBoxes(min_size=2))
    return v2.Compose(steps)


class XrayDataset(Dataset):
    """Images of one part at one size, from the memory-mapped cache.

    Parameters
    ----------
    records : sequence of Record
        All with an image.
    size : int
        Side of the square, pixels.
    cache : Path
        Folder of the cache files.
    boxes : bool
        False: items are (image, diseased, file name) for stage 1. True: (image, target, file name) for stage 2,
        target with boxes (n, 4) float32 in pixels of the resized image, labels (n,) int64; and where not every finding
        was looked for, known (findings + 1,) bool, the background first. What no image has a box of counts as known:
        there is nothing to be learnt of it, but that it is absent.
    augment : float
        Strength of the augmentation; 0 for none.

    Notes
    -----
    image is (1, size, size) float32 in [0, 1].
    """

    def __init__(
        self,
        records: Sequence[Record],
        size: int,
        cache: Path,
        *,
        boxes: bool,
        augment: float = 0.0,
        progress: Any = None,
    ) -> None:
        self.records = list(records)
        self.size = size
        self.boxes = boxes
        self.transform = augmentation(augment, size, boxes)
        paths = []
        for record in self.records:
            assert record.path, f"{record.file_name}: no image"
            paths.append(record.path)
        self.pixels = cached_images(paths, size, cache, progress=progress)
        held = {label for record in self.records for label in record.labels.tolist()}
        self.known = [_known(record, held) if boxes else None for record in self.records]
        self.scaled = [
            scale_boxes(record.boxes, original, (size, size)) if boxes else None
            for record, original in zip(self.records, self.pixels.sizes, strict=True)
        ]

    def __len__(self) -> int:
        return len(self.records)

    def image(self, index: int) -> torch.Tensor:
        """Return one image, (1, size, size) float32 in [0, 1], as the cache has it."""
        return torch.from_numpy(np.array(self.pixels[index])).float().div_(255)[None]

    def __getitem__(self, key: int | tuple[int, int]) -> tuple[torch.Tensor, Any, str]:
        """Return the item of an index; of (index, seed) with that seed's augmentation."""
        if isinstance(key, tuple):
            # What fork_rng does, at a hundredth of its cost, and without reseeding a GPU.
            state = torch.get_rng_state()
            torch.default_generator.manual_seed(key[1])
            try:
                return self[key[0]]
            finally:
                torch.set_rng_state(state)
        index = key
        record = self.records[index]
        image = tv_tensors.Image(self.image(index))
        if not self.boxes:
            return self.transform(image).as_subclass(torch.Tensor), float(record.diseased), record.file_name
        target = {
            "boxes": tv_tensors.BoundingBoxes(
                torch.from_numpy(self.scaled[index]), format="XYXY", canvas_size=(self.size, self.size)
            ),
            "labels": torch.from_numpy(record.labels),
        }
        image, target = self.transform(image, target)
        target = {"boxes": target["boxes"].as_subclass(torch.Tensor).reshape(-1, 4), "labels": target["labels"]}
        if (known := self.known[index]) is not None:
            target["known"] = known
        return image.as_subclass(torch.Tensor), target, record.file_name


def _known(record: Record, held: set[int]) -> torch.Tensor | None:
    """Which labels, 0 the background, a film teaches; None: all."""
    if record.annotated is None:
        return None
    known = torch.ones(len(record.names) + 1, dtype=torch.bool)
    known[sorted(held - record.annotated - {*record.labels.tolist()})] = False
    return None if known.all() else known


def looked_for(target: Target) -> frozenset[int] | None:
    """Give the ids of the findings that were looked for, of a target; None: all."""
    return frozenset(target["known"][1:].nonzero().flatten().add(1).tolist()) if "known" in target else None


def collate_boxes(batch: list[tuple[torch.Tensor, Target, str]]) -> tuple[torch.Tensor, list[Target], list[str]]:
    """Images stacked to (b, 1, H, W); targets and names stay lists, since images differ in their number of boxes."""
    pictures, targets, names = zip(*batch, strict=True)
    return torch.stack(pictures), list(targets), list(names)


def repeat_factors(records: Sequence[Record], threshold: float) -> np.ndarray:
    """How often each image is shown an epoch, at least 1 (repeat-factor sampling, LVIS, arXiv:1908.03195, sec. 4).

    r(finding) = max(1, sqrt(threshold / share of images with it)); an image takes the largest of its findings.
    """
    counts = Counter(finding for record in records for finding in record.findings)
    factor = {f: max(1.0, (threshold * len(records) / n) ** 0.5) for f, n in counts.items()}
    return np.array([max((factor[f] for f in record.findings), default=1.0) for record in records])
