"""What a study's storage costs, and how many trials a minute several workers on one machine end.

    python benchmarks/tuning.py [--storage postgresql+psycopg2://user@host/name] [--workers 1 2 4] [--trials 24]

Measured for a journal file, and for an empty database where one is named: trials a minute of workers that begin
together, on 120 phantoms of 64 px; and the milliseconds that a trial of 12 epochs spends on its
bookkeeping (draw, worker, reports and pruning, end), without any training.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path

import optuna

from chestlib import phantom, settings
from chestlib.data import open_data
from chestlib.train import Run, ended, tune

BASE = replace(settings.QUICK.classifier, image_size=64, width=8, depth=3)
SPAWN = multiprocessing.get_context("spawn")
REPORTS = 12


def search(folder: Path, where: str | Path, name: str, trials: int) -> optuna.Study:
    plan = settings.TuneSettings(trials=trials, epochs=2, train_share=1.0)
    run = Run(folder / name.replace(" ", "-"))
    return tune(open_data(folder / "data"), run, BASE, plan, storage=where, name=name, cache=folder / "cache")


def worker(folder: Path, where: str | Path, name: str, trials: int, together: object) -> None:
    warnings.simplefilter("ignore")
    search(folder, where, f"{name} warm", 1)  # a study of its own: imports, cache, connection
    together.wait()
    search(folder, where, name, trials)
    together.wait()


def rate(folder: Path, where: str | Path, workers: int, trials: int) -> float:
    """Trials a minute."""
    together, name = SPAWN.Barrier(workers + 1), f"of {workers}"
    started = [
        SPAWN.Process(target=worker, args=(folder, where, name, trials, together), daemon=True) for _ in range(workers)
    ]
    for process in started:
        process.start()
    together.wait()
    start = time.perf_counter()
    together.wait()
    seconds = time.perf_counter() - start
    for process in started:
        process.join()
    return 60 * ended(search(folder, where, name, trials)) / seconds


def bookkeeping(folder: Path, where: str | Path, trials: int) -> float:
    """Milliseconds a trial, of a study that holds some."""
    study = search(folder, where, "bookkeeping", 1)
    distributions = study.trials[0].distributions
    start = time.perf_counter()
    for _ in range(trials):
        trial = study.ask(distributions)
        trial.set_user_attr("worker", "benchmark")
        for epoch in range(REPORTS):
            trial.report(0.5, epoch)
            trial.should_prune()
        study.tell(trial, 0.5)
    return 1000 * (time.perf_counter() - start) / trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--storage", help="URL of an empty database")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--trials", type=int, default=24)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        phantom.write(folder / "data", 150, 24, size=128)
        print(f"{os.cpu_count()} cores; trials a minute by {args.workers} workers; bookkeeping a trial")
        for title, where in (("journal", folder / "study.log"), ("database", args.storage)):
            if where:
                rates = "".join(f"{rate(folder, where, workers, args.trials):8.0f}" for workers in args.workers)
                print(f"{title:<10}{rates}{bookkeeping(folder, where, 50):10.0f} ms", flush=True)


if __name__ == "__main__":
    main()
