"""What opening a part of the image cache costs: the first time, and again, at n, 2n and 4n images.

    python benchmarks/cache.py [--images 1000] [--side 256] [--size 64]

`first` decodes; `again` is look-ups only. `hashing` reads and hashes all files, as version 0.1.0 did at each opening;
`decoding` is an epoch without a cache, `epoch` one from it. All are of the same run, files in the system's memory; the
exponent is that of time over images from n to 4n. Exit status 1 if opening again is slower than hashing.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from chestlib import devices
from chestlib.data import cached_images, images


def draw(folder: Path, count: int, side: int) -> list[Path]:
    """Images that differ, as large as films are once compressed."""
    noise = np.random.default_rng(0).integers(0, 256, (side, side), np.uint8)
    for i in range(count):
        noise[0, :4] = np.frombuffer(i.to_bytes(4, "little"), np.uint8)
        Image.fromarray(noise).save(folder / f"{i:06d}.png", compress_level=1)
    time.sleep(0.1)  # what was written this moment is read again
    return sorted(folder.iterdir())


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def hashed(paths: list[Path]) -> list[str]:
    with ThreadPoolExecutor(devices.cores()) as pool:
        return [*pool.map(lambda path: images.digest(images.contents(path)), paths)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000, help="n; 5000 ends at 20,000")
    parser.add_argument("--side", type=int, default=256, help="of the files, pixels")
    parser.add_argument("--size", type=int, default=64, help="in the cache, pixels")
    args = parser.parse_args()
    table: dict[str, list[float]] = {}
    counts = [args.images, 2 * args.images, 4 * args.images]
    with tempfile.TemporaryDirectory() as scratch:
        (source := Path(scratch, "images")).mkdir()
        every = draw(source, counts[-1], args.side)
        for count in counts:
            paths, cache = every[:count], Path(scratch, f"cache-{count}")
            steps = {
                "first": lambda paths=paths, cache=cache: cached_images(paths, args.size, cache),
                "again": lambda paths=paths, cache=cache: cached_images(paths, args.size, cache),
                "hashing": lambda paths=paths: hashed(paths),
                "decoding": lambda paths=paths: [images.square(images.read(path), args.size) for path in paths],
                "epoch": lambda paths=paths, cache=cache: np.asarray(cached_images(paths, args.size, cache)).mean(),
            }
            for name, step in steps.items():
                table.setdefault(name, []).append(seconds(step))
    print("seconds  " + "".join(f"{count:>9}" for count in counts) + "  exponent")
    for name, row in table.items():
        print(f"{name:<9}" + "".join(f"{value:9.3f}" for value in row) + f"{math.log(row[-1] / row[0], 4):10.2f}")
    ratio, epochs = (table[slow][-1] / table[fast][-1] for slow, fast in (("hashing", "again"), ("decoding", "epoch")))
    print(f"hashing / again at {counts[-1]}: {ratio:.1f}; decoding / epoch: {epochs:.1f}")
    return int(ratio < 1)


if __name__ == "__main__":
    sys.exit(main())
