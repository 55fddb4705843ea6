"""What the quick profile reaches on the phantom: both stages, several seeds, test part used once each.

    python benchmarks/quality.py [--seeds 31 32 33]     can be interrupted, and goes on
        writes figures/quality.json and the README's table, and prints each floor with pass or FAIL

A seed is that of the phantom, of the split and of the training; those of the default chose nothing,
neither settings nor the phantom. The image cache is built before the clock starts;
stage 1's seconds are tuning and training together, both without the scoring of the test part.
Stage 2 is trained twice at one budget: from the chest weights, as the profile has it, and from nothing; what the
weights gain is resampled in pairs.
Exit status 1 if a floor is missed by the mean of the seeds.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import numpy as np
import readme

TOP = Path(__file__).parents[1]
FILE = TOP / "figures" / "quality.json"

STARTS = {"from nothing": "none", "chest weights": "chest"}
"""Of stage 2: what it is called, and its setting."""

FLOORS: dict[str, tuple[tuple[str, ...], float]] = {
    "stage 1: AUROC": (("stage 1", "auroc"), 0.93),
    "stage 1: recall at specificity .70": (("stage 1", "recall on the curve"), 0.92),
    "stage 1: seconds to tune and train": (("stage 1", "seconds"), -90),
    "stage 2, chest weights: AP50": (("stage 2", "chest weights", "AP50"), 0.62),
    "stage 2, from nothing: AP50": (("stage 2", "from nothing", "AP50"), 0.50),
    "stage 2, chest weights: AP50 of Nodule": (("stage 2", "chest weights", "Nodule"), 0.20),
    "stage 2, chest weights: AP50 of Calcification": (("stage 2", "chest weights", "Calcification"), 0.20),
    "stage 2, chest weights: recall at .2 false positives": (("stage 2", "chest weights", "recall at 0.2"), 0.65),
    "stage 2, chest weights: seconds to train": (("stage 2", "chest weights", "seconds"), -300),
}
"""Where a figure stands, and the least that it should be; the most, where negative."""


def measure(seed: int) -> dict[str, Any]:
    """Draw, tune, train and test with one seed."""
    from chestlib import devices, metrics, phantom, settings
    from chestlib.data import cached_images, identify, open_data, splits
    from chestlib.detections import Detections
    from chestlib.train import Run, train_stage, tune

    profile = settings.profile("quick")
    place = TOP / "runs" / "quality" / f"seed-{seed}"
    if (said := place / "result.json").is_file():
        return json.loads(said.read_text())
    train, test = profile.phantom
    data = open_data(
        phantom.write(TOP / "data" / f"phantom-seed-{seed}", train, test, seed=seed, workers=devices.cores())
    )
    split = splits.default(data.train, data.test, seed)
    cache = TOP / "data" / "cache"
    base = {kind: replace(getattr(profile, kind), seed=seed) for kind in ("classifier", "detector")}
    for size in (base["detector"].image_size, base["classifier"].image_size, profile.tune.trial_size):
        for part in (split.train, split.val, split.test):
            cached_images([record.path for record in part], size, cache)

    options: dict[str, Any] = {"split": split, "cache": cache}
    run = Run(place / "classifier")
    study = tune(data, run, base["classifier"], profile.tune, processes=None, **options)
    times = [(t.datetime_start, t.datetime_complete) for t in study.trials if t.datetime_complete]
    tuned = (max(end for _, end in times) - min(start for start, _ in times)).total_seconds()
    chosen = run.tuned(base["classifier"], identify(split, cache))
    first = train_stage(data, run, chosen, resamples=2000, resume=True, **options).read("test")
    scores = first["scores"]
    said_of = {item["file"]: item["disease_probability"] for item in run.read("predictions")["test"]}
    diseased, p = (np.array(v) for v in zip(*((r.diseased, said_of[r.file_name]) for r in split.test), strict=True))
    on_curve = metrics.threshold_at_floor(diseased, p, base["classifier"].specificity_floor).sensitivity
    result = {
        "seed": seed, "train": len(split.train), "val": len(split.val), "test": len(split.test), "split": split.name,
        "device": devices.name(), "precision": devices.precision("auto"), "bf16_gain": devices.bf16_gain(),
        "stage 1": {key: scores[key] for key in ("recall", "specificity", "precision", "f1", "accuracy", "auroc")}
        | {"recall on the curve": on_curve, "intervals": first["intervals"],
           "best trial": study.best_trial.user_attrs.get("auroc"), "trials": len(study.trials),
           "seconds": round(tuned + first["seconds_training"])},
        "stage 2": {},
    }  # fmt: skip
    pair = []
    for name, weights in STARTS.items():
        run, chosen = Run(place / name.replace(" ", "-")), replace(base["detector"], weights=weights)
        done = train_stage(data, run, chosen, resamples=1000, resume=True, **options).read("test")
        found = done["scores"]
        boxes = {file: Detections.from_list(rows) for file, rows in run.read("predictions")["test"].items()}
        pair.append((boxes, run.read("operating_point")["thresholds"]))
        small = {finding: found["coco"]["per_finding"][finding]["AP50"] for finding in ("Nodule", "Calcification")}
        result["stage 2"][name] = small | {
            "AP50": found["coco"]["AP50"],
            "recall at 0.2": found["froc"]["recall_at"]["0.2"],
            "FROC average": found["froc"]["average"],
            "macro F1": found["macro"]["f1"],
            "intervals": found["intervals"],
            "seconds": round(done["seconds_training"]),
        }
    sets, thresholds = zip(*pair, strict=True)
    result["gain"] = metrics.compare(split.test, *sets, thresholds=thresholds, resamples=2000)["differences"]
    said.write_text(json.dumps(result))
    return result


def judge(results: list[dict[str, Any]]) -> bool:
    """Print each floor with the figure of every seed; True if the means reach them all."""
    good = True
    for name, (path, floor) in FLOORS.items():
        values = [float(reduce(getitem, path, result)) for result in results]
        reached = np.mean(values) >= floor if floor > 0 else np.mean(values) <= -floor
        good &= bool(reached)
        told = " ".join(f"{value:7.3f}" if floor > 0 else f"{value:7.0f}" for value in values)
        print(f"{name:55}{told}   {'>=' if floor > 0 else '<='} {abs(floor):g}: {'pass' if reached else 'FAIL'}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[31, 32, 33])
    options = parser.parse_args()
    results = [measure(seed) for seed in options.seeds]
    FILE.write_text(json.dumps(results, indent=1) + "\n")
    readme.main()
    return int(not judge(results))


if __name__ == "__main__":
    sys.exit(main())
