"""Images decoded once: the cache is whole, fresh, and built by one process."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from chestlib.data import cached_images, images
from chestlib.errors import ChestlibError


@pytest.fixture
def paths(tmp_path):
    rng = np.random.default_rng(0)
    files = [tmp_path / f"{i}.png" for i in range(6)]
    for file in files:
        Image.fromarray(rng.integers(0, 256, (40, 40), np.uint8)).save(file)
    return files


def test_cache_holds_the_small_images(tmp_path, paths):
    ticks = []
    cached = cached_images(paths, 10, tmp_path / "cache", progress=lambda done, total: ticks.append((done, total)))
    assert cached.shape == (6, 10, 10) and cached[0].dtype == np.uint8
    assert ticks == [(i, 6) for i in range(1, 7)]
    for path, small in zip(paths, cached, strict=True):
        np.testing.assert_allclose(small / 255, images.resize(images.read(path), (10, 10))[0], atol=0.5 / 255 + 1e-6)
    assert cached_images([], 10, tmp_path / "cache").shape == (0, 10, 10)


def test_cache_follows_content_order_and_size(tmp_path, paths):
    folder = tmp_path / "cache"
    first = np.array(cached_images(paths, 10, folder))
    assert np.array_equal(cached_images(paths[::-1], 10, folder), first[::-1])
    assert cached_images(paths, 12, folder).shape == (6, 12, 12)
    before = paths[0].stat()
    paths[0].write_bytes(paths[1].read_bytes())
    os.utime(paths[0], ns=(before.st_atime_ns, before.st_mtime_ns))  # same time, other bytes
    again = cached_images(paths, 10, folder)
    assert np.array_equal(again[0], again[1]) and not np.array_equal(again[0], first[0])


def test_cache_is_whole_or_not_there(tmp_path, paths):
    paths[3].write_bytes(b"broken")
    with pytest.raises(ChestlibError, match=r"3\.png"):
        cached_images(paths, 10, tmp_path / "cache")
    assert not [p for p in (tmp_path / "cache").iterdir() if p.suffix != ".lock"]


def test_cache_is_built_once_by_two_processes_at_once(tmp_path, paths):
    script = """
import sys
from pathlib import Path
from chestlib.data import cached_images
built = []
*paths, folder = map(Path, sys.argv[1:])
cached = cached_images(paths, 10, folder, progress=lambda done, total: built.append(done))
print(len(built), cached.sum())
"""
    command = [sys.executable, "-c", script, *map(str, paths), str(tmp_path / "cache")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60)[0].split() for process in processes]
    assert sorted(built for built, _ in said) == ["0", "6"] and said[0][1] == said[1][1]
