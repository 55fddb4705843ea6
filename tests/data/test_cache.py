"""The image cache: decoded once whatever asks, never stale, whole after a kill, bounded."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chestlib.data import cache, cache_usage, cached_images, content_digests, images
from chestlib.data._index import TICK_NS
from chestlib.errors import ChestlibError

SIDE = 10

SCRIPT = """
import os, signal, sys
from pathlib import Path
from chestlib.data import cache, cached_images, images
decode, decoded, kill_at = images.decode, [], int(sys.argv[1])
def counted(data, path):
    if len(decoded) == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    decoded.append(path)
    return decode(data, path)
images.decode, cache.CHUNK_IMAGES = counted, 2
*paths, folder = map(Path, sys.argv[2:])
cached = cached_images(paths, 10, folder)
print(len(decoded), sum(int(image.sum()) for image in cached))
"""


def start(paths, folder, kill_at=-1):
    """Another process that builds by twos, says how many images it decoded, and their sum; or is killed at one."""
    command = [sys.executable, "-c", SCRIPT, str(kill_at), *map(str, paths), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def paths(tmp_path):
    rng = np.random.default_rng(0)
    files = [tmp_path / f"{i}.png" for i in range(6)]
    for i, file in enumerate(files):
        Image.fromarray(rng.integers(0, 256, (40, 40 + i), np.uint8)).save(file)
    time.sleep(2 * TICK_NS / 1e9)  # younger files are read again
    return files


@pytest.fixture
def seen(monkeypatch):
    """Which files are read, and which are decoded."""
    seen = {"contents": [], "decode": []}

    def watch(name, path_of):
        plain = getattr(images, name)
        lock = threading.Lock()

        def watched(*args):
            with lock:
                seen[name].append(path_of(args).name)
            return plain(*args)

        monkeypatch.setattr(images, name, watched)

    watch("contents", lambda args: args[0])
    watch("decode", lambda args: args[1])
    return seen


def small(path, side=SIDE):
    return images.square(images.read(path), side)


def segments(folder):
    return sorted(path.name for path in folder.glob("*.pixels"))


def test_a_cache_holds_the_small_images_and_their_original_sizes(folder, paths):
    ticks = []
    cached = cached_images(paths, SIDE, folder, progress=lambda done, total: ticks.append((done, total)))
    assert cached.shape == (6, SIDE, SIDE) and len(cached) == 6 and ticks == [(i, 6) for i in range(1, 7)]
    assert cached.sizes == [images.size(path) for path in paths] == [(40 + i, 40) for i in range(6)]
    for path, image in zip(paths, cached, strict=True):
        assert image.dtype == np.uint8 and not image.flags.writeable and np.array_equal(image, small(path))
    assert np.array_equal(np.asarray(cached), [*cached]) and np.array_equal(cached[-1], small(paths[5]))
    empty = cached_images([], SIDE, folder)
    assert np.asarray(empty).shape == (0, SIDE, SIDE) and [*empty] == []


def test_what_was_seen_is_opened_without_a_look_at_the_images(folder, paths, seen, monkeypatch):
    cached_images(paths, SIDE, folder)
    assert sorted(seen["contents"]) == sorted(seen["decode"]) == [path.name for path in paths]

    plain = open

    def none_of_them(path, *args, **options):
        assert Path(path) not in paths
        return plain(path, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", none_of_them)
        part = paths[4:1:-1] + paths[2:3]  # another part, in another order, one twice
        for _ in range(2):  # as trials do
            cached = cached_images(part, SIDE, folder)
        digests = content_digests(part, folder)
    assert cached.sizes == [(44, 40), (43, 40), (42, 40), (42, 40)] and digests[2] == digests[3]
    assert np.array_equal(cached, [small(path) for path in part])


def test_a_cache_grows_by_what_is_new_and_holds_several_sizes(folder, paths, seen):
    cached_images(paths[:2], SIDE, folder)
    assert np.array_equal(cached_images(paths[::-1], SIDE, folder), [small(path) for path in paths[::-1]])
    assert sorted(seen["decode"][:6]) == [path.name for path in paths]
    assert np.array_equal(cached_images(paths, 12, folder), [small(path, 12) for path in paths])
    assert np.array_equal(cached_images(paths, SIDE, folder), [small(path) for path in paths])


def test_moved_and_equal_images_share_their_pixels(folder, paths, seen, tmp_path):
    cached_images(paths[:3], SIDE, folder)
    (tmp_path / "elsewhere").mkdir()
    moved = [path.rename(tmp_path / "elsewhere" / path.name) for path in paths[:3]]
    seen["decode"].clear()
    cached_images(moved, SIDE, folder)
    assert seen["decode"] == [] and len(segments(folder)) == 1
    paths[4].write_bytes(paths[5].read_bytes())
    twins = [paths[4], paths[5], paths[3]]
    assert np.array_equal(cached_images(twins, SIDE, folder), [small(path) for path in twins])
    assert len(set(content_digests(twins, folder))) == 2 and segments(folder)[0].startswith("2-10-")


def test_a_file_rewritten_under_its_old_time_is_seen(folder, paths):
    other = paths[1].read_bytes()
    paths[0].write_bytes(paths[0].read_bytes().ljust(len(other), b"\0"))  # of one size
    time.sleep(2 * TICK_NS / 1e9)
    first, digest, before = cached_images(paths, SIDE, folder), content_digests(paths[:1], folder), paths[0].stat()
    paths[0].write_bytes(other)
    os.utime(paths[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert content_digests(paths[:1], folder) != digest
    again = cached_images(paths, SIDE, folder)
    assert np.array_equal(again[0], again[1]) and not np.array_equal(again[0], first[0])


def test_a_file_changed_twice_within_a_tick_of_the_clock_is_seen(folder, paths, monkeypatch):
    path, state = paths[0], paths[0].stat()
    monkeypatch.setattr("chestlib.data._index._stat", lambda path: state)
    monkeypatch.setattr(time, "time_ns", lambda: state.st_mtime_ns + TICK_NS // 2)  # changed just now ...
    first = content_digests([path], folder)
    path.write_bytes(paths[1].read_bytes())  # ... and again, at the same time as far as the file system can tell
    assert content_digests([path], folder) != first


def test_another_decoder_decodes_anew(folder, paths, seen, monkeypatch):
    cached_images(paths, SIDE, folder)
    monkeypatch.setattr(images, "DECODING", images.DECODING + 1)
    cached_images(paths, SIDE, folder)
    assert len(seen["decode"]) == 12


def test_a_broken_image_is_named_and_nothing_half_stays(folder, paths):
    paths[3].write_bytes(b"broken")
    with pytest.raises(ChestlibError, match=r"3\.png"):
        cached_images(paths, SIDE, folder)
    (paths[3]).unlink()
    for ask in (lambda: cached_images(paths, SIDE, folder), lambda: content_digests(paths, folder)):
        with pytest.raises(ChestlibError, match=r"3\.png: cannot be read"):
            ask()
    assert segments(folder) == []


def test_two_processes_at_once_decode_each_image_once_together(folder, paths):
    said = [process.communicate(timeout=60)[0].split() for process in [start(paths, folder) for _ in range(2)]]
    (one, total), (other, same) = said
    assert int(one) + int(other) == 6 and total == same


def test_one_of_two_processes_is_killed_and_the_other_has_all(folder, paths):
    killed, other = start(paths, folder, kill_at=4), start(paths, folder)
    killed.communicate(timeout=60)
    total = int(other.communicate(timeout=60)[0].split()[1])
    assert other.returncode == 0 and total == sum(int(small(path).sum()) for path in paths)
    assert np.array_equal(cached_images(paths, SIDE, folder), [small(path) for path in paths])


def test_a_killed_build_goes_on_where_it_was(folder, paths, seen):
    process = start(paths, folder, kill_at=4)  # two segments are whole
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL and len(segments(folder)) == 3  # one of them half
    (folder / "2-10-0123.pixels").write_bytes(b"x")  # killed before the index heard of it
    cached = cached_images(paths, SIDE, folder)
    assert sorted(seen["decode"]) == ["4.png", "5.png"] and len(segments(folder)) == 3
    assert np.array_equal(cached, [small(path) for path in paths])


@pytest.mark.parametrize("damage", ["removed", "cut off"])
def test_a_segment_that_is_damaged_is_built_again(folder, paths, damage):
    first = np.array(cached_images(paths, SIDE, folder))
    (path,) = folder.glob("*.pixels")
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    assert np.array_equal(cached_images(paths, SIDE, folder), first)


def test_what_was_used_least_recently_goes_when_the_bound_is_reached(folder, paths, seen, monkeypatch):
    monkeypatch.setattr("chestlib.data._index.MINUTE", 0)
    monkeypatch.setenv("CHESTLIB_CACHE_GB", f"{3.5 * SIDE**2 / 1e9:.9f}")
    opened = [cached_images([path], SIDE, folder) for path in paths[:3]]
    cached_images(paths[:1], SIDE, folder)  # so that 1 is the oldest
    cached_images(paths[3:4], SIDE, folder)
    assert len(segments(folder)) == 3 and cache_usage(folder).bytes == 3 * SIDE**2
    assert np.array_equal(opened[1][0], small(paths[1]))  # still open, so still there
    seen["decode"].clear()
    cached_images([paths[0], paths[2], paths[3]], SIDE, folder)
    assert seen["decode"] == []
    everything = cached_images(paths, SIDE, folder)  # more than the bound, but asked for
    assert sorted(set(seen["decode"])) == ["1.png", "4.png", "5.png"] and len(segments(folder)) == 4
    assert np.array_equal(everything, [small(path) for path in paths])
    monkeypatch.setenv("CHESTLIB_CACHE_GB", "much")
    with pytest.raises(ChestlibError, match="CHESTLIB_CACHE_GB: 'much' is no number"):
        cache_usage(folder)


def test_pixels_travel_as_places_to_a_spawned_process(folder, paths):
    cached = cached_images(paths * 500, SIDE, folder)
    assert len(pickle.dumps(cached)) < 20 * len(cached) < np.asarray(cached).nbytes / 4
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.apply(np.array, [cached])
    assert np.array_equal(there, cached)
    (segment,) = folder.glob("*.pixels")
    segment.unlink()
    with pytest.raises(ChestlibError, match="no longer in the image cache"):
        pickle.loads(pickle.dumps(cached))


def test_what_version_0_1_0_left_is_told_and_left_alone(folder, paths):
    folder.mkdir()
    old = {"images-10-0123456789abcdef.npy": b"old" * 100, "images-10-0123456789abcdef.npy.lock": b""}
    for name, content in old.items():
        (folder / name).write_bytes(content)
    assert cache_usage(folder)[2:] == (2, 300) and not (folder / "index.sqlite").exists()
    cached_images(paths, SIDE, folder)
    assert cache_usage(folder) == (6 * SIDE**2, 50e9, 2, 300)
    assert {name: (folder / name).read_bytes() for name in old} == old


@pytest.mark.parametrize("content", [b"no index " * 1000, None], ids=["text", "another program's"])
def test_an_index_that_is_none_of_ours_is_told(folder, paths, content):
    folder.mkdir()
    if content:
        (folder / "index.sqlite").write_bytes(content)
    else:
        with sqlite3.connect(folder / "index.sqlite") as connection:
            connection.execute("CREATE TABLE files (path TEXT)")
    for ask in (lambda: cached_images(paths, SIDE, folder), lambda: content_digests(paths, folder)):
        with pytest.raises(ChestlibError, match=r"index\.sqlite: not a readable index \(.*\); remove the folder$"):
            ask()


def test_a_disk_that_is_full_in_the_midst_is_told_and_the_rest_goes_on(folder, paths, seen):
    cached_images(paths[:2], SIDE, folder)
    whole = segments(folder)
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
    try:
        with pytest.raises(ChestlibError, match=r"cache: cannot write the image cache \("):
            cached_images(paths, SIDE, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert segments(folder) == whole
    assert np.array_equal(cached_images(paths, SIDE, folder), [small(path) for path in paths])
    assert cache.CHUNK_IMAGES > 6  # all of this in one segment


def test_a_read_only_cache_is_read(folder, paths, monkeypatch):
    cached_images(paths, SIDE, folder)
    plain = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **how: plain(f"file:{path}?mode=ro", uri=True, **how))
    monkeypatch.setattr("chestlib.data._index.MINUTE", 0)  # so that it would like to mark what it uses
    assert np.array_equal(cached_images(paths, SIDE, folder), [small(path) for path in paths])
    with pytest.raises(ChestlibError, match="cannot write the image cache"):
        cached_images(paths, 12, folder)
