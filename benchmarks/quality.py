"""What the quick profile reaches on the phantom: both stages, several seeds, test part used once each.

    python benchmarks/quality.py [--seeds 31 32 33]     writes figures/quality.json and the README's table

A seed is that of the phantom, of the split and of the training; those of the default chose nothing,
neither settings nor the phantom. The image cache is built before the clock starts;
stage 1's seconds are tuning and training together, both without the scoring of the test part.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import readme

TOP = Path(__file__).parents[1]
FILE = TOP / "figures" / "quality.json"


def measure(seed: int) -> dict[str, Any]:
    """Draw, tune, train and test with one seed."""
    from chestlib import devices, metrics, phantom, settings
    from chestlib.data import cached_images, open_data, splits
    from chestlib.train import Run, train_stage, tune

    profile = settings.profile("quick")
    place = TOP / "runs" / "quality" / f"seed-{seed}"
    train, test = profile.phantom
    data = open_data(
        phantom.write(TOP / "data" / f"phantom-seed-{seed}", train, test, seed=seed, workers=devices.cores())
    )
    split = splits.default(data.train, data.test, seed)
    cache = TOP / "data" / "cache"
    base = {kind: replace(getattr(profile, kind), seed=seed) for kind in ("classifier", "detector")}
    for chosen in base.values():
        for part in (split.train, split.val, split.test):
            cached_images([record.path for record in part], chosen.image_size, cache)

    run, start = Run(place / "classifier"), time.monotonic()
    tune(data, run, base["classifier"], profile.tune, split=split, cache=cache)
    tuned = time.monotonic() - start
    chosen = run.tuned(base["classifier"])
    first = train_stage(data, run, chosen, split=split, resamples=2000, cache=cache).read("test")
    run = Run(place / "detector")
    second = train_stage(data, run, base["detector"], split=split, resamples=1000, cache=cache).read("test")
    scores, found = first["scores"], second["scores"]
    said = {item["file"]: item["disease_probability"] for item in Run(place / "classifier").read("predictions")["test"]}
    diseased, p = (np.array(v) for v in zip(*((r.diseased, said[r.file_name]) for r in split.test), strict=True))
    on_curve = metrics.threshold_at_floor(diseased, p, base["classifier"].specificity_floor).sensitivity
    return {
        "seed": seed,
        "train": len(split.train),
        "val": len(split.val),
        "test": len(split.test),
        "split": split.name,
        "device": devices.name(),
        "stage 1": {key: scores[key] for key in ("recall", "specificity", "precision", "f1", "accuracy", "auroc")}
        | {
            "recall on the curve": on_curve,
            "intervals": first["intervals"],
            "seconds": round(tuned + first["seconds_training"]),
        },
        "stage 2": {
            "AP50": found["coco"]["AP50"],
            "recall at 0.2": found["froc"]["recall_at"]["0.2"],
            "FROC average": found["froc"]["average"],
            "macro F1": found["macro"]["f1"],
            "intervals": found["intervals"],
            "seconds": round(second["seconds_training"]),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[31, 32, 33])
    options = parser.parse_args()
    results = [measure(seed) for seed in options.seeds]
    FILE.write_text(json.dumps(results, indent=1) + "\n")
    print(readme.quality(results))
    readme.main()


if __name__ == "__main__":
    main()
