"""Images decoded and shrunk once, for all epochs, runs and processes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from filelock import FileLock

from chestlib.console import Progress
from chestlib.data.images import digest, read, square
from chestlib.errors import ChestlibError


def cached_images(paths: Sequence[Path], size: int, folder: Path, progress: Progress | None = None) -> np.ndarray:
    """Decode and shrink images once, for all epochs, runs and processes.

    The file is named after the content of the images, their order and the size, so it can't go stale. It
    appears whole or not at all; of two processes that want it at once, one builds and the other waits.

    Parameters
    ----------
    paths : sequence of Path
        n images.
    size : int
        Side in pixels; images are stretched to a square.
    folder : Path
        Where cache files lie.

    Returns
    -------
    (n, size, size) uint8
        Memory-mapped, read-only.
    """
    if not paths:
        return np.zeros((0, size, size), np.uint8)
    folder = Path(folder)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        content = hashlib.blake2b(b"".join(pool.map(digest, paths)), digest_size=8).hexdigest()
        target = folder / f"images-{size}-{content}.npy"
        if not target.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{target}.lock"):
                if not target.exists():
                    _build(target, [Path(path) for path in paths], size, pool, progress)
    cached: np.ndarray = np.load(target, mmap_mode="r")
    return cached


def _build(target: Path, paths: list[Path], size: int, pool: ThreadPoolExecutor, progress: Progress | None) -> None:
    # Ordinary writes and not a writable map: on a full disk they raise, where a map would end the process.
    part = target.with_suffix(".part")
    try:
        with open(part, "wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(paths), size, size)}
            np.lib.format.write_array_header_1_0(file, header)
            for done, image in enumerate(pool.map(lambda path: square(read(path), size), paths), start=1):
                file.write(image.tobytes())
                if progress:
                    progress(done, len(paths))
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except OSError as error:
        raise ChestlibError(f"{target}: cannot write the image cache ({error.strerror})") from error
    finally:
        pool.shutdown(cancel_futures=True)
        part.unlink(missing_ok=True)


def content_digests(paths: Sequence[Path], folder: Path, progress: Progress | None = None) -> list[str]:
    """Stand-in until the store is merged."""
    return [digest(Path(path)).hex() for path in paths]
