"""What fusion gains and costs: the quick detector alone, with mirror images, and two and three seeds of it together.

    python benchmarks/ensembles.py [--seeds 0 1 2]     can be interrupted, and goes on
        trains under runs/ensembles where need be, and writes figures/ensembles.json

All seeds have the parts of the first, and are trained on the quick phantom. Every answer is called by thresholds chosen
on validation, and is compared with the first seed alone, resampled by patient. Times are of the models, on films that
are read before, in turns: the median of the rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[1]
RESAMPLES, ROUNDS, BATCH, FILMS = 2000, 7, 8, 64


def prices(ways: dict[str, Any], records: list[Any]) -> dict[str, dict[str, float]]:
    """Milliseconds a film of each way and of reading it, and how many times those of the first way."""
    from chestlib.prediction import TwoStage

    models = {name: TwoStage(None, runs, flip=flip) for name, (runs, flip) in ways.items()}
    paths = [str(record.path) for record in records[:FILMS]]
    taken: dict[str, list[float]] = {name: [] for name in (*models, "reading")}
    for _ in range(ROUNDS + 1):
        clock = [time.perf_counter()]
        films = [models["alone"].read(path) for path in paths]
        clock.append(time.perf_counter())
        for model in models.values():
            for at in range(0, len(films), BATCH):
                model.answer(films[at : at + BATCH])
            clock.append(time.perf_counter())
        for name, start, end in zip(("reading", *models), clock[:-1], clock[1:], strict=True):
            taken[name].append((end - start) / len(films))
    taken = {name: seconds[1:] for name, seconds in taken.items()}  # the first round warms up
    return {
        name: {
            "milliseconds": round(1000 * statistics.median(seconds), 2),
            "times alone": round(statistics.median(a / b for a, b in zip(seconds, taken["alone"], strict=True)), 3),
        }
        for name, seconds in taken.items()
    }


def measure(data: Any, chosen: Any, seeds: list[int], place: Path) -> dict[str, Any]:
    """Train a run a seed, fuse, score and time."""
    from chestlib import devices, metrics
    from chestlib.data import splits
    from chestlib.train import Run, points_together, said_together, train_stage

    split = splits.default(data.train, data.test, seeds[0])
    options: dict[str, Any] = {"split": split, "resamples": RESAMPLES, "resume": True}
    runs = [train_stage(data, Run(place / f"seed-{seed}"), replace(chosen, seed=seed), **options) for seed in seeds]
    ways = {"alone": (runs[:1], False), "mirror image": (runs[:1], True), "two": (runs[:2], False)}
    ways |= {"three": (runs[:3], False), "two, mirror images": (runs[:2], True)}
    said = {name: said_together(of, "test", flip) for name, (of, flip) in ways.items()}
    thresholds = {name: points_together(of, flip)["thresholds"] for name, (of, flip) in ways.items()}
    cost, rows = prices(ways, split.test), {}
    for name, found in said.items():
        pair = thresholds["alone"], thresholds[name]
        gain = metrics.compare(split.test, said["alone"], found, thresholds=pair, resamples=RESAMPLES)["differences"]
        between = metrics.detection_intervals(split.test, found, thresholds[name], RESAMPLES)
        rows[name] = {key: {"value": gain[key]["b"], "interval": between[key]} for key in gain}
        rows[name] |= {"gain over alone": gain, "price": cost[name]}
    val, called = [said_together([run], "val") for run in runs], [str(run.path) for run in runs]
    ious = {iou: metrics.fuse_all(val, called, iou) for iou in (0.4, 0.5, 0.6, 0.7)}
    return {
        "command": "python benchmarks/ensembles.py", "device": devices.name(), "data": data.root.name,
        "synthetic": data.synthetic, "split": split.name, "seeds": seeds, "val": len(split.val),
        "test": len(split.test), "resamples": RESAMPLES, "reading": cost["reading"], "ways": rows,
        "AP50 of all on val by overlap": {i: metrics.coco_scores(split.val, said)["AP50"] for i, said in ious.items()},
        "seconds_training": [run.read("test")["seconds_training"] for run in runs],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs=3, default=[0, 1, 2])
    chosen = parser.parse_args()
    from chestlib import course, settings

    quick = settings.profile("quick")
    result = measure(course.phantom(quick), quick.detector, chosen.seeds, TOP / "runs" / "ensembles")
    (TOP / "figures" / "ensembles.json").write_text(json.dumps(result, indent=1) + "\n")
    print(f"{'':<22}{'AP50':>8}{'gain (95 %)':>28}{'times alone':>14}")
    for name, row in result["ways"].items():
        gain = row["gain over alone"]["AP50"]
        told = f"{gain['difference']:+.3f} ({gain['interval'][0]:+.3f} to {gain['interval'][1]:+.3f})"
        print(f"{name:<22}{row['AP50']['value']:>8.3f}{told:>28}{row['price']['times alone']:>14.2f}")


if __name__ == "__main__":
    main()
