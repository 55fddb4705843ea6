"""The phantom's exam: what a model that saw drawings alone says about real films, and what moves it.

    python benchmarks/real_drawings.py [--films ../shared/real] [--phantom data/phantom-quick] [--images 200]

Writes the section "drawings" of figures/real.json. Examined are the 216 films of chestx-det10-part, none of which
taught anything. Two kinds of model sit the exam:

    detectors   those of benchmarks/real_transfer.py with 0 films
    heads       linear, in closed form, on a trunk of ImageNet that learns nothing: a small laboratory, in which a way
                to draw costs seconds. Each row below is the same drawings, drawn another way.

Where a row uses real films it says so: `No Finding` films of archive A as ground for drawn lesions, of patients with no
film among the 216; or the unlabelled 216 themselves, for the mean and spread of each feature.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import real_films
import torch
from real_films import READ, RUNS, TOLD, films, options, save
from real_transfer import STARTS, detect, drawn, scores, split

from chestlib import devices, metrics
from chestlib.data import Record, open_data, patient_groups
from chestlib.findings import FINDINGS
from chestlib.phantom import plan, render_visit
from chestlib.settings import DetectorSettings
from chestlib.train import Detector, XrayDataset, linear

HERE = RUNS / "drawings"
SIZE = 384
STRENGTH = 1.0
"""Of the ridge."""


AGAIN = ("as drawn", "place and size varied", "all three varied")
"""Ways whose figure is taken from other drawings too."""


class Drawing(NamedTuple):
    """A phantom film three times; each (SIZE, SIZE) float32 in [0, 1]."""

    whole: np.ndarray  # with its findings
    bare: np.ndarray  # the same chest without them
    ground: np.ndarray  # a real film


Chance = np.random.Generator
Way = Callable[[Drawing, Chance], np.ndarray]


def film(x: np.ndarray, rng: Chance) -> np.ndarray:
    """Another grey curve: gamma, contrast and brightness."""
    x = np.clip(x, 0, 1) ** np.exp(rng.uniform(-0.6, 0.6))
    return np.clip((x - 0.5) * np.exp(rng.uniform(-0.4, 0.4)) + 0.5 + rng.uniform(-0.12, 0.12), 0, 1)


def frequency(x: np.ndarray, rng: Chance) -> np.ndarray:
    """Another sharpness, fine and coarse, and more noise."""
    for sigma, most in ((1.0, 1.0), (12.0, 0.5)):
        x = x + rng.uniform(-most, most) * (x - cv2.GaussianBlur(x, (0, 0), sigma))
    noise = cv2.GaussianBlur(rng.standard_normal(x.shape, np.float32), (0, 0), rng.uniform(0.3, 1.2))
    return np.clip(x + rng.uniform(0, 0.04) * noise, 0, 1)


def place(x: np.ndarray, rng: Chance) -> np.ndarray:
    """Another place, size, shape and turn of the chest, wider than in life."""
    scale, turn = np.exp(rng.uniform(-0.2, 0.2)), rng.uniform(-8, 8)
    move = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), turn, scale)
    move[0] *= np.exp(rng.uniform(-0.12, 0.12))
    move[:, 2] += rng.uniform(-0.06, 0.06, 2) * SIZE
    return cv2.warpAffine(x, move, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)


def faint(d: Drawing, rng: Chance) -> np.ndarray:
    """Show the findings of a film at .15 to 1 of their strength."""
    return d.bare + np.float32(rng.uniform(0.15, 1)) * (d.whole - d.bare)


def equal(x: np.ndarray) -> np.ndarray:
    """Make every grey as frequent as any other: no curve is left to differ."""
    return cv2.equalizeHist((x * 255).astype(np.uint8)).astype(np.float32) / 255


def on_film(d: Drawing, rng: Chance) -> np.ndarray:
    """Put the drawn findings upon a real film, .3 to 1 of their strength."""
    return np.clip(d.ground + np.float32(rng.uniform(0.3, 1)) * (d.whole - d.bare), 0, 1)


WAYS: dict[str, Way] = {
    "as drawn": lambda d, rng: d.whole,
    "grey curve varied": lambda d, rng: film(d.whole, rng),
    "frequencies varied": lambda d, rng: frequency(d.whole, rng),
    "place and size varied": lambda d, rng: place(d.whole, rng),
    "all three varied": lambda d, rng: place(frequency(film(d.whole, rng), rng), rng),
    "fainter findings": faint,
    "fainter findings, all three varied": lambda d, rng: place(frequency(film(faint(d, rng), rng), rng), rng),
    "drawn findings on real films": on_film,
    "the same, all three varied": lambda d, rng: place(frequency(film(on_film(d, rng), rng), rng), rng),
}


def pictures(folder: Path, first: int, count: int) -> tuple[list[np.ndarray], list[Record]]:
    """Give `count` films of the phantom in `folder`, in the order in which they were drawn."""
    records = sorted(open_data(folder).records, key=lambda record: record.file_name)[first : first + count]
    found = XrayDataset(records, SIZE, RUNS / "cache", boxes=False)
    return [found.image(i)[0].numpy() for i in range(count)], records


def drawings(folder: Path, count: int, grounds: Sequence[Record]) -> tuple[list[Drawing], list[Record]]:
    """Give the first `count` films with and without their findings, and a real film each as ground."""
    whole, records = pictures(folder, 0, count)
    jobs = sorted(plan(folder, 1200, 200, 1024, 0), key=lambda job: job.path.name)[:count]

    def without() -> np.ndarray:
        return np.stack([
            render_visit(job.visit, SIZE, findings=False)[0] if record.diseased else np.uint8(np.rint(own * 255))
            for job, record, own in zip(jobs, records, whole, strict=True)
        ])  # fmt: skip

    real, bare = XrayDataset(grounds, SIZE, RUNS / "cache", boxes=False), kept("bare", count, without)
    return [
        Drawing(own, chest.astype(np.float32) / 255, real.image(i % len(real))[0].numpy())
        for i, (own, chest) in enumerate(zip(whole, bare, strict=True))
    ], records


class Trunk:
    """The frozen trunk of ImageNet, asked for its features."""

    def __init__(self) -> None:
        settings = DetectorSettings(image_size=SIZE, trunk="efficientnet_lite0", weights="imagenet", frozen=4)
        self.model = Detector(settings).eval().model

    def __call__(self, pictures: Sequence[np.ndarray], mirrored: bool = False) -> np.ndarray:
        """Give (n, values) float32 of pictures (SIZE, SIZE); `mirrored` or not."""
        found = []
        for picture in pictures:
            x = torch.from_numpy(np.array(picture[:, ::-1] if mirrored else picture, np.float32))[None]
            with torch.inference_mode(), torch.autocast("cpu", devices.autocast("auto"), devices.native_bf16()):
                maps = self.model.backbone.body(self.model.transform([x.expand(3, -1, -1)])[0].tensors)
                found.append(linear.pooled([maps[level] for level in ("1", "2", "3")])[0].numpy())
        return np.stack(found)


def kept(name: str, count: int, make: Callable[[], np.ndarray]) -> np.ndarray:
    """Read an array of `count` films, or make it and keep it."""
    return real_films.kept(HERE / f"{name.replace(' ', '-').replace(',', '')}-{count}.npy", make)


def truth_of(records: Sequence[Record]) -> np.ndarray:
    """Disease and the ten findings, (films, 11) bool."""
    return np.array([[r.diseased, *(name in r.findings for name in FINDINGS)] for r in records])


def said_by(x: np.ndarray, y: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Learn heads from drawings (n, d) with answers (n, 11), and ask them of films (m, d); (m, 11)."""
    slopes, offsets = linear.ridge(x, y, linear.balanced(y[:, 0], [""] * len(y), {"": 1.0}), STRENGTH)
    return np.asarray(real @ slopes + offsets)


def examined(said: np.ndarray, before: np.ndarray, read: Sequence[Record], resamples: int) -> dict[str, Any]:
    """Score what heads say of real films, (films, 11), and its gain over what others said `before`."""
    truth = truth_of(read)

    def areas(answer: np.ndarray, weights: np.ndarray) -> np.ndarray:
        pairs = zip(truth.T, answer.T, strict=True)
        return np.stack([metrics.weighted_scores(t, p, 0.0, weights)["auroc"] for t, p in pairs], 1)

    def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
        now, then = areas(said, weights), areas(before, weights)
        found = {"AUROC of disease": now[:, 0], "AUROC of findings": metrics.mean_present(now[:, 1:])}
        gains = found["AUROC of disease"] - then[:, 0], found["AUROC of findings"] - metrics.mean_present(then[:, 1:])
        return found | {"gain, disease": gains[0], "gain, findings": gains[1]}

    everyone = np.ones((1, len(read)))
    within = metrics.bootstrap_intervals(statistic, patient_groups(read), resamples)
    row: dict[str, Any] = {
        name: {"mean": round(float(value[0]), 3), "interval": [round(v, 3) for v in within[name]]}
        for name, value in statistic(everyone).items()
    }
    if said is before:
        row = {name: value for name, value in row.items() if not name.startswith("gain")}
    each = dict(zip(FINDINGS, areas(said, everyone)[0, 1:].round(2).tolist(), strict=True))
    return row | {"AUROC of each": each}


def laboratory(args: argparse.Namespace, read: list[Record], grounds: list[Record]) -> dict[str, Any]:
    """Score every way to draw."""
    sets, records = drawings(args.phantom, args.images, grounds)
    trunk, y = Trunk(), truth_of(records)
    own = XrayDataset(read, SIZE, RUNS / "cache", boxes=False)
    films_of = [own.image(i)[0].numpy() for i in range(len(own))]
    both = (kept(f"films {side}", len(read), lambda side=side: trunk(films_of, bool(side))) for side in (0, 1))
    real = np.mean([*both], axis=0)

    def learn_from(name: str, way: Way, number: int = 0, drawn: Sequence[Drawing] = sets) -> np.ndarray:
        chances = [np.random.default_rng([number, i]) for i in range(len(drawn))]
        # Half of them mirrored, the same half in each row.
        return kept(name, len(drawn), lambda: np.concatenate(
            [trunk([way(d, rng)], i % 2 == 1) for i, (d, rng) in enumerate(zip(drawn, chances, strict=True))]
        ))  # fmt: skip

    learnt = {name: learn_from(name, way, number) for number, (name, way) in enumerate(WAYS.items())}
    said = {name: said_by(x, y, real) for name, x in learnt.items()}
    bare = learn_from("bare features", lambda d, rng: d.bare)
    pairs = np.concatenate([learnt["as drawn"], bare]), np.concatenate([y, np.zeros_like(y)])
    said["each chest with and without its findings"] = said_by(*pairs, real)
    even_films = kept("films equal", len(read), lambda: trunk([equal(one) for one in films_of]))
    even = learn_from("equal", lambda d, rng: equal(d.whole))
    said["histograms made equal, of drawings and films"] = said_by(even, y, even_films)
    for name in ("as drawn", "place and size varied", "all three varied", "drawn findings on real films"):
        x = learnt[name]
        moved = (real - real.mean(0)) / (real.std(0) + 1e-6) * x.std(0) + x.mean(0)
        said[f"{name}; features centred on the unlabelled films"] = said_by(x, y, moved)
    rows = {name: examined(answer, said["as drawn"], read, args.resamples) for name, answer in said.items()}
    # What looked best is asked again of drawings that had no say in the choice.
    others, records = pictures(args.phantom, args.images, args.images)
    sets, y = [Drawing(*[other] * 3) for other in others], truth_of(records)
    again = {name: learn_from(f"{name} again", WAYS[name], 99, sets) for name in AGAIN}
    said = {name: said_by(x, y, real) for name, x in again.items()}
    rows |= {f"{name}, {args.images} other drawings": examined(answer, said["as drawn"], read, args.resamples)
             for name, answer in said.items()}  # fmt: skip
    for name, row in rows.items():
        print(f"{name}: {row}", flush=True)
    return rows


def main() -> None:
    """Draw, examine, and write the figures."""
    parser = options(__doc__, "--resamples", "--phantom")
    parser.add_argument("--images", type=int, default=200)
    args = parser.parse_args()
    seen = films(args.films)
    read = [film.record for film in seen if film.source == READ]
    theirs = {record.patient for record in read}
    grounds = [
        film.record for film in seen
        if film.source == TOLD and film.archive == "A" and not film.diseased and film.record.patient not in theirs
    ]  # fmt: skip
    rows = laboratory(args, read, grounds)
    parts = split([film for film in seen if film.source == READ])
    exams = {
        start: scores(read, [detect(drawn(start, args.phantom), [*parts[0], *parts[1]])], args.resamples)
        for start in STARTS if start.endswith("phantom")
    }  # fmt: skip
    save("drawings", {
        "detectors": exams, "heads": rows,
        "of": {
            "data": f"chestlib phantom, seed 0: {args.images} drawings for the heads, 1,200 for the detectors; "
                    f"examined on {READ}, {len(read)} films of {len(theirs)} patients, "
                    f"{sum(not r.diseased for r in read)} normal",
            "ground": f"{len(grounds)} films of NIH's archive A, No Finding, of other patients",
            "settings": f"efficientnet_lite0 of ImageNet, frozen, {SIZE} px; ridge {STRENGTH}; detectors as in "
                        "transfer, with 0 films",
            "intervals": "95 %, over patients", "device": devices.name(),
            "command": "python benchmarks/real_drawings.py",
        },
    })  # fmt: skip


if __name__ == "__main__":
    main()
