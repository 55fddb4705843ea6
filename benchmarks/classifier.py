"""What the framework costs: images a second of stage 1's training through chestlib against a plain PyTorch loop.

    python benchmarks/classifier.py [--images 960] [--rounds 7] [--size 224] [--workers 0]

The same network, images (phantoms drawn for the run), augmentation, batch size, precision, optimiser, schedule and
clipping, one epoch each in turn, as long as one of the quick profile. The clock runs from the start of an epoch to its
last step, loading included. Exit status 1 if the median ratio is under 1. The plain loop in float32, as first tutorials
write it, stands below.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from torch.utils.data import DataLoader

from chestlib import devices, phantom, settings
from chestlib.data import open_data
from chestlib.settings import ClassifierSettings
from chestlib.train import Classifier, Run, XrayDataset, fit, warmup_cosine

REQUIRED = 1.0


def plain(chosen: ClassifierSettings, train: XrayDataset, precision: str) -> Callable[[], float]:
    """An epoch of the plain loop: seconds."""
    place = devices.device()
    module = Classifier(chosen).to(place)
    groups = [
        {"params": [p for p in module.parameters() if p.ndim > 1], "weight_decay": chosen.weight_decay},
        {"params": [p for p in module.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=chosen.learning_rate)
    loader = DataLoader(train, chosen.batch_size, shuffle=True, drop_last=True, num_workers=chosen.workers)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warmup_cosine(step, len(loader), 0.1))

    def epoch() -> float:
        module.train()
        start = time.perf_counter()
        for image, diseased, _ in loader:
            image, diseased = image.to(place), diseased.to(place)
            with torch.autocast(place, torch.bfloat16, enabled=precision == "bf16-mixed"):
                loss = module.loss(module(image).float(), diseased.float())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), chosen.clip)
            optimizer.step()
            schedule.step()
        loss.item()  # a GPU has finished only now
        return time.perf_counter() - start

    return epoch


class Clock(Callback):
    """Seconds from the start of an epoch to the end of its last step."""

    start = seconds = 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        self.start = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
        if trainer.is_last_batch:
            outputs["loss"].item()
            self.seconds = time.perf_counter() - self.start


def through_chestlib(chosen: ClassifierSettings, train: XrayDataset, val: XrayDataset, place: Path) -> float:
    """An epoch through `chestlib.train.fit`, with its sampler, callbacks, validation and checkpoint: seconds."""
    clock = Clock()
    fit(Run(place), Classifier(chosen), train, val, monitor="val_average_precision", callbacks=[clock])
    return clock.seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=960)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--workers", type=int, default=0)
    args = parser.parse_args()
    devices.use_threads()
    chosen = replace(settings.QUICK.classifier, image_size=args.size, epochs=1, ema=0.0, workers=args.workers)
    precision = devices.precision(chosen.precision)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        data = open_data(phantom.write(place / "phantom", 64, 40, size=256, workers=2))
        shown = (data.train * -(-args.images // len(data.train)))[: args.images]  # speed does not mind repeats
        train = XrayDataset(shown, args.size, place / "cache", boxes=False, augment=chosen.augment)
        val = XrayDataset(data.test, args.size, place / "cache", boxes=False)
        loops = {
            "chestlib": lambda: through_chestlib(chosen, train, val, place / "run"),
            f"plain loop, {precision}": plain(chosen, train, precision),
            "plain loop, float32": plain(chosen, train, "32-true"),
        }
        seconds: dict[str, list[float]] = {name: [] for name in loops}
        for turn in range(args.rounds + 1):
            for name in sorted(loops, reverse=bool(turn % 2)):  # nobody always comes first
                spent = loops[name]()
                if turn:  # the first turn warms up
                    seconds[name].append(spent)
    count = len(train) // chosen.batch_size * chosen.batch_size
    print(f"{devices.name()}; {count} images of {args.size} px in batches of {chosen.batch_size}, {args.rounds} rounds")
    print(f"{'':26}{'images/s':>10}   chestlib is faster by (min to max)")
    ratios = {}
    for name, times in seconds.items():
        pairs = [other / own for own, other in zip(seconds["chestlib"], times, strict=True)]
        ratios[name] = statistics.median(pairs)
        print(
            f"{name:26}{count / statistics.median(times):10.1f}   "
            f"{ratios[name]:.2f} ({min(pairs):.2f} to {max(pairs):.2f})"
        )
    ratio = ratios[f"plain loop, {precision}"]
    print(f"ratio to the plain loop {ratio:.2f}, required {REQUIRED}: {'pass' if ratio >= REQUIRED else 'FAIL'}")
    return int(ratio < REQUIRED)


if __name__ == "__main__":
    sys.exit(main())
