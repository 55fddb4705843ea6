"""What the image cache saves: an epoch at 224 px from it against decoding PNG files; and how fast phantoms are drawn.

    python benchmarks/cache.py [--images 64] [--size 224] [--workers 2]

Both epochs read every image as float32 in [0, 1], in the same run and one process, and their best of three counts.
Exit status 1 if the ratio is under 5.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from chestlib import phantom
from chestlib.data import cached_images, images

REQUIRED = 5


def seconds(epoch: Callable[[], Iterable[np.ndarray]], repeats: int = 3) -> float:
    """The best time of an epoch whose images are all looked at."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        for image in epoch():
            image.mean()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    shape = (args.size, args.size)
    with tempfile.TemporaryDirectory() as scratch:
        for workers in sorted({1, args.workers}):
            start = time.perf_counter()
            folder = phantom.write(Path(scratch, f"phantom-{workers}"), args.images - 1, 1, workers=workers)
            rate = args.images / (time.perf_counter() - start)
            print(f"phantom, {workers} worker(s)     {rate:8.2f} images/s, {rate / workers:.2f} a worker")
        paths = sorted(folder.rglob("*.png"))
        start = time.perf_counter()
        cached = cached_images(paths, args.size, Path(scratch, "cache"))
        print(f"building the cache       {len(paths) / (time.perf_counter() - start):8.1f} images/s")
        decode = seconds(lambda: (images.resize(images.read(path), shape) for path in paths))
        read = seconds(lambda: (image.astype(np.float32)[None] / 255 for image in cached))
    ratio = decode / read
    print(f"epoch decoding PNG files {len(paths) / decode:8.1f} images/s")
    print(f"epoch over the cache     {len(paths) / read:8.1f} images/s")
    print(f"ratio                    {ratio:8.1f}, required {REQUIRED}: {'pass' if ratio >= REQUIRED else 'FAIL'}")
    return int(ratio < REQUIRED)


if __name__ == "__main__":
    sys.exit(main())
