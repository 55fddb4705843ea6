"""What the quick profile reaches on the phantom: both stages, several seeds, test part used once each.

    python benchmarks/quality.py [--seeds 0 1 2]     writes figures/quality.json, and prints it as a table

A seed is that of the phantom, of the split and of the training. The image cache is built before the clock starts;
stage 1's seconds are tuning and training together, both without the scoring of the test part.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[1]
FILE = TOP / "figures" / "quality.json"


def measure(seed: int) -> dict[str, Any]:
    """Draw, tune, train and test with one seed."""
    from chestlib import devices, images, phantom, settings, sources, splits, stages, tuning
    from chestlib.runs import Run

    profile = settings.profile("quick")
    place = TOP / "runs" / "quality" / f"seed-{seed}"
    train, test = profile.phantom
    data = sources.open_data(
        phantom.write(TOP / "data" / f"phantom-seed-{seed}", train, test, seed=seed, workers=os.cpu_count() or 1)
    )
    split = splits.default(data.train, data.test, seed)
    cache = TOP / "data" / "cache"
    base = {kind: replace(getattr(profile, kind), seed=seed) for kind in ("classifier", "detector")}
    for chosen in base.values():
        for part in (split.train, split.val, split.test):
            images.cache([record.path for record in part], chosen.image_size, cache)

    run, start = Run(place / "classifier"), time.monotonic()
    tuning.tune(data, run, base["classifier"], profile.tune, split=split, cache=cache)
    tuned = time.monotonic() - start
    chosen = run.tuned(base["classifier"])
    first = stages.train_classifier(data, run, chosen, split=split, resamples=2000, cache=cache).read("test")
    run = Run(place / "detector")
    second = stages.train_detector(data, run, base["detector"], split=split, resamples=1000, cache=cache).read("test")
    scores, found = first["scores"], second["scores"]
    return {
        "seed": seed,
        "train": len(split.train),
        "val": len(split.val),
        "test": len(split.test),
        "split": split.name,
        "device": devices.name(),
        "stage 1": {key: scores[key] for key in ("recall", "specificity", "precision", "f1", "accuracy", "auroc")}
        | {"intervals": first["intervals"], "seconds": round(tuned + first["seconds_training"])},
        "stage 2": {
            "AP50": found["coco"]["AP50"],
            "recall at 0.2": found["froc"]["recall_at"]["0.2"],
            "FROC average": found["froc"]["average"],
            "macro F1": found["macro"]["f1"],
            "intervals": found["intervals"],
            "seconds": round(second["seconds_training"]),
        },
    }


def table(results: list[dict[str, Any]]) -> str:
    """The figures as Markdown."""
    lines = [
        "| quick profile, **synthetic** test part | " + " | ".join(f"seed {r['seed']}" for r in results) + " |",
        "|---" * (len(results) + 1) + "|",
        "| images: train, val, test | " + " | ".join(f"{r['train']}, {r['val']}, {r['test']}" for r in results) + " |",
    ]  # fmt: skip
    rows = (
        ("stage 1", "AUROC", "auroc", "auroc"),
        ("stage 1", "recall", "recall", "recall"),
        ("stage 1", "specificity", "specificity", "specificity"),
        ("stage 2", "AP50", "AP50", "AP50"),
        ("stage 2", "recall at .2 false positives an image", "recall at 0.2", None),
        ("stage 2", "FROC average", "FROC average", "froc_average"),
    )
    for stage, label, key, interval in rows:
        cells = []
        for result in results:
            figures = result[stage]
            low_high = figures["intervals"][interval] if interval else None
            more = f" ({low_high[0]:.2f} to {low_high[1]:.2f})" if low_high else ""
            cells.append(f"{figures[key]:.3f}{more}")
        lines.append(f"| {stage}: {label} | " + " | ".join(cells) + " |")
    for stage, label in (("stage 1", "seconds to tune and train"), ("stage 2", "seconds to train")):
        lines.append(f"| {stage}: {label} | " + " | ".join(str(r[stage]["seconds"]) for r in results) + " |")
    lines += [
        "",
        f"In brackets: 95 % intervals, bootstrap by patient. {results[0]['split']} split; {results[0]['device']}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    results = [measure(seed) for seed in options.seeds]
    FILE.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
