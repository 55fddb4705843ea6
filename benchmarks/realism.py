"""How near the phantom comes to real radiographs: one line a figure, pass or fail.

    python benchmarks/realism.py [--seeds 0 1 2] [--images 200] [--workers 2]
    python benchmarks/realism.py --gallery figures/phantom.png

The bounds on grey, spectrum and lesion contrast are measurements of real NIH radiographs (87 images; 283 Mass and
Nodule boxes on 50). The annotation figures are compared with the official train.json, read from --real if it is there.
Below them stands the exam, which no statistic replaces: what models that saw drawings alone reach on real films, as
benchmarks/real_drawings.py measured it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from textwrap import fill

import cv2
import numpy as np

from chestlib.data import Record, read_annotations
from chestlib.files import read_json
from chestlib.findings import FINDINGS, ID
from chestlib.phantom import plan, plan_visit, render_visit

REAL = Path("../shared/real/chestx-det10")
EXAM = Path(__file__).parents[1] / "figures" / "real.json"

# Real 10 % and 90 %: the phantom's mean has to lie between.
GREY = {
    "quantile 5 %": (0.00, 0.17),
    "quantile 25 %": (0.18, 0.54),
    "quantile 50 %": (0.42, 0.73),
    "quantile 75 %": (0.61, 0.85),
    "quantile 95 %": (0.83, 0.94),
    "spectrum slope, 8 to 128 cycles": (-3.26, -2.90),
    "spectrum slope, 128 to 400 cycles": (-4.2, -2.4),
    "mid-lung patches": (0.22, 0.51),
    "mediastinum patch": (0.65, 0.88),
    "high-frequency deviation": (0.009, 0.023),
}
CONTRAST = {"Mass": (0.06, 0.46), "Nodule": (0.04, 0.50)}
"""Real medians of contrast and of contrast-to-noise."""


def grey_figures(image: np.ndarray) -> list[float]:
    """The figures of `GREY` for an image (1024, 1024) uint8."""
    x = image.astype(np.float32) / 255
    window = np.hanning(1024).astype(np.float32)
    power = np.abs(np.fft.rfft2((x - x.mean()) * window * window[:, None])) ** 2
    fy, fx = np.fft.fftfreq(1024, 1 / 1024)[:, None], np.arange(513)[None]
    radius = np.rint(np.hypot(fy, fx)).astype(int)
    radial = np.bincount(radius.ravel(), power.ravel()) / np.bincount(radius.ravel())

    def slope(low: int, high: int) -> float:
        f = np.arange(low, high + 1)
        return float(np.polyfit(np.log(f), np.log(radial[f]), 1)[0])

    lungs = (x[350:600, 230:380].mean() + x[350:600, 640:790].mean()) / 2
    fine = x - cv2.GaussianBlur(x, (0, 0), 1.5)
    quantiles = np.quantile(x, [0.05, 0.25, 0.5, 0.75, 0.95]).tolist()
    return [
        *quantiles,
        slope(8, 128),
        slope(128, 400),
        float(lungs),
        float(x[400:700, 480:560].mean()),
        float(fine.std()),
    ]


def lesion_contrast(image: np.ndarray, box: np.ndarray) -> tuple[float, float]:
    """Contrast of a box's inner ellipse against a ring around it, and that over the ring's deviation."""
    x1, y1, x2, y2 = box
    yy, xx = np.mgrid[: image.shape[0], : image.shape[1]]
    r = np.hypot((xx + 0.5 - (x1 + x2) / 2) / (x2 - x1), (yy + 0.5 - (y1 + y2) / 2) / (y2 - y1)) * 2
    inner, ring = image[r <= 0.5] / 255, image[(r >= 1.1) & (r <= 1.8)] / 255
    if not inner.size or not ring.size:
        return float("nan"), float("nan")
    contrast = float(inner.mean() - ring.mean())
    return contrast, contrast / max(float(ring.std()), 1e-6)


def box_truth(image: np.ndarray, without: np.ndarray, boxes: np.ndarray) -> tuple[int, int, list[bool], list[bool]]:
    """Changed pixels, those over 8 px outside every box, and for each box: holds some; touched on all four sides."""
    changed = np.abs(image.astype(int) - without) > 2
    inside = np.zeros_like(changed)
    holds, touched = [], []
    for x1, y1, x2, y2 in boxes.astype(int):
        inside[max(y1 - 8, 0) : y2 + 8, max(x1 - 8, 0) : x2 + 8] = True
        part = changed[y1:y2, x1:x2]
        h, w = part.shape
        v, u = -(-h * 15 // 100), -(-w * 15 // 100)
        holds.append(bool(part.any()))
        touched.append(all(side.any() for side in (part[:v], part[-v:], part[:, :u], part[:, -u:])))
    return int(changed.sum()), int((changed & ~inside).sum()), holds, touched


def examine(job) -> dict:
    """Everything measured on one image."""
    cv2.setNumThreads(1)
    start = time.process_time()
    image, boxes, labels = render_visit(job.visit)
    cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    seconds = time.process_time() - start
    without = render_visit(job.visit, findings=False)[0]
    contrast = [
        (int(label), *lesion_contrast(image, box))
        for box, label in zip(boxes, labels, strict=True)
        if label in (ID["Mass"], ID["Nodule"])
    ]
    return {
        "seconds": seconds,
        "grey": grey_figures(image),
        "truth": box_truth(image, without, boxes),
        "contrast": contrast,
        "record": Record(job.path.name, boxes, labels, job.patient),
        "planned": [lesion.label for lesion in plan_visit(job.visit)[1]],
    }


def thumbnail(job) -> tuple[np.ndarray, bool]:
    """A 32 x 32 thumbnail, flat, and whether the image is diseased."""
    cv2.setNumThreads(1)
    image, _, labels = render_visit(job.visit)
    small = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)
    return small.ravel().astype(np.float32) / 255, len(labels) > 0


def logistic_auroc(train, test) -> float:
    """AUROC of a logistic regression on thumbnails: what overall brightness alone gives away."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    (x, y), (u, v) = (tuple(map(np.array, zip(*part, strict=True))) for part in (train, test))
    best = 0.0
    for c in (1e-4, 1e-3, 1e-2, 1e-1, 1.0):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=2000)).fit(x, y)
        best = max(best, roc_auc_score(v, model.predict_proba(u)[:, 1]))
    return best


class Table:
    """Lines of the report, and whether any failed."""

    def __init__(self) -> None:
        self.failed = 0

    def line(self, name: str, value: str, bound: str, passed: bool) -> None:
        self.failed += not passed
        print(f"  {'pass' if passed else 'FAIL'}  {name:<44} {value:>20}   {bound}", flush=True)


def annotation_lines(table: Table, records: list[Record], real: list[Record]) -> None:
    """Shares, sizes, places and company of the findings against the real train annotations."""
    n = len(records)
    images = {name: np.array([name in r.findings for r in records]) for name in FINDINGS}
    truly = {name: np.array([name in r.findings for r in real]) for name in FINDINGS}

    def share(name: str, ours: np.ndarray, theirs: np.ndarray) -> None:
        p, q = ours.mean(), theirs.mean()
        slack = max(0.25 * q, 2 * np.sqrt(q * (1 - q) / len(ours)))
        table.line(name, f"{p:.3f}", f"{q:.3f} +- {slack:.3f}", abs(p - q) <= slack)

    share("images diseased", np.array([r.diseased for r in records]), np.array([r.diseased for r in real]))
    mean, wanted = (np.mean([len(r.findings) for r in part]) for part in (records, real))
    table.line("findings an image", f"{mean:.2f}", f"{wanted:.2f} +- 15 %", abs(mean / wanted - 1) <= 0.15)
    mean, wanted = (np.mean([len(r.labels) for r in part]) for part in (records, real))
    table.line("boxes an image", f"{mean:.2f}", f"{wanted:.2f} +- 20 %", abs(mean / wanted - 1) <= 0.20)
    for name in FINDINGS:
        share(f"images with {name}", images[name], truly[name])
    for a, b in (("Consolidation", "Effusion"), ("Emphysema", "Fibrosis"), ("Effusion", "Atelectasis")):
        share(f"images with {a} and {b}", images[a] & images[b], truly[a] & truly[b])

    rng = np.random.default_rng(0)
    for name in FINDINGS:
        ours, theirs = (np.concatenate([r.boxes[r.labels == ID[name]] for r in part]) for part in (records, real))
        m = len(ours)
        (w, h), (rw, rh) = ((b[:, 2:] - b[:, :2]).T for b in (ours, theirs))
        for side, values, wanted in (("width", w, rw), ("height", h, rh)):
            if not m:
                table.line(f"{name} {side}", "no box", "", False)
                continue
            draws = np.median(rng.choice(wanted, (2000, m)), axis=1)
            goal, got = np.median(wanted), np.median(values)
            low, high = (
                f(v, goal * k)
                for f, v, k in zip((min, max), np.quantile(draws, [0.025, 0.975]), (0.8, 1.2), strict=True)
            )
            table.line(f"{name} median {side} ({m})", f"{got:.0f}", f"{low:.0f} to {high:.0f}", low <= got <= high)
        area, wanted = np.sort(np.sqrt(w * h)), np.sort(np.sqrt(rw * rh))
        both = np.concatenate([area, wanted])
        ks = np.abs(
            np.searchsorted(area, both, "right") / m - np.searchsorted(wanted, both, "right") / len(wanted)
        ).max()
        table.line(f"{name} KS of sqrt(area)", f"{ks:.2f}", f"<= {0.2 + 0.5 / m**0.5:.2f}", ks <= 0.2 + 0.5 / m**0.5)
        for axis in (0, 1):
            place, goal = ((b[:, axis] + b[:, 2 + axis]) / 2 for b in (ours, theirs))
            if axis == 0:
                place, goal = np.abs(place - 512), np.abs(goal - 512)
            slack = max(40.0, 3 * goal.std() / m**0.5)
            what = ("off the midline", "row")[axis]
            d = np.median(place) - np.median(goal)
            table.line(
                f"{name} median {what}",
                f"{np.median(place):.0f}",
                f"{np.median(goal):.0f} +- {slack:.0f}",
                abs(d) <= slack,
            )
    patients = Counter(r.patient for r in records)
    table.line("images a patient", f"{n / len(patients):.2f}", "1.3 to 2.5", 1.3 <= n / len(patients) <= 2.5)


def report(seed: int, images: int, pool: ProcessPoolExecutor, real: list[Record] | None) -> int:
    """Print the table of one seed; the number of failures."""
    table = Table()
    print(f"seed {seed}, {images} images")
    results = list(pool.map(examine, plan(Path(), images - 1, 1, 1024, seed), chunksize=4))
    for name, values in zip(GREY, np.array([r["grey"] for r in results]).T, strict=True):
        low, high = GREY[name]
        table.line(
            name, f"{values.mean():.3f} (sd {values.std():.3f})", f"{low} to {high}", low <= values.mean() <= high
        )

    contrast = [row for r in results for row in r["contrast"]]
    for name, goals in CONTRAST.items():
        rows = np.array([row[1:] for row in contrast if row[0] == ID[name]])
        for what, values, goal in zip(("contrast", "contrast-to-noise"), rows.T, goals, strict=True):
            got = float(np.nanmedian(values))
            table.line(
                f"{name} median {what} ({len(rows)})", f"{got:.3f}", f"{goal} +- 50 %", abs(got / goal - 1) <= 0.5
            )

    changed, outside = (sum(r["truth"][i] for r in results) for i in (0, 1))
    holds, touched = (np.concatenate([r["truth"][i] for r in results]).mean() for i in (2, 3))
    table.line("changed pixels outside all boxes", f"{outside / changed:.4f}", "<= 0.01", outside <= 0.01 * changed)
    table.line("boxes that hold changed pixels", f"{holds:.3f}", "1", holds == 1)
    table.line("boxes touched on all four sides", f"{touched:.3f}", ">= 0.95", touched >= 0.95)
    drawn, planned = sum(len(r["record"].labels) for r in results), sum(len(r["planned"]) for r in results)
    table.line("planned lesions that show", f"{drawn / planned:.3f}", ">= 0.97", drawn >= 0.97 * planned)
    seconds = np.median([r["seconds"] for r in results])
    table.line("processor seconds an image", f"{seconds:.2f}", "<= 0.30", seconds <= 0.30)

    parts = [
        list(pool.map(thumbnail, plan(Path(), n - 1, 1, 1024, 1000 * seed + k), chunksize=4))
        for k, n in ((1, 400), (2, 200))
    ]
    auroc = logistic_auroc(*parts)
    table.line("AUROC of 32 x 32 thumbnails (best of 5 C)", f"{auroc:.3f}", "<= 0.80", auroc <= 0.80)

    if real is None:
        print("  skip  annotation figures: no train.json of ChestX-Det10 in --real")
    else:
        annotation_lines(table, [r["record"] for r in results], real)
    return table.failed


def exam(path: Path) -> None:
    """Print what was measured on real films, with its 95 % interval over patients; not measured anew here."""
    found = read_json(path).get("drawings") if path.is_file() else None
    if not found:
        print("the exam: not measured; python benchmarks/real_drawings.py")
        return
    print(f"the exam: measured on REAL films, models trained on DRAWINGS alone ({found['of']['data']})")
    plain = found["heads"]["as drawn"]
    heads = {"linear heads on ImageNet features": plain}
    detectors = {f"detector from {name.replace(', phantom', '').replace('phantom', 'random')} weights": row
                 for name, row in found["detectors"].items()}  # fmt: skip
    for model, row in (detectors | heads).items():
        for name, value in row.items():
            if isinstance(value, dict) and "interval" in value:
                low, high = value["interval"]
                print(f"  exam  {f'{name}, {model}':<64} {value['mean']:.3f} ({low:.3f} to {high:.3f})")


def gallery(path: Path) -> None:
    """Twelve phantoms with their boxes, all ten findings among them."""
    import matplotlib

    matplotlib.use("Agg")
    from chestlib import figures
    from chestlib.phantom import render

    pictures = [render(seed, 512) for seed in range(60)]
    chosen: list[int] = []
    missing = set(FINDINGS)
    while missing:  # the image that shows most of what is not shown yet, and little else
        best = max(
            (i for i in range(len(pictures)) if i not in chosen),
            key=lambda i: (len(missing & set(pictures[i][1].findings)), -len(pictures[i][1].labels)),
        )
        chosen.append(best)
        missing -= set(pictures[best][1].findings)
    rest = (i for i in range(len(pictures)) if i not in chosen and len(pictures[i][1].labels) <= 2)
    chosen = (chosen + list(rest))[:12]
    figures.use_style()
    figure, axes = figures.grid(12, 4, 2.9)
    for axis, i in zip(axes, sorted(chosen), strict=True):
        image, record = pictures[i]
        figures.xray(axis, image[None] / np.float32(255), fill(", ".join(record.findings) or "normal", 40))
        figures.boxes(axis, record.boxes, record.labels, names=False)
    figure.suptitle("Phantoms: drawn, not measured", x=0.01, ha="left", fontsize=11)
    figures.save(figure, path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--real", type=Path, default=REAL)
    parser.add_argument("--gallery", type=Path)
    args = parser.parse_args()
    if args.gallery:
        gallery(args.gallery)
        return 0
    real = read_annotations(args.real / "train.json") if (args.real / "train.json").is_file() else None
    with ProcessPoolExecutor(args.workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        failed = sum(report(seed, args.images, pool, real) for seed in args.seeds)
    exam(EXAM)
    print(f"{failed} failed" if failed else "all passed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
