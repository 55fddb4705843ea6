"""The small runs of the tests, and which images a fit is shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from unittest.mock import patch

import torch

from chestlib import settings
from chestlib.train import XrayDataset

TINY = {
    "classifier": replace(
        settings.QUICK.classifier, image_size=32, width=8, depth=2, epochs=2, batch_size=16, seed=5
    ),
    "detector": settings.DetectorSettings(
        image_size=64, epochs=1, batch_size=16, fpn_channels=8, head_units=16, regions=16,
        proposals=40, score_floor=0.01, seed=6,
    ),
}  # fmt: skip
RESAMPLES = 20


@dataclass
class Shown:
    """Names of images: those shown to learn from, those shown to validate, and those of both that were changed."""

    learnt: set[str] = field(default_factory=set)
    validated: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)


@contextmanager
def watched() -> Iterator[Shown]:
    """Note what data sets show meanwhile; what is learnt from is asked for with the seed of its augmentation."""
    shown, own, within = Shown(), XrayDataset.__getitem__, False

    def noted(self: XrayDataset, key: int | tuple[int, int]) -> tuple:
        nonlocal within
        if within:  # it calls itself
            return own(self, key)
        within = True
        try:
            item = own(self, key)
        finally:
            within = False
        index, names = (key[0], shown.learnt) if isinstance(key, tuple) else (key, shown.validated)
        names.add(item[2])
        if not torch.equal(item[0], self.image(index)):
            shown.changed.add(item[2])
        return item

    with patch.object(XrayDataset, "__getitem__", noted):
        yield shown
