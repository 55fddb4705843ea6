"""Images decoded and shrunk once, for all epochs, parts, runs and processes; addressed by their content."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock, Timeout

from chestlib import devices
from chestlib.console import Progress
from chestlib.data import images
from chestlib.data._index import FILE, SUFFIX, Entry, Index, Place, named, read
from chestlib.errors import ChestlibError

CHUNK_IMAGES, CHUNK_BYTES = 1024, 2**28
"""At most so much goes into one segment: what a killed build loses, and few files are open at once."""

GB = 10**9
LIMIT = 50.0
"""GB that the segments of a cache may take, unless CHESTLIB_CACHE_GB says otherwise."""


class Gone(ChestlibError):
    """A segment is no longer there."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: no longer in the image cache; start again, with a larger CHESTLIB_CACHE_GB")
        self.path = path


class Pixels:
    """Small images in the order they were asked for: a sequence of (side, side) uint8, memory-mapped, read-only.

    `numpy.asarray` copies all of them to (n, side, side). Pickled, it is where the pixels lie and not the pixels.

    Attributes
    ----------
    shape : (n, side, side)
    sizes : list of (width, height)
        Of the originals, pixels.
    """

    def __init__(
        self, folder: Path, side: int, names: list[str], where: np.ndarray, sizes: list[tuple[int, int]]
    ) -> None:
        self._state = folder, side, names, where, sizes
        self.shape, self.sizes = (len(where), side, side), sizes
        self._where = where  # (n, 2): number in `names`, row
        self._segments = [_opened(folder / name) for name in names]

    def __len__(self) -> int:
        return len(self._where)

    def __getitem__(self, index: int) -> np.ndarray:
        segment, row = self._where[index]
        image: np.ndarray = self._segments[segment][row]
        return image

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("the images lie in several files; an array of them is a copy")
        array = np.empty(self.shape, np.uint8)
        for i, image in enumerate(self):
            array[i] = image
        return array if dtype is None else array.astype(dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        return Pixels, self._state


def cached_images(paths: Sequence[Path], size: int, folder: Path, progress: Progress | None = None) -> Pixels:
    """Decode and shrink images once, for all epochs, parts, runs and processes.

    The cache grows by what it has not seen yet. It knows an image by its content, and a file that did not change
    by its size and times, so nothing is read twice and nothing can go stale. Of several processes that want the
    same image, one decodes it; a build that was killed goes on where it was. Beyond CHESTLIB_CACHE_GB (50), what
    was used least recently goes.

    Parameters
    ----------
    paths : sequence of Path
        n images, in any order.
    size : int
        Side in pixels; images are stretched to a square.
    folder : Path
        Where the cache lies.

    Raises
    ------
    ChestlibError
        For an image that can't be read, or a cache that can't be written.
    """
    if not paths:
        return Pixels(Path(folder), size, [], np.zeros((0, 2), np.int32), [])
    with _pool() as pool:
        part = _Part(Index(Path(folder)), paths, size)
        while True:
            while part.look():
                part.build(pool, progress)
            try:
                return part.open()
            except Gone as gone:  # evicted since, or removed by hand
                part.index.drop([gone.path.name])
                part.forget()


def content_digests(paths: Sequence[Path], folder: Path, progress: Progress | None = None) -> list[str]:
    """Name the content of each file; read are only those that are new to the cache's index or have changed.

    Parameters
    ----------
    folder : Path
        Where the cache lies.

    Returns
    -------
    list of str
        32 hexadecimal digits each.

    Raises
    ------
    ChestlibError
        For a file that can't be read, or an index that can't be written.
    """
    index = Index(Path(folder))
    with _pool() as pool:
        digests = index.known([named(path) for path in paths])
        new = [i for i, digest in enumerate(digests) if digest is None]
        for at in range(0, len(new), CHUNK_IMAGES):
            entries = []
            some = new[at : at + CHUNK_IMAGES]
            looks = zip(some, pool.map(read, (paths[i] for i in some)), strict=True)
            for done, (i, (_, entry, settled)) in enumerate(looks, start=at + 1):
                digests[i] = entry.digest
                entries += [entry] if settled else []
                if progress:
                    progress(done, len(new))
            index.remember(entries)
    return [digest for digest in digests if digest]


class Usage(NamedTuple):
    """What a cache takes, bytes: its segments, their bound, and files of version 0.1.0, which nobody reads."""

    bytes: int
    limit: float
    old_files: int
    old_bytes: int


def cache_usage(folder: Path) -> Usage:
    """Tell what a cache takes on the disk; errors as in :func:`cached_images`."""
    old = [path.stat().st_size for path in folder.glob("images-*.npy*")]
    return Usage(Index(folder).bytes() if (folder / FILE).exists() else 0, _limit(), len(old), sum(old))


class _Part:
    """The images of one call, as far as the index knows them."""

    def __init__(self, index: Index, paths: Sequence[Path], side: int) -> None:
        self.index, self.paths, self.side, self.decoder = index, paths, side, images.decoder()
        self.files = [named(path) for path in paths]
        self.digests: list[str | None] = [None] * len(paths)
        self.forget()

    def forget(self) -> None:
        """Take nothing for found."""
        self.places: dict[str, Place] = {}
        self.missing = list(range(len(self.paths)))

    def look(self) -> list[int]:
        """Look up what is still missing; gives its indices."""
        new = [i for i in self.missing if self.digests[i] is None]
        for i, digest in zip(new, self.index.known([self.files[i] for i in new]), strict=True):
            self.digests[i] = digest
        asked = {digest for i in self.missing if (digest := self.digests[i])}
        self.places |= self.index.find(asked, self.side, self.decoder)
        self.missing = [i for i in self.missing if self.digests[i] not in self.places]
        return self.missing

    def open(self) -> Pixels:
        """Map what was found."""
        places = [self.places[digest] for digest in self.digests if digest]
        number = {name: i for i, name in enumerate(dict.fromkeys(place.segment for place in places))}
        self.index.touch(number)
        where = np.array([(number[place.segment], place.row) for place in places], np.int32)
        sizes = [(place.width, place.height) for place in places]
        return Pixels(self.index.folder, self.side, list(number), where, sizes)

    def build(self, pool: ThreadPoolExecutor, progress: Progress | None) -> None:
        """Decode a chunk of what is missing, or wait a second while another process does."""
        try:
            with FileLock(self.index.folder / "index.lock", timeout=1):
                if self.look():
                    self.index.sweep()
                    self._decode(self.missing[: max(1, min(CHUNK_IMAGES, CHUNK_BYTES // self.side**2))], pool, progress)
        except Timeout:
            if progress:
                progress(len(self.paths) - len(self.missing), len(self.paths))
        except OSError as error:
            raise self.index.refused(error) from error

    def _decode(self, chunk: list[int], pool: ThreadPoolExecutor, progress: Progress | None) -> None:
        # Ordinary writes and not a writable map: on a full disk they raise, where a map would end the process.
        half = self.index.folder / f"half{SUFFIX}"
        rows: dict[str, tuple[int, int]] = {}
        entries = []
        begun = len(self.paths) - len(self.missing)
        have = self.index.contents(self.side, self.decoder)

        def look(i: int) -> tuple[Entry, bool, tuple[int, int], np.ndarray | None]:
            data, entry, settled = read(self.paths[i])
            if entry.digest in have:
                return entry, settled, (0, 0), None
            image = images.decode(data, self.paths[i])
            return entry, settled, (image.shape[2], image.shape[1]), images.square(image, self.side)

        try:
            with open(half, "wb") as file:
                looks = zip(chunk, pool.map(look, chunk), strict=True)
                for done, (i, (entry, settled, size, small)) in enumerate(looks, start=begun + 1):
                    self.digests[i] = entry.digest
                    entries += [entry] if settled else []
                    if small is not None and entry.digest not in rows:
                        file.write(small.tobytes())
                        rows[entry.digest] = size
                    if progress:
                        progress(done, len(self.paths))
                file.flush()
                os.fsync(file.fileno())
            if rows:
                taken, name = len(rows) * self.side**2, f"{len(rows)}-{self.side}-{uuid.uuid4().hex}{SUFFIX}"
                self.index.make_room(taken, _limit(), {place.segment for place in self.places.values()})
                os.replace(half, half.with_name(name))
                self.index.add(name, taken, self.side, self.decoder, rows)
            self.index.remember(entries)
        finally:
            half.unlink(missing_ok=True)


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(devices.cores())
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)  # an error is told at once


def _opened(path: Path) -> np.ndarray:
    """Map a segment, (n, side, side); its name tells n and side."""
    n, side, _ = path.name.split("-")
    try:
        return np.memmap(path, np.uint8, "r", shape=(int(n), int(side), int(side))).view(np.ndarray)
    except (FileNotFoundError, ValueError):  # not there, or cut off
        raise Gone(path) from None
    except OSError as error:
        raise ChestlibError(f"{path}: cannot be read ({error.strerror or error})") from None


def _limit() -> float:
    """Give the bound of a cache in bytes."""
    text = os.environ.get("CHESTLIB_CACHE_GB", "")
    try:
        limit = float(text or LIMIT)
    except ValueError:
        limit = -1
    if not limit >= 0:
        raise ChestlibError(f"CHESTLIB_CACHE_GB: {text!r} is no number of gigabytes; give one, as 50")
    return limit * GB
