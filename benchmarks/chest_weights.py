"""The weights that `weights=chest` starts from: the quick detector, learnt once from many drawn films.

    python benchmarks/chest_weights.py [--films 4000] [--set epochs=14]      can be interrupted, and goes on
        writes chestlib/train/chest.safetensors and figures/chest-weights.json

The films are phantoms of a seed that nothing else uses, none of a patient of the course. The part that names the
findings is left out: who starts from these weights may look for others.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import safetensors.torch
import torch

from chestlib import devices, phantom, settings
from chestlib.data import open_data
from chestlib.settings import to_json
from chestlib.train import Run, detector, train_stage

TOP = Path(__file__).parents[1]
SEED = 1_000_003
START = {"weights": "none", "epochs": 14, "validate_every": 7, "learning_rate": 1e-3, "augment": 0.3, "ema": 0.998}
"""What differs from the quick detector: more of everything, for this is done once."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=4000)
    parser.add_argument("--test", type=int, default=300, help="films that score the weights")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    args = parser.parse_args()
    [chosen] = settings.change(args.set, replace(settings.QUICK.detector, **START))
    folder = TOP / "data" / f"phantom-seed-{SEED}"
    films = phantom.write(folder, args.films, args.test, seed=SEED, workers=devices.cores())
    run = train_stage(
        open_data(films), Run(TOP / "runs" / "chest-weights"), chosen, resamples=200, cache=TOP / "data" / "cache",
        resume=True, progress=lambda done, total, note: print(f"\r{note}: {done}/{total}", end="", file=sys.stderr),
    )  # fmt: skip
    weights = {
        name.removeprefix("model."): value.half() if value.is_floating_point() else value
        for name, value in safetensors.torch.load_file(run.best).items()
        if not name.startswith(f"model.{detector.ANEW}")
    }
    safetensors.torch.save_file(weights, detector.CHEST)
    test = run.read("test")
    said = {
        "data": "drawn films (synthetic)", "seed": SEED, "films": args.films, "test": test["images"],
        "device": devices.name(), "torch": torch.__version__, "seconds": test["seconds_training"],
        "settings": to_json(chosen), "AP50": test["scores"]["coco"]["AP50"],
        "AP50 interval": test["scores"]["intervals"]["AP50"],
        "command": " ".join(["python benchmarks/chest_weights.py", *sys.argv[1:]]),
    }  # fmt: skip
    (TOP / "figures" / "chest-weights.json").write_text(json.dumps(said, indent=1) + "\n")
    size = detector.CHEST.stat().st_size / 1e6
    print(f"\n{detector.CHEST}: {size:.1f} MB; AP50 {said['AP50']:.3f} on {said['test']} films")


if __name__ == "__main__":
    main()
