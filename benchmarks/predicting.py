"""Films a second of `chestlib predict`: the command, its parts, one process, local Dask workers; what Dask costs.

    python benchmarks/predicting.py data/phantom-quick/test_data --classifier runs/phantom-quick/classifier \
        --detector runs/phantom-quick/detector [--beside CHECKOUT] [--rounds 3]

The command is timed from its start to its end, the loading of torch and the pictures (`--overlays`) included, in turns
with that of another checkout of chestlib. Its processor time tells what quiet cores would do.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import torch
from distributed import Client, LocalCluster

import chestlib
from chestlib import devices
from chestlib.data import images
from chestlib.prediction import TwoStage, predict
from chestlib.train import Run

BATCH = 8
HERE = Path(chestlib.__file__).parents[1]


def command(checkout: Path, chosen: argparse.Namespace, out: Path) -> tuple[float, float]:
    """Seconds, and processor seconds, of the command with pictures, in a program of its own."""
    runs = ["--classifier", chosen.classifier, "--detector", chosen.detector]
    called = [sys.executable, "-m", "chestlib", "predict", chosen.films, *runs, "--out", out, "--overlays"]
    begin, used = time.perf_counter(), _used()
    # Python looks for the package in the folder that it is started in.
    subprocess.run(called, check=True, capture_output=True, cwd=checkout)
    return time.perf_counter() - begin, _used() - used


def _used() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def parts(films: list[str], model: TwoStage, out: Path) -> dict[str, float]:
    """Processor milliseconds a film of each part, the models on one thread."""
    steps: dict[str, float] = {}

    def timed(name: str, work: Callable[[], object]) -> None:
        begin = time.process_time()
        work()
        steps[name] = 1000 * (time.process_time() - begin) / len(films)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    read = [model.read(film) for film in films]
    batches = [read[at : at + BATCH] for at in range(0, len(films), BATCH)]
    model.answer(batches[0])
    paths = [Path(film) for film in films]
    timed("decode", lambda: [images.read(path) for path in paths])
    timed("decode, shrink", lambda: [model.read(film) for film in films])
    timed("both models", lambda: [model.answer(batch) for batch in batches])
    timed("all of it, written", lambda: predict(paths, model, out, batch=BATCH))
    timed("pictures", lambda: predict(paths, model, out, batch=BATCH, overlays=True))
    torch.set_num_threads(threads)
    return steps


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
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="another checkout of chestlib")
    chosen = parser.parse_args()
    for name in ("films", "classifier", "detector"):
        setattr(chosen, name, getattr(chosen, name).resolve())
    devices.use_threads()
    model, place = TwoStage(Run(chosen.classifier), Run(chosen.detector)), Path(mkdtemp())
    films = [str(path) for path in images.find([chosen.films])]
    print(f"{len(films)} films, {devices.name()}, {devices.cores()} cores, {chosen.rounds} rounds")
    checkouts = {"the command": HERE} | ({f"{chosen.beside}": chosen.beside.resolve()} if chosen.beside else {})
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in checkouts}
    for i in range(chosen.rounds):
        for name, checkout in list(checkouts.items())[:: -1 if i % 2 else 1]:
            taken[name].append(command(checkout, chosen, place / f"{len(taken[name])}-{checkout.name}"))
    for name, found in taken.items():
        wall, used = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"  {name:<22}{len(films) / wall:6.1f} films/s; {len(films) / used:.1f} a second of one core's time")
    for name, cost in parts(films, model, place / "parts").items():
        print(f"  {name:<22}{cost:6.1f} ms a film of one core")
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
    for name, found in rates.items():
        print(f"  {name:<22}{statistics.median(found):6.1f} films/s ({min(found):.1f} to {max(found):.1f})")
    print(f"  Dask, nothing to do   {1000 * overhead(chosen.workers):6.2f} ms a film")


if __name__ == "__main__":
    main()
