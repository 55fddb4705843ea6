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
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from real_films import FILMS, READ, RUNS, TOLD, TOP, films, save
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


def drawings(folder: Path, count: int, grounds: Sequence[Record]) -> tuple[list[Drawing], list[Record]]:
    """Draw, or find drawn: the first `count` films of the phantom in `folder`, with a real film each as ground."""
    records = sorted(open_data(folder).records, key=lambda record: record.file_name)[:count]
    whole = XrayDataset(records, SIZE, RUNS / "cache", boxes=False)
    jobs = sorted(plan(folder, 1200, 200, 1024, 0), key=lambda job: job.path.name)[:count]

    def without() -> np.ndarray:
        return np.stack([
            render_visit(job.visit, SIZE, findings=False)[0] if record.diseased else whole.pixels[i].reshape(SIZE, SIZE)
            for i, (job, record) in enumerate(zip(jobs, records, strict=True))
        ])  # fmt: skip

    real, found = XrayDataset(grounds, SIZE, RUNS / "cache", boxes=False), []
    for i, bare in enumerate(kept("bare", count, without)):
        ground = real.image(i % len(real))[0].numpy()
        found.append(Drawing(whole.image(i)[0].numpy(), bare.astype(np.float32) / 255, ground))
    return found, records


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
    file = HERE / f"{name.replace(' ', '-').replace(',', '')}-{count}.npy"
    if not file.is_file():
        HERE.mkdir(parents=True, exist_ok=True)
        np.save(file, make())
    return np.asarray(np.load(file))


def truth_of(records: Sequence[Record]) -> np.ndarray:
    """Disease and the ten findings, (films, 11) bool."""
    return np.array([[r.diseased, *(name in r.findings for name in FINDINGS)] for r in records])


def examined(x: np.ndarray, y: np.ndarray, real: np.ndarray, read: Sequence[Record], resamples: int) -> dict[str, Any]:
    """Learn heads from drawings (n, d) with answers (n, 11); score what they say of real films."""
    slopes, offsets = linear.ridge(x, y, linear.balanced(y[:, 0], [""] * len(y), {"": 1.0}), STRENGTH)
    said, truth = real @ slopes + offsets, truth_of(read)

    def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
        area = [metrics.weighted_scores(t, s, 0.0, weights)["auroc"] for t, s in zip(truth.T, said.T, strict=True)]
        return {"AUROC of disease": area[0], "AUROC of findings": metrics.mean_present(np.stack(area[1:], 1)),
                **dict(zip(FINDINGS, area[1:], strict=True))}  # fmt: skip

    point = statistic(np.ones((1, len(read))))
    within = metrics.bootstrap_intervals(statistic, patient_groups(read), resamples)
    row: dict[str, Any] = {
        name: {"mean": round(float(point[name][0]), 3), "interval": [round(v, 3) for v in within[name]]}
        for name in ("AUROC of disease", "AUROC of findings")
    }
    return {**row, "AUROC of each": {name: round(float(point[name][0]), 2) for name in FINDINGS}}


def laboratory(args: argparse.Namespace, read: list[Record], grounds: list[Record]) -> dict[str, Any]:
    """Score every way to draw."""
    sets, records = drawings(args.phantom, args.images, grounds)
    trunk, y = Trunk(), truth_of(records)
    own = XrayDataset(read, SIZE, RUNS / "cache", boxes=False)
    films_of = [own.image(i)[0].numpy() for i in range(len(own))]
    both = (kept(f"films {side}", len(read), lambda side=side: trunk(films_of, bool(side))) for side in (0, 1))
    real = np.mean([*both], axis=0)
    rows, learnt = {}, {}
    for number, (name, way) in enumerate(WAYS.items()):
        start = time.process_time()
        chances = [np.random.default_rng([number, i]) for i in range(len(sets))]
        pictures = (way(d, rng) for d, rng in zip(sets, chances, strict=True))
        # Half of them mirrored, the same half in each row.
        x = kept(
            name, len(sets), lambda p=pictures: np.concatenate([trunk([one], i % 2 == 1) for i, one in enumerate(p)])
        )
        learnt[name] = x
        rows[name] = examined(x, y, real, read, args.resamples)
        print(name, rows[name], round(time.process_time() - start), flush=True)
    bare = kept(
        "bare features", len(sets), lambda: np.concatenate([trunk([d.bare], i % 2 == 1) for i, d in enumerate(sets)])
    )
    pairs = np.concatenate([learnt["as drawn"], bare]), np.concatenate([y, np.zeros_like(y)])
    rows["each chest with and without its findings"] = examined(*pairs, real, read, args.resamples)
    even = kept(
        "equal", len(sets), lambda: np.concatenate([trunk([equal(d.whole)], i % 2 == 1) for i, d in enumerate(sets)])
    )
    even_films = kept("films equal", len(read), lambda: trunk([equal(one) for one in films_of]))
    rows["both with equal histograms"] = examined(even, y, even_films, read, args.resamples)
    for name in ("as drawn", "all three varied", "fainter findings, all three varied", "drawn findings on real films"):
        x = learnt[name]
        moved = (real - real.mean(0)) / (real.std(0) + 1e-6) * x.std(0) + x.mean(0)
        rows[f"{name}; features centred on the unlabelled films"] = examined(x, y, moved, read, args.resamples)
    return rows


def main() -> None:
    """Draw, examine, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=Path, default=FILMS)
    parser.add_argument("--phantom", type=Path, default=TOP / "data" / "phantom-quick")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--resamples", type=int, default=1000)
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
            "data": f"learnt from {args.images} drawings of chestlib phantom, seed 0; examined on {READ}, {len(read)} "
                    f"films of {len(theirs)} patients, {sum(not r.diseased for r in read)} normal; {len(grounds)} real "
                    "films as ground",
            "settings": f"efficientnet_lite0 of ImageNet, frozen, {SIZE} px; ridge {STRENGTH}; detectors as in "
                        "transfer, with 0 films",
            "intervals": "95 %, over patients", "device": devices.name(),
            "command": "python benchmarks/real_drawings.py",
        },
    })  # fmt: skip


if __name__ == "__main__":
    main()
