"""What ResNet-50 reached on drawn films, on the machines where it was trained: figures/resnet50.json and its curves.

    chestlib phantom data/phantom-laptop --train 3000 --test 600
    chestlib train detector data/phantom-laptop --run runs/laptop --profile laptop      on a CPU: over night
    chestlib train detector data/phantom-laptop --run runs/full --profile full          on a GPU
    python benchmarks/resnet50.py runs/laptop runs/full

`laptop` was trained to its end on two cores, as above. `full` was cut short, for the GPU was there for minutes: --set
epochs=3 weights=none learning_rate=5e-4 ema=.995 workers=4 and five anchor sizes, one a level from stride 4. Each run
says itself which device, how long, and which settings it had. Runs that were recorded before stay: of "full, four
epochs", with the profile's eight anchor sizes, only the last line of the log is left.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from chestlib import figures
from chestlib.train import Run

FIGURES = Path(__file__).parents[1] / "figures"


def told(run: Run) -> dict[str, Any]:
    """What is kept of a run."""
    about, test, curves = run.read("settings"), run.read("test"), run.metrics()
    scores = test["scores"]
    return {
        "data": f"{about['data']['name']} ({'synthetic' if about['data']['synthetic'] else 'real'})",
        "split": about["split"], "device": about["device"], "precision": about["precision"],
        "versions": about["versions"], "seconds": test["seconds_training"],
        "AP50": scores["coco"]["AP50"], "interval": scores["intervals"]["AP50"],
        "per_finding": {name: row["AP50"] for name, row in scores["coco"]["per_finding"].items()},
        "recall_at": scores["froc"]["recall_at"], "settings": about["settings"],
        "curves": curves.astype(object).where(curves.notna(), None).to_dict("list"),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="*", help="added to the record; none: it is drawn as it is")
    args = parser.parse_args()
    runs = {path.name: Run(path) for path in args.runs}
    file = FIGURES / "resnet50.json"
    kept = json.loads(file.read_text()) | {name: told(run) for name, run in runs.items()}
    file.write_text(json.dumps(kept, indent=1) + "\n")
    figures.use_style()
    figure, axes = plt.subplots(1, 2, figsize=(8, 3))
    for marker, (name, row) in zip("osD^v", ((n, r) for n, r in kept.items() if "curves" in r), strict=False):
        label = f"{name}: {row['settings']['image_size']} px, {row['device']}, {row['seconds'] / 60:.0f} min"
        for axis, curve in zip(axes, ("train_loss", "val_AP50"), strict=True):
            points = zip(row["curves"]["epoch"], row["curves"][curve], strict=True)
            known = [(epoch + 1, value) for epoch, value in points if value is not None]  # not all are validated
            axis.plot(*zip(*known, strict=True), marker=marker, label=label)
    axes[0].set(title="Loss in training", xlabel="epoch")
    axes[1].set(title="AP50 on validation", xlabel="epoch", ylim=(0, None))
    for axis in axes:
        axis.xaxis.get_major_locator().set_params(integer=True)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
    figure.suptitle("ResNet-50 from random weights, drawn films (synthetic)", fontsize=10)
    figures.save(figure, FIGURES / "resnet50.png")


if __name__ == "__main__":
    main()
