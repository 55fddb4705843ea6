"""Films a second of `chestlib predict`: one process, local Dask workers, pictures; and what Dask costs a film.

    python benchmarks/predicting.py data/phantom-quick/test_data --classifier runs/phantom-quick/classifier \
        --detector runs/phantom-quick/detector
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

from distributed import Client, LocalCluster

from chestlib import devices
from chestlib.data import images
from chestlib.prediction import TwoStage, predict
from chestlib.train import Run

BATCH = 8


def rate(run: Callable[..., object]) -> float:
    """Films a second of the last three quarters: starting workers and loading models are left out."""
    times: list[tuple[float, int]] = []
    run(progress=lambda done, total, *note: times.append((time.perf_counter(), done)))
    (start, first), (end, last) = times[len(times) // 4], times[-1]
    return (last - first) / (end - start)


def nothing(films: list[str]) -> list[str]:
    return films


def overhead(workers: int, films: int = 8000) -> float:
    """Seconds that Dask needs to hand a film to a worker and back, in batches, when there is nothing to do."""
    with (
        LocalCluster(n_workers=workers, threads_per_worker=2, memory_limit=0, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.submit(nothing, [], pure=False).result()
        start = time.perf_counter()
        for at in range(0, films, 4 * workers * BATCH):
            batches = [[f"{i}.png" for i in range(at, at + BATCH)] for _ in range(4 * workers)]
            for future in [client.submit(nothing, batch, pure=False) for batch in batches]:
                future.result()
        return (time.perf_counter() - start) / films


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("films", type=Path)
    parser.add_argument("--classifier", type=Path, required=True)
    parser.add_argument("--detector", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=devices.cores())
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    devices.use_threads()
    model, place = TwoStage(Run(chosen.classifier), Run(chosen.detector)), Path(mkdtemp())
    alone, spread = "one process", f"{chosen.workers} local workers"
    rates: dict[str, list[float]] = {alone: [], spread: [], "pictures, afterwards": []}
    for i in range(chosen.rounds):
        for name, dask in ((alone, None), (spread, str(chosen.workers))):
            call = partial(predict, [chosen.films], model, place / f"{name} {i}", batch=BATCH, dask=dask)
            rates[name].append(rate(call))
        rates["pictures, afterwards"].append(
            rate(partial(predict, [chosen.films], model, place / f"{alone} {i}", overlays=True))
        )
    shutil.rmtree(place)
    count = sum(1 for _ in images.find([chosen.films]))
    print(f"{count} films, {devices.name()}, {devices.cores()} cores, {chosen.rounds} rounds")
    for name, found in rates.items():
        print(f"  {name:<22}{statistics.median(found):6.1f} films/s ({min(found):.1f} to {max(found):.1f})")
    print(f"  Dask, nothing to do   {1000 * overhead(chosen.workers):6.2f} ms a film")


if __name__ == "__main__":
    main()
