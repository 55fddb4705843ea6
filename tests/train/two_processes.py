"""The command line with toy settings; test_training.py starts this file, and Lightning its second process.

Each process adds the training images that it was shown to shown-RANK.txt in the working folder, and writes those that a
validation scored to scored-RANK.txt. RANK is that of the process or, where each is a node, of the node.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from chestlib import cli, settings
from chestlib.train import XrayDataset
from chestlib.train.module import StageModule

TOY = replace(
    settings.QUICK,
    classifier=replace(
        settings.QUICK.classifier, image_size=64, width=8, depth=3, epochs=2, batch_size=8, precision="32-true"
    ),
    detector=settings.DetectorSettings(
        image_size=64, epochs=2, validate_every=1, batch_size=4, fpn_channels=8,
        head_units=16, repeat_threshold=0.0,
    ),
    resamples=20,
)  # fmt: skip


def rank() -> int:
    return max(int(os.environ.get(name, 0)) for name in ("LOCAL_RANK", "NODE_RANK"))


def main() -> None:
    settings.PROFILES["quick"] = TOY
    plain, gather = XrayDataset.__getitem__, StageModule.all_seen

    def watched(self: XrayDataset, key: int | tuple[int, int]) -> object:
        item = plain(self, key)
        if isinstance(key, tuple):  # with the seed of its augmentation: in training
            with Path(f"shown-{rank()}.txt").open("a") as file:
                file.write(f"{item[2]}\n")
        return item

    def gathered(self: StageModule) -> dict[str, object]:
        seen = gather(self)
        Path(f"scored-{rank()}.txt").write_text("\n".join(seen))
        return seen

    XrayDataset.__getitem__, StageModule.all_seen = watched, gathered
    cli.main()


if __name__ == "__main__":
    main()
