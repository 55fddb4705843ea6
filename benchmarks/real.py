"""What real films teach: five folds by patient; each film is scored by models that never saw its patient.

    python benchmarks/real.py [--films ../shared/real] [--folds 5] [--resamples 1000]

Writes the sections "stage 1", "operating point", "stage 2" and "localisation" of figures/real.json. Films: the 216 of
chestx-det10-part (readers' boxes of ten findings) and the 1,659 of nih (labels mined from reports; on 621 of them boxes
of some findings, so that what else is there has no box). How they are learnt stands in real_recipe.py. What is done is
kept in runs/real, fold by fold: run it again and it goes on. Beside other work begin with `taskset -c 0`: two threads
that wait for each other take ten times longer than one.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from real_films import READ, RUNS, TOLD, Film, films, options, save
from real_recipe import SHARE, detect, features, fit_detector, fit_heads, taught
from sklearn.linear_model import LogisticRegression

from chestlib import devices, metrics
from chestlib.data import patient_groups
from chestlib.detections import Detections
from chestlib.files import read_json
from chestlib.findings import FINDINGS
from chestlib.prediction import shipped
from chestlib.train import linear

COMMAND = "python benchmarks/real.py"

SHARED = ("Atelectasis", "Effusion", "Mass", "Nodule", "Pneumothorax")
"""Findings that NIH boxed under a name that ChestX-Det10 has, too."""


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


def cross_validated(seen: Sequence[Film], fold: np.ndarray) -> tuple[np.ndarray, list[Detections], list[Detections]]:
    """Ask of each film the models of the other folds: heads (films, 11) as logits, boxes, boxes tempered by heads."""
    values, said = features(seen), np.zeros((len(seen), 1 + len(FINDINGS)))
    found: list[Any] = [None] * len(seen)
    joined = list(found)
    for k in range(fold.max() + 1):
        learnt, asked = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        teachers, films_of_k = [seen[i] for i in learnt], [seen[i] for i in asked]
        both = {film.record.patient for film in teachers} & {film.record.patient for film in films_of_k}
        assert not both, f"patients in two folds: {both}"
        slopes, offsets = fit_heads(teachers, values[learnt])
        said[asked] = values[asked].mean(1) @ slopes + offsets
        n = np.array(list(taught(teachers).values()), float)
        for i, boxes in zip(asked, detect(fit_detector(f"fold-{k}", teachers), films_of_k), strict=True):
            found[i] = boxes
            joined[i] = shipped.tempered(boxes, 1 / (1 + np.exp(-said[i, 1:])), n)
        own = [i for i in asked if seen[i].source == READ]
        scores = metrics.coco_scores(*_pair(seen, joined, own))
        print(f"fold {k}: AP50 {scores['AP50']:.3f} on {len(own)} films", flush=True)
    return said, found, joined


def fit_joint(seen: Sequence[Film], head: np.ndarray, best: np.ndarray) -> dict[str, float]:
    """Fit how the disease head and the best box go together, on films that taught neither.

    Both folders weigh the same, and so do both answers within each: fitted on readers' films alone, what the reports
    know is lost. The offset is for the share of disease among the readers' films.
    """
    truth, sources = np.array([film.diseased for film in seen]), [film.source for film in seen]
    weights = linear.balanced(truth, sources, {source: len(seen) / sources.count(source) for source in SHARE})
    model = LogisticRegression().fit(np.c_[head, shipped.log_odds(best)], truth, sample_weight=weights / 2)
    share = truth[np.array(sources) == READ].mean()
    offset = model.intercept_[0] + np.log(share / (1 - share))
    return {"head": model.coef_[0, 0], "boxes": model.coef_[0, 1], "offset": offset}


def joint(
    seen: Sequence[Film], fold: np.ndarray, head: np.ndarray, joined: Sequence[Detections]
) -> tuple[np.ndarray, np.ndarray]:
    """Probability of disease, and whether it reaches the threshold: how they are joined is learnt on other folds."""
    best = np.array([boxes.scores.max(initial=0) for boxes in joined])
    p, called = np.zeros(len(seen)), np.zeros(len(seen), bool)
    for k in range(fold.max() + 1):
        others = fold != k
        how = fit_joint([seen[i] for i in np.flatnonzero(others)], head[others], best[others])
        said = shipped.disease(head, best, how)
        threshold = choose([film for film, other in zip(seen, others, strict=True) if other], said[others])
        p[~others], called[~others] = said[~others], said[~others] >= threshold
    return p, called


def choose(seen: Sequence[Film], p: np.ndarray) -> float:
    """Choose the threshold of stage 1 on readers' films."""
    own = [i for i, film in enumerate(seen) if film.source == READ]
    return metrics.threshold_at_floor(np.array([seen[i].diseased for i in own]), p[own]).threshold


def _pair(seen: Sequence[Film], found: Sequence[Detections], own: Sequence[int]) -> tuple[list[Any], dict[str, Any]]:
    records = [seen[i].record for i in own]
    return records, {record.file_name: found[i] for record, i in zip(records, own, strict=True)}


def auroc(truth: np.ndarray, p: np.ndarray, patients: Sequence[str], resamples: int) -> dict[str, Any]:
    """Area under the ROC curve with its interval over patients, and of how many."""
    low, high = metrics.binary_intervals(truth, p, 0.0, patients, resamples=resamples)["auroc"]
    area = metrics.binary_scores(truth, p, 0.0)["auroc"]
    interval = [round(low, 3), round(high, 3)]
    return {"auroc": round(area, 3), "interval": interval, "n": len(truth), "diseased": int(truth.sum())}


GROUPS: dict[str, Callable[[Film], bool]] = {
    "": lambda film: True,
    "PA": lambda film: film.view == "PA",
    "AP": lambda film: film.view == "AP",
    "women": lambda film: film.sex == "F",
    "men": lambda film: film.sex == "M",
    "under 40": lambda film: film.age < 40,
    "40 to 59": lambda film: 40 <= film.age < 60,
    "60 and older": lambda film: film.age >= 60,
}


def stage_1(seen: Sequence[Film], p: np.ndarray, resamples: int) -> dict[str, Any]:
    """Score what a rule says of disease, where it can be judged."""
    truth = np.array([film.diseased for film in seen])
    patients = patient_groups([film.record for film in seen])
    places = {"216 films": (READ, ""), "NIH, archive A": (TOLD, "A")}
    found = {}
    for name, (source, archive) in places.items():
        for group, inside in GROUPS.items():
            own = [
                i for i, film in enumerate(seen)
                if film.source == source and archive in ("", film.archive) and inside(film)
            ]  # fmt: skip
            of = [patients[i] for i in own]
            found[f"{name}, {group}" if group else name] = auroc(truth[own], p[own], of, resamples)
    return found


def operating_point(seen: Sequence[Film], p: np.ndarray, called: np.ndarray, resamples: int) -> dict[str, Any]:
    """Score the calls on the 216 films; each film's threshold was chosen on other folds, for a specificity of .70."""
    own = [i for i, film in enumerate(seen) if film.source == READ]
    truth, patients = np.array([seen[i].diseased for i in own]), patient_groups([seen[i].record for i in own])
    scores = metrics.binary_scores(truth, called[own].astype(float), 0.5)
    intervals = metrics.binary_intervals(truth, called[own].astype(float), 0.5, patients, resamples=resamples)
    names = ("recall", "specificity", "precision", "f1", "accuracy")
    bins = metrics.reliability(truth, p[own], 5)
    return {
        "films": len(own), "diseased": int(truth.sum()),
        **{name: {"value": scores[name], "interval": intervals[name]} for name in names},
        "brier": round(float(((p[own] - truth) ** 2).mean()), 3),
        "brier of always saying the share": round(float(truth.mean() * (1 - truth.mean())), 3),
        "reliability": vars(bins),
    }  # fmt: skip


def stage_2(seen: Sequence[Film], found: Sequence[Detections], resamples: int) -> dict[str, Any]:
    """Score boxes on the 216 films."""
    truth, said = _pair(seen, found, [i for i, film in enumerate(seen) if film.source == READ])
    scores = metrics.evaluate(truth, said, bootstrap=resamples)

    def means(weights: np.ndarray) -> dict[str, np.ndarray]:
        both = {"auroc": metrics.finding_auroc, "pointing": metrics.pointing}
        return {name: metrics.mean_present(score(truth, said, weights)) for name, score in both.items()}

    intervals = metrics.bootstrap_intervals(means, patient_groups(truth), resamples, 0)
    return {
        "films": len(truth), "boxes": sum(len(record.boxes) for record in truth),
        "AP50": scores["coco"]["AP50"], "AP": scores["coco"]["AP"], "froc": scores["froc"]["average"],
        "intervals": scores["intervals"] | intervals, **metrics.localisation_scores(truth, said),
        "AP50 per finding": {name: row["AP50"] for name, row in scores["per_finding"].items()},
    }  # fmt: skip


def localisation(seen: Sequence[Film], found: Sequence[Detections]) -> dict[str, Any]:
    """Share of NIH's boxes that the best box of their finding overlaps by at least T, as Wang et al. (2017) tell it."""
    best: dict[str, list[float]] = {name: [] for name in SHARED}
    for film, boxes in zip(seen, found, strict=True):
        for box, name in zip(film.record.boxes, (FINDINGS[label - 1] for label in film.record.labels), strict=True):
            if film.source == TOLD and name in SHARED:
                first = boxes.boxes[boxes.labels == 1 + FINDINGS.index(name)][:1]
                best[name].append(float(metrics.overlap(first, box[None]).max(initial=0)))
    return {
        name: {"n": len(of), **{f"{t / 10:.1f}": round(float(np.mean(np.array(of) >= t / 10)), 3) for t in range(1, 8)}}
        for name, of in best.items()
    }


def main() -> None:
    """Measure, and write the figures."""
    parser = options(__doc__, "--resamples")
    parser.add_argument("--folds", type=int, default=5)
    args = parser.parse_args()
    start, n = time.process_time(), args.resamples
    seen = films(args.films)
    fold = draw_folds(seen, args.folds)
    said, found, joined = cross_validated(seen, fold)
    p, called = joint(seen, fold, said[:, 0], joined)
    trained = {file.parent.name: read_json(file) for file in sorted(RUNS.glob("fold-*/seconds.json"))}
    about = {
        "data": "216 films of ChestX-Det10, 1,659 of NIH ChestX-ray14, patients in one fold each", "folds": args.folds,
        "seed": 0, "resamples": n, "device": devices.name(), "seconds of processor": round(time.process_time() - start),
        "seconds of trainings": trained, "command": COMMAND,
    }  # fmt: skip
    view = np.array([film.view == "AP" for film in seen], float)
    rules = {"heads and boxes": p, "heads": 1 / (1 + np.exp(-said[:, 0])), "view alone": view}
    save("stage 1", {name: stage_1(seen, rule, n) for name, rule in rules.items()} | {"of": about})
    save("operating point", operating_point(seen, p, called, n) | {"of": about})
    rows = {"boxes and heads": joined, "boxes": found}
    save("stage 2", {name: stage_2(seen, boxes, n) for name, boxes in rows.items()} | {"of": about})
    save("localisation", localisation(seen, joined) | {"of": about})


if __name__ == "__main__":
    main()
