"""What the full profile costs on larger data and other machines: measured here in small, extrapolated openly.

    python benchmarks/scaling.py [--rounds 3] [--share 0.1] [--price 2.0]

Measured here: floating-point operations of one training image of both stages (torch's counter, forward and backward),
images a second of this machine in training, of one loader process, and of decoding. Extrapolated: hours of the whole
recipe on 1, 10 and 100 times the data, as operations over `--share` of a GPU's peak. The share is an assumption, not a
measurement; so is `--price`, dollars a GPU hour. Early stops are not counted on.
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

import torch
from torch.utils.flop_counter import FlopCounterMode

from chestlib import devices, phantom, settings
from chestlib.data import images, open_data
from chestlib.train import XrayDataset, classifier, collate_boxes, detector

IMAGES = 2700
"""Of a train part of ChestX-Det10, less what validation takes."""
PEAK = {"L4": 121e12, "A100": 312e12, "H100": 989e12}
"""Operations a second, dense bfloat16, by the maker's data sheets."""


def rate(work: Callable[[], object], count: int, rounds: int) -> float:
    """Images a second, median of some rounds after one to warm up."""
    seconds = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return count / statistics.median(seconds[1:])


def operations(work: Callable[[], object], count: int) -> float:
    """Floating-point operations an image; by a second call, since torch's counter counts too many in a first one."""
    work()
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() / count


def trainings(folder: Path, batch: int) -> dict[str, Callable[[], None]]:
    """A training step of each stage as the full profile has it, but for pretrained weights and the batch size."""
    torch.manual_seed(0)
    full = settings.FULL
    records = [record for record in open_data(folder).train if record.diseased][:batch]
    small = XrayDataset(records, full.classifier.image_size, folder / "cache", boxes=False)
    large = XrayDataset(records, full.detector.image_size, folder / "cache", boxes=True)
    pictures = torch.stack([small[i][0] for i in range(batch)])
    films, targets, _ = collate_boxes([large[i] for i in range(batch)])
    stage1 = classifier.SimpleCNN(full.classifier.width, full.classifier.depth)
    stage2 = detector.build(replace(full.detector, weights="none")).train()

    def step(loss: Callable[[], torch.Tensor]) -> Callable[[], None]:
        def run() -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=devices.native_bf16()):
                value = loss()
            value.backward()

        return run

    return {
        "stage 1, 224 px": step(lambda: stage1(pictures).float().mean()),
        "stage 2, 800 px": step(lambda: sum(stage2(films, targets).values())),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--share", type=float, default=0.1, help="of a GPU's peak that training reaches")
    parser.add_argument("--price", type=float, default=2.0, help="dollars a GPU hour")
    parser.add_argument("--batch", type=int, default=2)
    args = parser.parse_args()
    devices.use_threads()
    full = settings.FULL
    with tempfile.TemporaryDirectory() as scratch:
        folder = phantom.write(Path(scratch, "phantom"), 8, 1, size=1024, workers=2)
        work = trainings(folder, args.batch)
        flops = {name: operations(step, args.batch) for name, step in work.items()}
        speed = {name: rate(step, args.batch, args.rounds) for name, step in work.items()}
        records = open_data(folder).train
        augmented = XrayDataset(
            records, full.detector.image_size, folder / "cache", boxes=True, augment=full.detector.augment
        )
        once = range(len(records))
        loading = rate(lambda: [augmented[(i, i)] for i in once], len(once), args.rounds)
        decoding = rate(lambda: [images.read(record.path) for record in records], len(once), args.rounds)

    print(f"Measured: {devices.name()}, median of {args.rounds} rounds, batches of {args.batch}; a training step:")
    for name in work:
        tera = speed[name] * flops[name] / 1e12
        print(f"  {name}: {flops[name] / 1e9:.1f} GFLOP and {1 / speed[name]:.3f} s an image ({tera:.2f} TFLOP/s)")
    print(f"  loading with augmentation, 800 px, one process: {loading:.0f} images/s")
    print(f"  decoding a PNG of 1024 px: {decoding:.0f} images/s, once; then the cache is read")
    epochs = {"stage 1, 224 px": full.classifier.epochs, "stage 2, 800 px": full.detector.epochs}
    trials = full.tune.trials * full.tune.epochs
    total = {name: flops[name] * epochs[name] * IMAGES for name in work}
    tuning = flops["stage 1, 224 px"] * trials * IMAGES
    here = sum(IMAGES * epochs[name] / speed[name] for name in work) + IMAGES * trials / speed["stage 1, 224 px"]
    print(f"\nExtrapolated: tune ({full.tune.trials} trials), stage 1 and stage 2, {IMAGES} images to train on = 1 x;")
    print(f"GPUs at {args.share:.0%} of their peak, {args.price} dollars an hour")
    print(f"{'':22}{'1 x':>16}{'10 x':>16}{'100 x':>16}   stage 2 trains")
    print(f"{'this machine':22}" + "".join(f"{here * n / 3600:>14.0f} h" for n in (1, 10, 100)))
    for device, peak in PEAK.items():
        hours = (sum(total.values()) + tuning) / (peak * args.share) / 3600
        cells = "".join(f"{f'{hours * n:.1f} h ${hours * n * args.price:.0f}':>16}" for n in (1, 10, 100))
        print(f"{device:22}{cells}   {peak * args.share / flops['stage 2, 800 px']:.0f} images/s")
    sides = sorted({full.tune.trial_size, full.classifier.image_size, full.detector.image_size})
    for n in (1, 10, 100):
        count = 3543 * n
        size, minutes = sum(side**2 for side in sides) * count / 1e9, len(sides) * count / decoding / 60
        print(f"cache at {n} x: {size:.1f} GB for {', '.join(map(str, sides))} px; {minutes:.0f} min for one process")
    return 0


if __name__ == "__main__":
    sys.exit(main())
