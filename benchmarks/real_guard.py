"""What the guard of the shipped model says of real films, of films turned or spoilt, and of pictures that are none.

    python benchmarks/real_guard.py [--films ../shared/real] [--debian /]

Writes the section "guard" of figures/real.json. Films: all of chestx-det10-part and nih, cross-validated by patient: a
guard says nothing of a patient whom it or its limit was learnt from. What is no film is shown to the guard of all
films; where it comes from, and how to install it, stands in real_foreign.py. The limit was not chosen on it; which
spoilt films the guard is taught (TAUGHT in real_spoilt.py) was, with these figures in sight. What the trunk sees is
kept in runs/real/guard, kind by kind: run it again and it goes on.

Not measured, for none could be had: true lateral films, other radiographs of people (hand, knee, tooth, breast), films
photographed from a screen, frontal films of other hospitals. That a projected lateral chest is refused shows little:
so is a projected frontal one.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from real_films import READ, RUNS, TOLD, Film, films, kept, options, save
from real_foreign import kinds
from real_recipe import features
from real_spoilt import SIDE, SPOILS, TAUGHT, shrunk

from chestlib import devices
from chestlib.data import cached_images
from chestlib.errors import ChestlibError
from chestlib.prediction import shipped
from chestlib.settings import DetectorSettings
from chestlib.train import Detector

SETTINGS = DetectorSettings(image_size=SIDE, trunk="efficientnet_lite0", weights="imagenet", frozen=4)
HERE = RUNS / "guard"
POSED, SPOILT = 4, 12
"""Every so-manieth film is shown in the other poses, and spoilt."""


trunk = cache(lambda precision: Detector(replace(SETTINGS, precision=precision)).eval())


def see(squares: Sequence[np.ndarray], precision: str = "bf16-mixed") -> np.ndarray:
    """What the frozen trunk sees on squares (384, 384) uint8; (n, 944)."""
    films = [torch.from_numpy(square)[None].float().div(255) for square in squares]
    parts = [films[i : i + 4] for i in range(0, len(films), 4)]
    return np.concatenate([shipped.features(trunk(precision), part)[:, 0] for part in parts])


def spoilt(name: str, squares: Any) -> np.ndarray:
    """What the trunk sees on every :data:`SPOILT`-th film when it is spoilt so."""
    file, some = HERE / f"spoilt-{list(SPOILS).index(name)}.npy", range(0, len(squares), SPOILT)
    return kept(file, lambda: see([SPOILS[name](np.array(squares[i])) for i in some]))


def learnt(seen: Sequence[Film]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What a guard learns from: features (n, 944), poses, patients, and of which film each row is.

    `seen` are all films, since what is kept goes by their order: leave out rows, not films.
    """
    squares, n = cached_images([film.record.path for film in seen], SIDE, RUNS / "cache"), len(seen)

    def turned(pose: str) -> np.ndarray:
        return see([shipped.posed(np.array(squares[i]))[pose] for i in some])

    rows, of = [features(seen)], [np.arange(n), np.arange(n)]
    poses, some = ["upright"] * (2 * n), np.arange(0, n, POSED)
    for pose in [name for name in shipped.POSES if name != "upright"]:
        rows.append(kept(HERE / f"{pose}.npy", partial(turned, pose)))
        of.append(some)
        poses += [pose] * len(some)
    for name in TAUGHT:
        rows.append(spoilt(name, squares))
        of.append(np.arange(0, n, SPOILT))
        poses += ["upright"] * len(of[-1])
    upright, *others = rows
    patients = np.array([film.record.patient for film in seen])[np.concatenate(of)]
    return np.concatenate([upright[:, 0], upright[:, 1], *others]), np.array(poses), patients, np.concatenate(of)


def rate(hits: np.ndarray) -> dict[str, Any]:
    """Share with Wilson's interval of 95 %, and of how many."""
    n, p, z = max(1, len(hits)), float(np.mean(hits)) if len(hits) else 0.0, 1.96
    middle, half = p + z * z / 2 / n, z * np.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    low, high = ((middle + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    return {"rate": round(p, 3), "interval": [round(max(0, low), 3), round(min(1, high), 3)], "n": len(hits)}


def told(distances: np.ndarray) -> np.ndarray:
    """Name what a guard says by its distances (n, 5): a pose, or "foreign"."""
    return np.where(distances.min(1) <= 1, np.array(list(shipped.POSES))[distances.argmin(1)], "foreign")


def young(root: Path, seen: Sequence[Film]) -> np.ndarray:
    """Find the films of nih of patients under 18."""
    with gzip.open(root / TOLD / "Data_Entry_2017_v2020.csv.gz", "rt", newline="") as file:
        names = {row["Image Index"].split(".")[0] for row in csv.DictReader(file) if int(row["Patient Age"]) < 18}
    return np.array([Path(film.record.file_name).stem in names for film in seen])


def measure(root: Path, debian: Path, phantom: Path) -> dict[str, Any]:
    """Do all of it; the section of figures/real.json."""
    seen = films(root)
    squares, n = cached_images([film.record.path for film in seen], SIDE, RUNS / "cache"), len(seen)
    x, poses, patients, of = learnt(seen)
    names = np.unique(patients)
    folds = dict(zip(names, np.random.default_rng(0).permutation(len(names)) % 5, strict=True))
    fold = np.array([folds[patient] for patient in patients])
    guards = [shipped.Guard(shipped.fit_guard(x[fold != k], poses[fold != k], patients[fold != k])) for k in range(5)]

    def judged(features: np.ndarray, films: np.ndarray) -> np.ndarray:
        """Distances by the guard that has not seen the patient."""
        return np.concatenate([guards[fold[i]].distances(row[None]) for row, i in zip(features, films, strict=True)])

    far = judged(x, of)
    said = told(far)
    passed, source = said[:n] == "upright", np.array([film.source for film in seen])
    view, archive = np.array([(film.view, film.archive) for film in seen]).T
    groups = {"all": source != "", READ: source == READ, TOLD: source == TOLD, "PA": view == "PA", "AP": view == "AP"}
    groups["under 18 years (of nih)"] = young(root, seen)
    groups |= {f"archive {name}": archive == name for name in np.unique(archive)}
    result: dict[str, Any] = {"films kept": {name: rate(passed[some]) for name, some in groups.items()}}
    result["films kept"]["mirrored"] = rate(said[n : 2 * n] == "upright")
    result["films told to be"] = {str(name): int((said[:n] == name).sum()) for name in np.unique(said[:n])}
    alone = shipped.Guard(
        shipped.fit_guard(x[source[of] == TOLD], poses[source[of] == TOLD], patients[source[of] == TOLD])
    )
    strange = ~np.isin(patients[:n], patients[:n][source == TOLD]) & (source == READ)
    result["films kept"][f"{READ}, by a guard of {TOLD}"] = rate(told(alone.distances(x[:n][strange])) == "upright")
    result["poses"] = {
        pose: {"refused": rate(own != "upright"), "told which": rate(own == pose)}
        for pose in shipped.POSES if pose != "upright" for own in [said[poses == pose]]
    }  # fmt: skip
    some = np.arange(0, n, SPOILT)
    spoils = {name: told(judged(spoilt(name, squares), some)) == "upright" for name in SPOILS}
    result["spoilt films kept"] = {name: rate(hits) | {"taught": name in TAUGHT} for name, hits in spoils.items()}
    result["the same film"] = {}
    read = np.arange(0, sum(source == READ), 2)
    pairs = {
        "float32 instead of bfloat16": (some, lambda: see([np.array(squares[i]) for i in some], "32-true")),
        "512 px JPEG instead of 1024 px": (read, lambda: see([shrunk(seen[i]) for i in read])),
    }
    for number, (name, (films_of, make)) in enumerate(pairs.items()):
        other = judged(kept(HERE / f"same-{number}.npy", make), films_of)
        moved = np.abs(other[:, 0] / far[films_of, 0] - 1)
        result["the same film"][name] = {
            "n": len(films_of), "distance moves by": round(float(np.median(moved)), 4),
            "at most": round(float(moved.max()), 4), "said something else": int((told(other) != said[films_of]).sum()),
        }  # fmt: skip

    arrays = shipped.fit_guard(x, poses, patients)
    guard, result["others refused"] = shipped.Guard(arrays), {}
    for name, make in kinds(debian, SIDE, phantom):
        try:
            away = guard.distances(kept(HERE / f"foreign-{name}.npy", lambda make=make: see(make())))
            result["others refused"][name] = rate(told(away) != "upright") | {"nearest": round(float(away.min()), 2)}
        except (ChestlibError, ImportError) as error:
            print(f"{name}: left out ({error})")
    result["of"] = {
        "films": n, "patients": len(names), "folds": 5, "seed": 0, "kept": 0.99, "device": devices.name(),
        "bytes": sum(array.nbytes for array in arrays.values()), "command": "python benchmarks/real_guard.py",
    }  # fmt: skip
    return result


def main() -> None:
    parser = options(__doc__, "--phantom")
    parser.add_argument("--debian", type=Path, default=Path("/"))
    args = parser.parse_args()
    result = measure(args.films, args.debian, args.phantom)
    save("guard", result)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
