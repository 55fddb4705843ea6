"""How to be right without looking at the lungs: shortcuts on real films, and the archive trap.

    python benchmarks/real_shortcuts.py [--films ../shared/real] [--resamples 1000]

Writes the sections "shortcuts" and "archive" of figures/real.json. Films and folds are those of benchmarks/real.py:
five folds by patient, so each film is scored by a model that never saw its patient. Trainings are kept in
runs/real/archive; run it again and it goes on. Beside other work begin with `taskset -c 0`.

    shortcuts  AUROC of disease from the view, a 16 x 16 thumbnail, the grey histogram, and the patient's number; learnt
               and judged in one place: the 216 films that readers boxed, or NIH's films of archive A
    archive    a SimpleCNN that learns `No Finding` or not of films that came by several archives, judged three times;
               the same network, with as many steps, on films chosen otherwise; and one that names the archive
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from real import auroc, draw_folds
from real_films import READ, RUNS, TOLD, Film, films, kept, options, save
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chestlib import devices
from chestlib.data import Record, cached_images, patient_groups
from chestlib.settings import ClassifierSettings
from chestlib.train import Classifier, Run, XrayDataset, classifier, fit, linear, load_weights

SEED, FOLDS = 0, 5
TRAINING = ClassifierSettings(image_size=128, epochs=8, validate_every=8, width=8, seed=SEED)
SEEN = 1300
"""Films a network sees an epoch, whatever it is taught: all of them take the same number of steps."""

SHARES = {READ: 3.0, TOLD: 1.0}
"""How often a film is shown: there are eight times as many of NIH's."""

WHOLE = ("216 films", "NIH, archive A")


def places(seen: Sequence[Film]) -> dict[str, np.ndarray]:
    """Which films are judged together: those of a place, or of one view there; masks."""
    source, archive, view = (np.array([getattr(film, name) for film in seen]) for name in ("source", "archive", "view"))
    whole = dict(zip(WHOLE, (source == READ, (source == TOLD) & (archive == "A")), strict=True))
    return whole | {f"{name}, {v}": own & (view == v) for name, own in whole.items() for v in ("PA", "AP")}


def judged(truth: np.ndarray, p: np.ndarray, own: np.ndarray, seen: Sequence[Film], n: int) -> dict[str, Any]:
    """AUROC on some of the films."""
    rows = np.flatnonzero(own)
    return auroc(truth[rows], p[rows], patient_groups([seen[i].record for i in rows]), n)


def regression(truth: np.ndarray, x: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """What a logistic regression says of each film that learnt from those of the other folds."""
    p = np.zeros(len(truth))
    for k in range(FOLDS):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=2000))
        p[fold == k] = model.fit(x[fold != k], truth[fold != k]).predict_proba(x[fold == k])[:, 1]
    return p


def signed(truth: np.ndarray, x: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """A number as it stands or turned round, whichever is the better rule on the other folds; in [0, 1]."""
    p = x / x.max()
    turned = [roc_auc_score(truth[fold != k], p[fold != k]) < 0.5 for k in range(FOLDS)]
    return np.where(np.array(turned)[fold], 1 - p, p)


def small(seen: Sequence[Film]) -> tuple[np.ndarray, np.ndarray]:
    """Each film as 16 x 16 pixels (n, 256), and as a histogram of its greys (n, 32)."""
    pixels = np.array(cached_images([film.record.path for film in seen], TRAINING.image_size, RUNS / "cache"))
    side = TRAINING.image_size // 16
    thumbs = pixels.reshape(len(seen), 16, side, 16, side).mean((2, 4)).reshape(len(seen), -1)
    return thumbs, np.array([np.histogram(film, 32, (0, 256))[0] / film.size for film in pixels])


def numbers(seen: Sequence[Film]) -> np.ndarray:
    """Each film's patient number."""
    return np.array([float(film.record.patient) for film in seen])


def shortcuts(seen: Sequence[Film], truth: np.ndarray, fold: np.ndarray, n: int) -> dict[str, Any]:
    """What rules reach that do not look at the lungs."""
    thumbs, greys = small(seen)
    view, number = np.array([float(film.view == "AP") for film in seen]), numbers(seen)
    rules: dict[str, tuple[Callable, np.ndarray]] = {
        "view alone": (signed, view), "16 x 16 pixels": (regression, thumbs), "grey histogram": (regression, greys),
        "patient number": (signed, number),
    }  # fmt: skip
    found: dict[str, Any] = {}
    where = places(seen)
    for name, (rule, x) in rules.items():
        p = np.zeros(len(seen))
        for own in (where[whole] for whole in WHOLE):
            p[own] = rule(truth[own], x[own], fold[own])
        judge = WHOLE if name == "view alone" else where  # within a view, the view says nothing
        found[name] = {place: judged(truth, p, where[place], seen, n) for place in judge}
    shares = {name: {kind: float(view[where[name] & (truth == want)].mean().round(3))
                     for kind, want in (("diseased", True), ("normal", False))} for name in WHOLE}  # fmt: skip
    return {**found, "AP": shares}


def learn(name: str, records: Sequence[Record], factors: np.ndarray) -> Run:
    """Train one SimpleCNN on films, each shown as often as its factor says, or find it trained."""
    run = Run(RUNS / "archive" / name)
    if not (run.path / "seconds.json").is_file():
        module = Classifier(TRAINING)
        train = XrayDataset(records, TRAINING.image_size, RUNS / "cache", boxes=False, augment=TRAINING.augment)
        # Validated once, when all is over, on films that it learnt from: nothing is chosen.
        sick = np.array([record.diseased for record in records])
        ends = [records[i] for which in (sick, ~sick) for i in np.flatnonzero(which)[:8]]
        last = XrayDataset(ends, TRAINING.image_size, RUNS / "cache", boxes=False)
        fit(run, module, train, last, monitor="val_loss", factors=SEEN * factors / factors.sum(), resume=True)
        run.write("seconds", round(module.seconds, 1))
    return run


def network(name: str, seen: Sequence[Film], truth: np.ndarray, factors: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """What networks say of each film that learnt `truth` of films of the other folds."""

    def asked() -> np.ndarray:
        told = [replace(f.record, boxes=[], labels=[], verdict=bool(t)) for f, t in zip(seen, truth, strict=True)]
        pictures, p = XrayDataset(told, TRAINING.image_size, RUNS / "cache", boxes=False), np.zeros(len(seen))
        for k in range(FOLDS):
            taught = np.flatnonzero((fold != k) & (factors > 0))
            run = learn(f"{name}-{k}", [told[i] for i in taught], factors[taught])
            module = Classifier(TRAINING)
            load_weights(module, run.best)
            for rows in np.array_split(np.flatnonzero(fold == k), 8):
                p[rows] = classifier.probabilities(module, torch.stack([pictures.image(i) for i in rows]))
        return p

    return kept(RUNS / "archive" / f"{name}.npy", asked)


def archive(seen: Sequence[Film], truth: np.ndarray, fold: np.ndarray, n: int) -> dict[str, Any]:
    """The trap: what a network seems to have learnt, where it is seen that it has not, and other choices of films."""
    source, origin = (np.array([getattr(film, name) for film in seen]) for name in ("source", "archive"))
    theirs, elsewhere = source == TOLD, origin != "A"
    number, in_a = numbers(seen), theirs & ~elsewhere
    low, high = number[in_a & ~truth].min(), number[in_a & ~truth].max()
    where = {
        "mixture, held out": theirs, "NIH, archive A": in_a,
        "archive A, the normal films' patient numbers": in_a & (number >= low) & (number <= high),
        "216 films": source == READ,
    }  # fmt: skip
    chosen = {  # always as many diseased as normal, within each of the groups
        "the mixture": linear.balanced(truth, source, {TOLD: 1.0}),
        "archive A alone": linear.balanced(truth, np.where(elsewhere, "", source), {TOLD: 1.0}),
        "all, each folder balanced": linear.balanced(truth, source, SHARES),
    }
    said = {name: network(name, seen, truth, factors, fold) for name, factors in chosen.items()}
    # No film of these is normal: who tells one archive from the others does not look for disease.
    ill = theirs & truth
    weights = linear.balanced(elsewhere, np.where(ill, "ill", ""), {"ill": 1.0})
    exposed = {"a network that learnt just this": network("archive", seen, elsewhere, weights, fold)}
    exposed["16 x 16 pixels"] = np.zeros(len(seen))
    exposed["16 x 16 pixels"][ill] = regression(elsewhere[ill], small(seen)[0][ill], fold[ill])
    exposed |= {f"disease, learnt on {name}": p for name, p in said.items()}
    alone = {"archive": elsewhere.astype(float), "patient number": number / number.max()}
    counted = {
        folder: {a: [int(((source == folder) & (origin == a) & (truth == t)).sum()) for t in (False, True)]
                 for a in sorted({*origin})}
        for folder in (TOLD, READ)
    }  # fmt: skip
    groups = {f"{name}, {kind}": where[name] & (truth == want) for name in ("NIH, archive A", "216 films")
              for kind, want in (("normal", False), ("diseased", True))}  # fmt: skip
    pneumonia = np.array(["Pneumonia" in film.labels for film in seen])
    return {
        "films, normal and diseased": counted,
        "mean answer, learnt on the mixture": {
            k: round(said["the mixture"][own].mean(), 3) for k, own in groups.items()
        },
        "share of `Pneumonia`": {k: round(pneumonia[own].mean(), 3) for k, own in groups.items()},
        "learnt on": {k: {at: judged(truth, p, own, seen, n) for at, own in where.items()} for k, p in said.items()},
        "archive of diseased films": {k: judged(elsewhere, p, ill, seen, n) for k, p in exposed.items()},
        "disease by": {k: {at: judged(truth, p, own, seen, n) for at, own in where.items()} for k, p in alone.items()},
    }


def main() -> None:
    """Measure, and write the figures."""
    parser = options(__doc__, "--resamples")
    args = parser.parse_args()
    seen, n = films(args.films), args.resamples
    fold, truth = draw_folds(seen, FOLDS, SEED), np.array([film.diseased for film in seen])
    of = {
        "data": "216 films of ChestX-Det10 (diseased: boxed), 1,659 of NIH (diseased: not `No Finding`)",
        "folds": FOLDS, "seed": SEED, "resamples": n, "intervals": "95 %, over patients", "device": devices.name(),
        "command": "python benchmarks/real_shortcuts.py",
    }  # fmt: skip
    save("shortcuts", shortcuts(seen, truth, fold, n) | {"of": of})
    said = f"SimpleCNN, width {TRAINING.width}, {TRAINING.image_size} px, {TRAINING.epochs} epochs of {SEEN} films"
    save("archive", archive(seen, truth, fold, n) | {"of": of | {"network": said}})


if __name__ == "__main__":
    main()
