"""What `chestlib env` prints: versions, device, and where data and runs live."""

from __future__ import annotations

import os
import platform
import shutil
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from chestlib import devices
from chestlib.course.lesson import data_folder, runs_folder
from chestlib.data import cache_usage
from chestlib.errors import ChestlibError

FLOORS = {"torch": (2, 5, 1), "torchvision": (0, 20, 1)}
PACKAGES = (
    *FLOORS, "lightning", "optuna", "numpy", "pandas", "matplotlib", "seaborn", "jupyterlab", "anywidget",
    "pycocotools", "pydicom",
)  # fmt: skip


class Row(NamedTuple):
    """One line: what, its value, and whether the course can work with it."""

    name: str
    value: str
    ok: bool = True


def rows() -> list[Row]:
    """All lines, in the order they are printed."""
    python = platform.python_version()
    found = [Row("python", python, (3, 10) <= _numbers(python)[:2] < (3, 14))]
    for name in PACKAGES:
        try:
            version = metadata.version(name)
            found.append(Row(name, version, _numbers(version) >= FLOORS.get(name, ())))
        except metadata.PackageNotFoundError:
            found.append(Row(name, "not installed; run `make env`", False))
    try:
        found.append(Row("device", devices.name()))
        found.append(Row("threads", f"{devices.use_threads()} of {devices.cores()} cores"))
        gain = f", {gain} times as fast as float32" if (gain := devices.bf16_gain()) else ""
        found.append(Row("bfloat16", ("pays" if devices.native_bf16() else "does not pay") + gain))
        found.append(Row("precision", devices.precision("auto")))
    except ImportError as error:
        found.append(Row("device", f"torch does not import: {error}", False))
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
        found.append(Row("memory", f"{gib:.1f} GiB (the quick profile needs 4)", gib >= 4))
    for name, folder in (("data", data_folder()), ("runs", runs_folder())):
        place = next(p for p in (folder, *folder.parents) if p.exists())
        writable = os.access(place, os.W_OK)
        free = f"{shutil.disk_usage(place).free / 2**30:.0f} GiB free"
        found.append(Row(name, f"{folder.resolve()} ({free}{'' if writable else ', not writable'})", writable))
    # Notebooks keep the cache beside the data, the command line beside the runs.
    return found + [_cache(folder / "cache") for folder in (data_folder(), runs_folder())]


def _cache(folder: Path) -> Row:
    try:
        used = cache_usage(folder)
    except ChestlibError as error:
        return Row("cache", str(error), False)
    text = f"{folder.resolve()} ({used.bytes / 1e9:.1f} of {used.limit / 1e9:g} GB)"
    if used.old_files:
        text += (
            f"; {used.old_files} files of version 0.1.0, {used.old_bytes / 1e9:.1f} GB, no longer read; "
            "delete images-*.npy* there"
        )
    return Row("cache", text)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("+")[0].split(".") if part.isdigit())
