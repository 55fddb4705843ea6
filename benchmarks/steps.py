"""Where a training step of the quick detector spends its time: milliseconds an image, part by part.

    python benchmarks/steps.py [--set name=value ...] [--rounds 8]
    ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 python benchmarks/steps.py      a lesser processor, imitated

Forward parts are timed where they are called; what autograd does afterwards is one part, and so is the optimiser. The
loader's part is the augmentation of a batch, which a training does in its own process between two steps.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import torch

from chestlib import devices, phantom, settings
from chestlib.data import open_data
from chestlib.train import Detector, XrayDataset, collate_boxes

PARTS: dict[str, tuple[str, ...]] = {
    "trunk": ("backbone.body",),
    "pyramid": ("backbone.fpn",),
    "anchors and proposal head": ("rpn.head", "rpn.anchor_generator"),
    "proposals: decoding, NMS": ("rpn.filter_proposals", "rpn.box_coder.decode"),
    "proposals: targets, loss": ("rpn.assign_targets_to_anchors", "rpn.compute_loss"),
    "sampling of regions": ("roi_heads.select_training_samples",),
    "RoIAlign": ("roi_heads.box_roi_pool",),
    "box head": ("roi_heads.box_head", "roi_heads.box_predictor"),
}
"""Parts of the forward step, and what is called for them."""


def timed(times: dict[str, float], part: str, call: Callable) -> Callable:
    """The same call, whose seconds are added up."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        result = call(*args, **kwargs)
        times[part] += time.perf_counter() - start
        return result

    return wrapped


def measure(detector: Detector, dataset: XrayDataset, rounds: int) -> dict[str, float]:
    """Milliseconds an image: the median of each part over the rounds, and of a validation batch."""
    model, batch = detector.model, detector.settings.batch_size
    times: dict[str, float] = defaultdict(float)
    for part, names in PARTS.items():
        for name in names:
            *owners, last = name.split(".")
            holder = reduce(getattr, owners, model)
            called = getattr(holder, last)
            if isinstance(called, torch.nn.Module):
                called.forward = timed(times, part, called.forward)
            else:
                setattr(holder, last, timed(times, part, called))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    kind = devices.autocast(detector.settings.precision)
    all_rounds: dict[str, list[float]] = defaultdict(list)

    def add(name: str, start: float) -> float:
        now = time.perf_counter()
        all_rounds[name].append(1000 * (now - start) / batch)
        return now

    for turn in range(rounds + 2):
        at = turn * batch
        start = time.perf_counter()
        images, targets, _ = collate_boxes([dataset[((at + i) % len(dataset), turn)] for i in range(batch)])
        start = add("loader: augmentation", start)
        times.clear()
        detector.train()
        with torch.autocast("cpu", kind, enabled=kind is not None):
            loss = sum(model(images, targets).values())
        end = add("forward", start)
        for part in PARTS:
            all_rounds[part].append(1000 * times[part] / batch)
        loss.backward()
        end = add("backward", end)
        torch.nn.utils.clip_grad_norm_(model.parameters(), detector.settings.clip)
        optimizer.step()
        optimizer.zero_grad()
        end = add("clipping and optimiser", end)
        all_rounds["a step"].append(1000 * (end - start) / batch + all_rounds["loader: augmentation"][-1])
        detector.eval()
        with torch.inference_mode(), torch.autocast("cpu", kind, enabled=kind is not None):
            model(images)
        add("validation, an image", end)
    return {name: statistics.median(values[2:]) for name, values in all_rounds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--rounds", type=int, default=8)
    args = parser.parse_args()
    threads = devices.use_threads()
    [chosen] = settings.change(args.set, settings.QUICK.detector)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        data = open_data(phantom.write(folder / "phantom", 48, 2, size=512, seed=9, workers=threads))
        dataset = XrayDataset(data.train, chosen.image_size, folder / "cache", boxes=True, augment=chosen.augment)
        table = measure(Detector(chosen), dataset, args.rounds)
    print(f"{devices.name()}, {torch.backends.cpu.get_cpu_capability()}, {devices.precision(chosen.precision)}, "
          f"{chosen.image_size} px, batch {chosen.batch_size}; milliseconds an image")  # fmt: skip
    for name in ["loader: augmentation", *PARTS, "forward", "backward", "clipping and optimiser", "a step",
                 "validation, an image"]:  # fmt: skip
        print(f"{name:28}{table[name]:8.1f}")


if __name__ == "__main__":
    main()
