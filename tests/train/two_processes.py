"""The command line with toy settings; test_training.py starts this file, and Lightning its second process.

Each process adds the training images that it was shown to shown-RANK.txt in the working folder.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from chestlib import cli, settings
from chestlib.train import XrayDataset

TOY = replace(
    settings.QUICK,
    classifier=replace(
        settings.QUICK.classifier, image_size=64, width=8, depth=3, epochs=2, batch_size=8, precision="32-true"
    ),
    detector=replace(
        settings.QUICK.detector, image_size=64, epochs=2, validate_every=1, batch_size=4, fpn_channels=8,
        head_units=16, repeat_threshold=0.0,
    ),
    resamples=20,
)  # fmt: skip


def main() -> None:
    settings.PROFILES["quick"] = TOY
    plain = XrayDataset.__getitem__

    def watched(self: XrayDataset, key: int | tuple[int, int]) -> object:
        item = plain(self, key)
        if isinstance(key, tuple):  # with the seed of its augmentation: in training
            with Path(f"shown-{os.environ.get('LOCAL_RANK', 0)}.txt").open("a") as file:
                file.write(f"{item[2]}\n")
        return item

    XrayDataset.__getitem__ = watched
    cli.main()


if __name__ == "__main__":
    main()
