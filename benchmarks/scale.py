"""How time and memory grow with the number of images, on the way from a folder to the figures.

    python benchmarks/scale.py [--images 1000] [--classifier RUN --detector RUN [--films 8]]

Each step runs for n, 2n and 4n images, each time in a process of its own. Seconds are the processor's, so that others
on the machine count little; MB is the peak of resident memory beyond what the process held before the step. The
exponent is the slope of the seconds' logarithm against that of n: 1 is in proportion, 2 the square; below 1, a fixed
cost weighs in. All images have one base name, each in its patient's folder, and nine detections. Predicting needs two
finished runs.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from chestlib import devices
from chestlib.findings import FINDINGS

Work = Callable[[], object]
DETECTIONS = 9
"""An image."""
SIDE = 128
"""Of the cached pictures."""


def names(n: int) -> list[str]:
    return [f"p{i:06d}/view1.png" for i in range(n)]


def boxes(rng: np.random.Generator, n: int) -> np.ndarray:
    corner = rng.integers(0, 700, (n, 2))
    return np.hstack([corner, corner + rng.integers(15, 300, (n, 2))])


def coco(n: int, score: bool) -> list[dict[str, Any]]:
    """True boxes, one an image, or detections."""
    rng = np.random.default_rng(int(score))
    image = np.repeat(np.arange(1, n + 1), DETECTIONS if score else 1)
    rows = boxes(rng, len(image))
    rows[:, 2:] -= rows[:, :2]
    labels, scores = rng.integers(1, 11, len(image)), rng.random(len(image)).round(5)
    items = zip(image.tolist(), labels.tolist(), rows.tolist(), scores.tolist(), strict=True)
    return [{"image_id": i, "category_id": c, "bbox": b} | ({"score": s} if score else {}) for i, c, b, s in items]


def pictures(folder: Path, n: int, side: int) -> list[Path]:
    """Small images, no two alike."""
    from PIL import Image

    paths = [folder / name for name in names(n)]
    for i, path in enumerate(paths):
        path.parent.mkdir(parents=True)
        picture = np.add.outer(np.arange(side), np.arange(side) * (i % 7)).astype(np.uint8)
        picture.flat[:4] = np.frombuffer(i.to_bytes(4, "little"), np.uint8)
        Image.fromarray(picture).save(path)
    return paths


def in_memory(n: int) -> list[Any]:
    from chestlib.data import Record

    rng = np.random.default_rng(0)
    rows, labels, count = boxes(rng, 3 * n), rng.integers(1, 11, 3 * n), rng.integers(0, 4, n)
    return [
        Record(name, rows[3 * i : 3 * i + count[i]], labels[3 * i : 3 * i + count[i]], f"p{i // 2}", Path(name))
        for i, name in enumerate(names(n))
    ]


def apart(work: Work) -> None:
    """Prepare in a process that goes, so that its memory does not count."""
    if (child := os.fork()) == 0:
        work()
        os._exit(0)
    os.waitpid(child, 0)


# --- the steps: each prepares, and returns what is measured -------------------------------------------------------


def opening(folder: Path, n: int) -> Work:
    from chestlib.data import open_data

    for name in names(n):
        (folder / "images" / name).parent.mkdir(parents=True)
        (folder / "images" / name).touch()
    images = [{"id": i, "file_name": name} for i, name in enumerate(names(n), start=1)]
    categories = [{"id": i, "name": name} for i, name in enumerate(FINDINGS, start=1)]
    document = {"images": images, "annotations": coco(n, score=False), "categories": categories}
    (folder / "all.json").write_text(json.dumps(document))
    return lambda: open_data(folder)


def splitting(folder: Path, n: int) -> Work:
    from chestlib.data import splits

    records = in_memory(n)
    return lambda: splits.default(records[: n * 4 // 5], records[n * 4 // 5 :])


def caching(folder: Path, n: int) -> Work:
    """Open the cache again."""
    from chestlib.data import cached_images

    paths = pictures(folder / "images", n, 16)
    apart(lambda: cached_images(paths, SIDE, folder / "cache"))
    return lambda: len(cached_images(paths, SIDE, folder / "cache"))


def evaluating(folder: Path, n: int) -> Work:
    from chestlib import metrics

    truth = in_memory(n)
    apart(lambda: (folder / "found.json").write_text(json.dumps(coco(n, score=True))))
    return lambda: metrics.evaluate(truth, metrics.read_predictions(folder / "found.json", truth))


def listing(folder: Path, n: int) -> Work:
    """What a viewer of all images holds and a page of it would: boxes and names, no pictures."""
    from chestlib.detections import Detections
    from chestlib.viewer import BoxViewer

    rng = np.random.default_rng(0)
    records = in_memory(n)
    labels, scores = rng.integers(1, 11, DETECTIONS), rng.random(DETECTIONS)
    found = [Detections(boxes(rng, DETECTIONS), labels, scores) for _ in range(n)]
    return lambda: json.dumps(BoxViewer(records, records, found)._study)


def predicting(folder: Path, n: int, classifier: str, detector: str) -> Work:
    """As on the command line: both stages on every film."""
    from chestlib import cli

    pictures(folder / "films", n, 256)
    where = ["--classifier", classifier, "--detector", detector, "--out", str(folder / "out")]

    def work() -> None:
        sys.argv = ["chestlib", "predict", str(folder / "films"), *where]
        with contextlib.suppress(SystemExit):
            cli.main()

    return work


STEPS = {
    "opening a folder": opening,
    "drawing the split": splitting,
    "opening the cache again": caching,
    "evaluating": evaluating,
    "listing in the viewer": listing,
    "predicting": predicting,
}

# --- measuring ------------------------------------------------------------------------------------------------------


def held() -> float:
    """MB at the peak, so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def measure(step: str, n: int, *runs: str) -> None:
    """Print seconds of the processor and MB, in a process that does nothing else."""
    devices.use_threads()
    with tempfile.TemporaryDirectory() as folder:
        work = STEPS[step](Path(folder), n, *runs)
        before, start = held(), time.process_time()
        work()
        print(json.dumps([time.process_time() - start, held() - before]))


def exponent(counts: list[int], values: list[float]) -> float:
    return float(np.polyfit(np.log(counts), np.log(np.maximum(values, 1e-9)), 1)[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000, help="n")
    parser.add_argument("--films", type=int, default=8, help="n of predicting")
    parser.add_argument("--classifier", help="run folder of stage 1")
    parser.add_argument("--detector", help="run folder of stage 2")
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        step, n, *runs = args.measure
        measure(step, int(n), *runs)
        return 0
    runs = [args.classifier, args.detector] if args.classifier and args.detector else []
    print(f"{datetime.date.today()}, {devices.name()}, {platform.machine()}, Python {platform.python_version()}")
    print(f"{'':26}{'n':>8}{'s at n':>9}{'2n':>9}{'4n':>9}{'exponent':>10}{'MB at n':>10}{'2n':>8}{'4n':>8}")
    for step in STEPS:
        first = args.films if step == "predicting" else args.images
        if step == "predicting" and not runs:
            print(f"{step:26}  give --classifier and --detector")
            continue
        counts, seconds, sizes = [first, 2 * first, 4 * first], [], []
        for n in counts:
            command = [sys.executable, __file__, "--measure", step, str(n), *(runs if step == "predicting" else [])]
            said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            second, size = json.loads(said.splitlines()[-1])
            seconds.append(second)
            sizes.append(size)
        times, memory = "".join(f"{v:>9.2f}" for v in seconds), "".join(f"{v:>8.0f}" for v in sizes)
        print(f"{step:26}{first:>8}{times}{exponent(counts, seconds):>10.2f}  {memory}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
