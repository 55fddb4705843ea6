"""Prediction on many machines: Dask hands batches of files to workers, each with the predictor; one process writes.

Run folders and films must lie under the same paths on every machine: names travel, not pixels.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from chestlib.errors import ChestlibError
from chestlib.files import plain
from chestlib.prediction.answers import Prediction, same_models
from chestlib.prediction.choice import Made, made_of, predictor
from chestlib.prediction.model import Predictor

if TYPE_CHECKING:
    from distributed import Client

GONE = (OSError, asyncio.TimeoutError)  # one is the other's parent from Python 3.11 on

PATIENCE = 30
"""Seconds in which a scheduler must answer, and a first worker join."""

DEAF = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
"""Run by each local worker: Ctrl-C reaches it too, but it is ended by this process, without a traceback."""

_ONE_AT_A_TIME = Lock()


def spread(model: Predictor, batches: Iterable[list[str]], where: str) -> Generator[list[Prediction], None, None]:
    """Answer batch by batch, in order, on the workers of a Dask cluster.

    Parameters
    ----------
    where : str
        The address of a running scheduler, `tcp://host:8786`, or a number of local workers.

    Raises
    ------
    ChestlibError
        If Dask is not installed, no scheduler or worker answers, or a worker has another model.
    """
    made, about = made_of(model), plain(model.about())
    waiting: deque[tuple[list[str], Any]] = deque()
    try:
        with _cluster(where) as client:
            for batch in batches:
                paths = [os.path.abspath(film) for film in batch]
                waiting.append((batch, client.submit(_answer, made, about, paths, pure=False)))
                # A thread works on one and finds the next at hand; with more, more would be begun again elsewhere.
                while len(waiting) > 2 * sum(client.nthreads().values()):
                    yield _taken(*waiting.popleft())
            while waiting:
                yield _taken(*waiting.popleft())
    except (*GONE, asyncio.CancelledError) as error:
        told = " ".join(str(error).split()) or type(error).__name__
        raise ChestlibError(f"{where}: the Dask cluster is gone ({told}); the same command goes on") from None


def _taken(batch: list[str], future: Any) -> list[Prediction]:
    """Take an answer under the names that the films were given by."""
    from distributed import KilledWorker

    try:
        return [_named(said, film) for film, said in zip(batch, future.result(), strict=True)]
    except KilledWorker as error:
        told = f"{error.allowed_failures + 1} workers ended while they had it or films beside it; look at their memory"
        return [Prediction(film, error=f"{film}: {told}, and the same command tries it again") for film in batch]


def _named(said: Prediction, film: str) -> Prediction:
    """Put an answer, and what its error says, under the film's name as it was given."""
    return replace(said, file=film, error=said.error and said.error.replace(said.file, film))


def _answer(made: Made, about: dict[str, Any], films: list[str]) -> list[Prediction]:
    """Read a batch and answer it, on a worker; a second thread reads while the models are at work for the first."""
    with _ONE_AT_A_TIME:
        model, own = _predictor(made)
    if not same_models(own, about):
        named = ", ".join(made[1]) or "chestlib"
        raise ChestlibError(f"{named}: other models or another chestlib on a worker than here")
    read = [model.read(film) for film in films]
    with _ONE_AT_A_TIME:
        return model.answer(read)


@lru_cache(maxsize=1)
def _predictor(made: Made) -> tuple[Predictor, dict[str, Any]]:
    model = predictor(*made)
    return model, plain(model.about())


@contextmanager
def _cluster(where: str) -> Iterator[Client]:
    """Reach a running cluster, or start one here for as long as it takes."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise ChestlibError(f"--dask {where}: Dask is missing; pip install 'chestlib[dask]'") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters comes as an exception
    own = None
    if where.isdecimal() and int(where):
        # The system bounds their memory: Dask's share by cores would end a worker that a large model fills.
        own = LocalCluster(
            n_workers=int(where), threads_per_worker=2, memory_limit=0, dashboard_address=":0",
            silence_logs=logging.CRITICAL, preload=[DEAF],
        )  # fmt: skip
    try:
        try:
            client = Client(own or where, timeout=PATIENCE, set_as_default=False)
        except (*GONE, ValueError) as error:
            told = " ".join(str(error).split())
            raise ChestlibError(f"--dask {where}: no scheduler there ({told}); start one: dask scheduler") from None
        with client:
            try:
                client.wait_for_workers(1, timeout=PATIENCE)
            except asyncio.TimeoutError:
                raise ChestlibError(f"--dask {where}: has no workers; start some: dask worker {where}") from None
            yield client
    finally:
        if own:
            own.close()
