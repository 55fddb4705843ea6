"""What the phantom is worth to real films: one training from four starts, on 50, 100 and all films.

    python benchmarks/real_transfer.py [--films ../shared/real] [--phantom data/phantom-quick] [--seeds 1]

Writes the section "transfer" of figures/real.json, after each training anew. Films: the 216 of chestx-det10-part, one
fixed split by patient, a third to test; a seed draws which 50 or 100 films teach, their order and the first weights.
Runs are kept in runs/real/transfer: run it again and it goes on. Beside other work begin with `taskset -c 0`.

    random              all weights are random
    phantom             the whole detector learnt from drawings first, from random weights
    ImageNet            the trunk has the weights of ImageNet; pyramid and heads are random
    ImageNet, phantom   the whole detector learnt from drawings first, its trunk from ImageNet

Each is then trained with the same settings, the same number of steps and of images seen, however few films there are;
0 films are the phantom's exam. That it be fair: all weights learn in all rows (random ones cannot be frozen), and all
networks have the same norms, which take the statistics of the batch in training and running ones after. chestlib's own
way with ImageNet, norms that keep the published statistics, would leave random weights without any.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from real_films import READ, RUNS, Film, films, options, save

from chestlib import devices, metrics
from chestlib.data import Record, open_data, patient_groups
from chestlib.detections import Detections
from chestlib.files import plain
from chestlib.findings import FINDINGS
from chestlib.settings import DetectorSettings
from chestlib.train import Detector, Run, XrayDataset, collate_boxes, detector, fit, load_weights

HERE = RUNS / "transfer"

SETTINGS = DetectorSettings(
    image_size=128, trunk="efficientnet_lite0", weights="none", heads="independent", head_units=128, batch_size=4,
    learning_rate=1e-3, epochs=4, validate_every=4, augment=0.2, precision="32-true", score_floor=1e-3,
    max_detections=100, workers=0,
)  # fmt: skip
SEEN = {"phantom": 500, "films": 100}
"""Images an epoch, whatever there is: 500 and 100 steps in all."""

STARTS = ("random", "phantom", "ImageNet", "ImageNet, phantom")
FEW = (50, 100)

FIGURES = ("AP50", "AUROC of findings", "AUROC of disease")

Predictions = dict[str, Detections]


def split(read: Sequence[Film]) -> tuple[list[Record], list[Record]]:
    """Cut the films in two by patient: two thirds to learn from, a third to test; both with a third of the normal."""
    patients: dict[str, bool] = {}
    for film in read:
        patients[film.record.patient] = film.diseased or patients.get(film.record.patient, False)
    rng, tested = np.random.default_rng(0), set()
    for sick in (True, False):
        kind = rng.permutation(sorted(patient for patient, its in patients.items() if its == sick)).tolist()
        tested |= set(kind[: len(kind) // 3])
    parts = [[film.record for film in read if (film.record.patient in tested) == test] for test in (False, True)]
    return parts[0], parts[1]


def begin(start: str, seed: int, phantom: Path) -> Detector:
    """Build the detector of a start, ready to learn."""
    module = Detector(replace(SETTINGS, seed=seed))
    if start == "ImageNet":
        published = Detector(replace(SETTINGS, weights="imagenet")).model.backbone.body.state_dict()
        module.model.backbone.body.load_state_dict(published, strict=False)  # it has no count of batches
    if start.endswith("phantom"):
        load_weights(module, drawn(start, phantom).best)  # leaves it ready to predict
    return module.train()


def drawn(start: str, phantom: Path) -> Run:
    """Learn from drawings; one training serves all seeds."""
    before = start.removesuffix("phantom").removesuffix(", ") or "random"
    return learn(f"phantom-{before}", before, 0, open_data(phantom).train, SEEN["phantom"], phantom)


def learn(name: str, start: str, seed: int, parts: Sequence[Record], seen: int, phantom: Path) -> Run:
    """Train, or go on, or find it done."""
    run = Run(HERE / name)
    if not (run.path / "seconds.json").is_file():
        module, cache = begin(start, seed, phantom), RUNS / "cache"
        train = XrayDataset(parts, SETTINGS.image_size, cache, boxes=True, augment=SETTINGS.augment)
        # Validated once, when all is over, on films that it learnt from: nothing is chosen.
        last = XrayDataset([record for record in parts if record.diseased][:8], SETTINGS.image_size, cache, boxes=True)
        factors = np.full(len(parts), seen / len(parts))
        fit(run, module, train, last, monitor="val_loss", collate=collate_boxes, factors=factors, resume=True)
        run.write("seconds", round(module.seconds, 1))
        run.last.unlink()  # 50 MB, and nothing is left to resume
    return run


def detect(run: Run, records: Sequence[Record]) -> Predictions:
    """Give what a run's detector says of films, from its file if it was asked before."""
    file = run.path / "predictions.json"
    if not file.is_file():
        module = Detector(SETTINGS)
        load_weights(module, run.best)
        pictures = XrayDataset(records, SETTINGS.image_size, RUNS / "cache", boxes=True)
        said = (detector.detect(module, [pictures.image(i)], [size])[0] for i, size in enumerate(pictures.pixels.sizes))
        run.write("predictions", {r.file_name: found.to_list() for r, found in zip(records, said, strict=True)})
    return {name: Detections.from_list(boxes) for name, boxes in json.loads(file.read_text()).items()}


def scores(truth: Sequence[Record], seeds: Sequence[Mapping[str, Detections]], resamples: int) -> dict[str, Any]:
    """Score a row: means over seeds with their interval over patients, and the figure of each seed.

    The score of a film is that of its best box, of a finding or of any.
    """
    sick = np.array([record.diseased for record in truth])
    said = [{record.file_name: found[record.file_name] for record in truth} for found in seeds]
    best = [np.array([found[r.file_name].scores.max(initial=0) for r in truth]) for found in said]
    ranks = [[metrics.coco_ranks(truth, found, name)[0][0] for name in FINDINGS] for found in said]

    def of_seeds(weights: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "AP50": np.stack([
                metrics.mean_present(np.stack([metrics.average_precision(rank, weights) for rank in own], 1))
                for own in ranks
            ]),
            "AUROC of findings": np.stack([
                metrics.mean_present(metrics.finding_auroc(truth, found, weights)) for found in said
            ]),
            "AUROC of disease": np.stack([metrics.weighted_scores(sick, p, 0.0, weights)["auroc"] for p in best]),
        }  # fmt: skip

    intervals = metrics.bootstrap_intervals(
        lambda weights: {name: value.mean(0) for name, value in of_seeds(weights).items()},
        patient_groups(truth), resamples,
    )  # fmt: skip
    row: dict[str, Any] = {"films": len(truth), "normal": int((~sick).sum()), "seeds": len(seeds)}
    for name, values in of_seeds(np.ones((1, len(truth)))).items():
        row[name] = {
            "mean": round(float(values.mean()), 3),
            "interval": [round(v, 3) for v in intervals[name]],
            "of each seed": [round(float(v), 3) for v in values[:, 0]],
        }
    each = np.mean([metrics.finding_auroc(truth, found, np.ones((1, len(truth))))[0] for found in said], axis=0)
    row["AUROC of each"] = plain(dict(zip(FINDINGS, each.round(2), strict=True)))  # None: on no film
    return row


def table(train: list[Record], test: list[Record], phantom: Path, seeds: int, resamples: int) -> dict[str, Any]:
    """Train what is not trained, seed by seed, and tell each row as soon as it is there."""
    rows: dict[str, dict[str, Any]] = {start: {} for start in STARTS}
    found: dict[tuple[str, int], list[Predictions]] = {}
    exams = {start: detect(drawn(start, phantom), [*train, *test]) for start in STARTS if start.endswith("phantom")}
    for start, exam in exams.items():
        rows[start]["0"] = scores(test, [exam], resamples)
    for seed in range(seeds):
        order = np.random.default_rng([1, seed]).permutation(len(train))
        for count in (len(train), *FEW):
            for start in STARTS:
                name = f"{start.lower().replace(', ', '-')}-{count}-{seed}"
                run = learn(name, start, seed, [train[i] for i in order[:count]], SEEN["films"], phantom)
                own = found.setdefault((start, count), [])
                own.append(detect(run, test))
                rows[start][str(count)] = scores(test, own, resamples)
                told = {key: rows[start][str(count)][key]["mean"] for key in FIGURES}
                print(f"{count:4} films, seed {seed}, {start}: {told}", flush=True)
                write(rows, train, test, phantom, seeds)
    return rows


def write(rows: dict[str, Any], train: list[Record], test: list[Record], phantom: Path, seeds: int) -> None:
    """Put what is there into the file."""
    patients = [len({record.patient for record in part}) for part in (train, test)]
    cost = {file.parent.name: json.loads(file.read_text()) for file in sorted(HERE.glob("*/seconds.json"))}
    save("transfer", {
        "rows": {start: {count: own[count] for count in sorted(own, key=int)} for start, own in rows.items()},
        "of": {
            "data": f"{READ}, {len(train)} films of {patients[0]} patients to learn from, {len(test)} of {patients[1]} "
                    "to test, one split by patient; drawings: chestlib phantom, 1,200 of seed 0",
            "settings": f"{SETTINGS.trunk}, {SETTINGS.image_size} px, all weights learn, batches of "
                        f"{SETTINGS.batch_size}; {SETTINGS.epochs * SEEN['phantom']} drawings seen, then "
                        f"{SETTINGS.epochs * SEEN['films']} films, in each row",
            "intervals": "95 %, over patients", "device": devices.name(), "seconds of trainings": cost,
            "command": f"python benchmarks/real_transfer.py --seeds {seeds}",
        },
    })  # fmt: skip


def main() -> None:
    """Train, and write the figures."""
    parser = options(__doc__, "--resamples", "--phantom")
    parser.add_argument("--seeds", type=int, default=1)
    args = parser.parse_args()
    read = [film for film in films(args.films) if film.source == READ]
    train, test = split(read)
    assert not {record.patient for record in train} & {record.patient for record in test}, "a patient in both parts"
    table(train, test, args.phantom, args.seeds, args.resamples)


if __name__ == "__main__":
    main()
