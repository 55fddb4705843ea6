"""Work in threads, a bounded number of items ahead of who takes the results."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ahead(
    function: Callable[[T], R], batches: Iterable[list[T]], threads: int, most: int
) -> Generator[list[R], None, None]:
    """Apply a function to the items of batches; yields the results batch by batch, in order.

    Parameters
    ----------
    most : int
        Items of which no more than one batch beyond is begun before their results are taken.
    """
    waiting: deque[list[Future[R]]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for batch in batches:
            waiting.append([pool.submit(function, item) for item in batch])
            while sum(map(len, waiting)) > most:
                yield [future.result() for future in waiting.popleft()]
        while waiting:
            yield [future.result() for future in waiting.popleft()]
    finally:
        pool.shutdown(cancel_futures=True)
