"""Which validation figure should choose a checkpoint: measured by what each choice is worth on test.

    python benchmarks/choice.py data/phantom-quick --stage classifier --seeds 0 1 2 3 4 --out choice.json

Each seed draws its own validation part and trains once with the quick profile; every epoch is scored on validation and
on test. For each figure: the mean over seeds of what its best epoch reaches on test, what it loses to the best epoch
(that only test knows), and how many epochs tie for the best. Test is looked at here, so no reported model is chosen so.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from chestlib import metrics, settings
from chestlib.data import DataFolder, Record, open_data, splits
from chestlib.train import Classifier, Detector, Run, XrayDataset, classifier, collate_boxes, fit, repeat_factors

WORTH = {"classifier": ("recall at the floor", "AUROC", "partial AUROC"), "detector": ("AP50", "AP", "FROC average")}


class Watched:
    """Keeps what an epoch says of test, and lets the training see validation alone."""

    def all_seen(self) -> dict[str, Any]:
        seen = super().all_seen()
        self.told.append({name: found for name, found in seen.items() if name in self.test})
        if isinstance(self, Classifier):
            logit, truth = np.array([found for name, found in seen.items() if name not in self.test]).T
            partial = roc_auc_score(truth > 0.5, logit, max_fpr=1 - settings.SPECIFICITY_FLOOR)
            self.log("val_partial_auroc", float(partial))
        return {name: found for name, found in seen.items() if name not in self.test}


class WatchedClassifier(Watched, Classifier):
    pass


class WatchedDetector(Watched, Detector):
    pass


def worth_classifier(seen: dict[str, Any], floor: float) -> dict[str, float]:
    logit, truth = np.array(list(seen.values())).T
    probability, truth = 1 / (1 + np.exp(-logit)), truth > 0.5
    point = metrics.threshold_at_floor(truth, probability, floor)
    partial = roc_auc_score(truth, probability, max_fpr=1 - floor)
    return {
        "recall at the floor": point.sensitivity, "AUROC": roc_auc_score(truth, probability), "partial AUROC": partial,
    }  # fmt: skip


def worth_detector(seen: dict[str, Any], floor: float) -> dict[str, float]:
    truth, found = [record for record, _ in seen.values()], {name: found for name, (_, found) in seen.items()}
    scores = metrics.evaluate(truth, found)
    return {"AP50": scores["coco"]["AP50"], "AP": scores["coco"]["AP"], "FROC average": scores["froc"]["average"]}


def train(data: DataFolder, stage: str, seed: int, epochs: int | None, cache: Path) -> list[dict[str, Any]]:
    """One training: for each epoch what validation says (`val`) and what it is worth (`test`)."""
    base = getattr(settings.QUICK, stage)
    chosen = replace(base, seed=seed, validate_every=1, epochs=epochs or base.epochs)
    split, boxes = splits.default(data.train, data.test, seed), stage == "detector"
    judged: list[Record] = [*split.val, *split.test]
    parts = [
        XrayDataset(records, chosen.image_size, cache, boxes=boxes, augment=strength)
        for records, strength in ((split.train, chosen.augment), (judged, 0.0))
    ]
    module = WatchedDetector(chosen) if boxes else WatchedClassifier(chosen, classifier.pos_weight(split.train))
    module.told, module.test = [], {record.file_name for record in split.test}
    options = (
        {"collate": collate_boxes, "factors": repeat_factors(split.train, chosen.repeat_threshold)} if boxes else {}
    )
    worth = worth_detector if boxes else worth_classifier
    with tempfile.TemporaryDirectory() as folder:
        run = Run(folder)
        fit(run, module, *parts, monitor="val_AP50" if boxes else classifier.MONITOR, **options)
        rows = run.metrics().to_dict("records")
    floor = settings.SPECIFICITY_FLOOR
    return [
        {"seed": seed, "val": {k: v for k, v in row.items() if k.startswith("val_")}, "test": worth(told, floor)}
        for row, told in zip(rows, module.told, strict=True)
    ]


def table(epochs: list[dict[str, Any]], stage: str) -> str:
    lines = [f"{'chosen by':<16}{'ties':>6}" + "".join(f"{name:>22}{'regret':>8}" for name in WORTH[stage])]
    seeds = sorted({row["seed"] for row in epochs})
    figures = [
        key for key in epochs[0]["val"] if key not in ("val_precision", "val_f1", "val_accuracy", "val_specificity")
    ]
    for figure in [*figures, "last epoch"]:
        reached, lost, ties = [], [], []
        for seed in seeds:
            rows = [row for row in epochs if row["seed"] == seed]
            sign = -1 if figure.endswith("loss") else 1
            told = np.array([sign * row["val"].get(figure, i) for i, row in enumerate(rows)])
            worth = np.array([[row["test"][name] for name in WORTH[stage]] for row in rows])
            reached.append(worth[told.argmax()])  # the first of equals, as Lightning keeps it
            lost.append(worth.max(0) - worth[told.argmax()])
            ties.append((told == told.max()).sum())
        cells = zip(np.mean(reached, 0), np.std(reached, 0), np.mean(lost, 0), strict=True)
        lines.append(
            f"{figure.removeprefix('val_'):<16}{np.mean(ties):>6.1f}"
            + "".join(f"{f'{m:.3f} ± {s:.3f}':>22}{r:>8.3f}" for m, s, r in cells)
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--stage", choices=WORTH, default="classifier")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int)
    parser.add_argument(
        "--out", type=Path, required=True, help="JSON of all epochs; seeds that it holds are not trained again"
    )
    args = parser.parse_args()
    data = open_data(args.data)
    epochs = json.loads(args.out.read_text()) if args.out.exists() else []
    for seed in args.seeds:
        if seed not in {row["seed"] for row in epochs}:
            epochs += train(data, args.stage, seed, args.epochs, args.data.parent / "cache")
            args.out.write_text(json.dumps(epochs))
    print(f"{args.stage}, {data.root.name}{' (synthetic)' if data.synthetic else ''}, {len(args.seeds)} seeds")
    print(table([row for row in epochs if row["seed"] in args.seeds], args.stage))
    return 0


if __name__ == "__main__":
    sys.exit(main())
