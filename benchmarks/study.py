"""What tuning gains over the defaults, and whether the operating point keeps its marks on new images: several seeds.

    python benchmarks/study.py [--seeds 41 42 43 44 45] [--at-once 1]     writes figures/tuning.json

A seed is that of the phantom, of the split and of the training. Stage 1 is trained twice with the quick profile, by its
defaults and by what its study found; both are scored on the same test part, by thresholds chosen on validation, and the
differences are resampled by patient. A seed that figures/tuning.json holds is not measured again. Seeds 31, 32 and 33
are left for `benchmarks/quality.py`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

TOP = Path(__file__).parents[1]
FILE = TOP / "figures" / "tuning.json"
SHOWN = ("auroc", "average_precision", "recall", "specificity")


def trained(data: Any, run: Any, chosen: Any, split: Any, cache: Path) -> tuple[dict[str, Any], np.ndarray, float]:
    """Train and score once: scores and seconds, probabilities of test, threshold."""
    from chestlib import metrics
    from chestlib.train import train_stage

    run = train_stage(data, run, chosen, split=split, resamples=20, cache=cache, resume=True)
    test, threshold = run.read("test"), run.read("operating_point")["threshold"]
    said = {row["file"]: row["disease_probability"] for row in run.read("predictions")["test"]}
    p, y = (np.array(v) for v in zip(*((said[r.file_name], r.diseased) for r in split.test), strict=True))
    on_curve = metrics.threshold_at_floor(y, p, chosen.specificity_floor).sensitivity
    scores = {name: test["scores"][name] for name in SHOWN} | {"recall on the curve": on_curve}
    return scores | {"seconds": test["seconds_training"]}, p, threshold


def measure(seed: int) -> dict[str, Any]:
    """Train by the defaults, tune, train by what was found."""
    from chestlib import devices, metrics, settings
    from chestlib.data import cached_images, identify, open_data, splits
    from chestlib.train import Run, tune

    profile, cache = settings.profile("quick"), TOP / "data" / "cache"
    data = open_data(TOP / "data" / f"phantom-seed-{seed}")
    base, place = replace(profile.classifier, seed=seed), TOP / "runs" / "study" / f"seed-{seed}"
    split = splits.default(data.train, data.test, seed)
    for size in (base.image_size, profile.tune.trial_size):
        for part in (split.train, split.val, split.test):
            cached_images([record.path for record in part], size, cache)
    plain, before, first = trained(data, Run(place / "defaults"), base, split, cache)
    run = Run(place / "tuned")
    study = tune(data, run, base, profile.tune, split=split, cache=cache, processes=None)
    # Of the trials one after the other: a study that was finished earlier is read in no time.
    seconds = sum(trial.duration.total_seconds() for trial in study.trials if trial.duration)
    chosen = run.tuned(base, identify(split, cache))
    tuned, after, second = trained(data, run, chosen, split, cache)
    compared = metrics.compare_binary(split.test, before, after, (first, second), seed=seed)["differences"]
    return {
        "seed": seed,
        "device": devices.name(),
        "defaults": plain,
        "tuned": tuned,
        "gain": {name: compared[name] for name in SHOWN},
        "study": {
            "trials": len(study.trials),
            "pruned": sum(trial.state.name == "PRUNED" for trial in study.trials),
            "best auroc": max(trial.user_attrs.get("auroc", 0.0) for trial in study.trials),
            "chosen": study.best_params,
            "seconds": round(seconds, 1),
        },
    }


def mean_gain(results: list[dict[str, Any]], figure: str) -> dict[str, float]:
    """The mean over seeds of what tuning gains, with the 95 % interval of Student's t."""
    from scipy import stats

    gains = np.array([r["tuned"][figure] - r["defaults"][figure] for r in results])
    mean, error = gains.mean(), gains.std(ddof=1) / len(gains) ** 0.5 if len(gains) > 1 else float("nan")
    reach = stats.t.ppf(0.975, max(1, len(gains) - 1)) * error
    return {"gain": round(mean, 4), "low": round(mean - reach, 4), "high": round(mean + reach, 4)}


def table(results: list[dict[str, Any]]) -> str:
    """A line a seed, and the mean gain."""
    lines = [f"{'seed':<6}{'best trial':>11}" + "".join(f"{name[:10]:>22}" for name in SHOWN) + f"{'seconds':>20}"]
    for r in results:
        pairs = "".join(f"{r['defaults'][name]:>14.3f} -> {r['tuned'][name]:.3f}"[-22:].rjust(22) for name in SHOWN)
        seconds = f"{r['study']['seconds']:.0f} + {r['tuned']['seconds']:.0f}"
        lines.append(f"{r['seed']:<6}{r['study']['best auroc']:>11.3f}{pairs}{seconds:>20}")
    for name in SHOWN:
        gain = mean_gain(results, name)
        lines.append(f"tuning gains in {name}: {gain['gain']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f})")
    for how in ("defaults", "tuned"):
        kept = sum(r[how]["recall"] >= 0.9 and r[how]["specificity"] >= 0.7 for r in results)
        lines.append(f"recall .90 and specificity .70 are kept on {kept} of {len(results)} seeds: {how}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[41, 42, 43, 44, 45])
    parser.add_argument("--at-once", type=int, default=1, help="seeds in processes beside each other, as on a GPU")
    options = parser.parse_args()
    from chestlib import devices, phantom, settings

    results = {r["seed"]: r for r in (json.loads(FILE.read_text()) if FILE.exists() else [])}
    due = [seed for seed in options.seeds if seed not in results]
    train, test = settings.profile("quick").phantom
    for seed in due:
        phantom.write(TOP / "data" / f"phantom-seed-{seed}", train, test, seed=seed, workers=devices.cores())
    with ProcessPoolExecutor(options.at_once, mp_context=multiprocessing.get_context("spawn")) as pool:
        for found in as_completed([pool.submit(measure, seed) for seed in due]):
            results[found.result()["seed"]] = found.result()
            FILE.write_text(json.dumps([results[seed] for seed in sorted(results)], indent=1) + "\n")
    print(table([results[seed] for seed in sorted(results)]))


if __name__ == "__main__":
    main()
