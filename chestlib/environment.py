"""What `chestlib env` prints: versions, device, threads, memory, and where data and runs live."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from chestlib import course

FLOORS = {"torch": (2, 5, 1), "torchvision": (0, 20, 1)}
PACKAGES = (
    *FLOORS, "lightning", "optuna", "numpy", "pandas", "matplotlib", "seaborn", "jupyterlab",
    "anywidget", "pycocotools", "pydicom",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One line: what, its value, and whether the course can work with it."""

    name: str
    value: str
    ok: bool = True


def rows() -> list[Row]:
    """All lines, in the order they are printed."""
    version = platform.python_version_tuple()
    found = [Row("python", platform.python_version(), (3, 10) <= tuple(map(int, version[:2])) < (3, 14))]
    for name in PACKAGES:
        try:
            text = metadata.version(name)
            found.append(Row(name, text, _numbers(text) >= FLOORS.get(name, ())))
        except metadata.PackageNotFoundError:
            found.append(Row(name, "not installed; run `make env`", False))
    return [*found, *_machine(), *_folders()]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("+")[0].split(".") if part.isdigit())


def _machine() -> list[Row]:
    try:
        import torch

        from chestlib.devices import native_bf16
    except ImportError as error:
        return [Row("device", f"torch does not import: {error}", False)]
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    found = [Row("device", device), Row("threads", f"{torch.get_num_threads()} of {os.cpu_count()} cores")]
    found.append(Row("bfloat16", "in hardware" if native_bf16() else "not in hardware; float32 is used"))
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
        found.append(Row("memory", f"{gib:.1f} GiB (the quick profile needs 4)", gib >= 4))
    return found


def _folders() -> list[Row]:
    found = []
    for name, folder in (("data", course.data_folder()), ("runs", course.runs_folder())):
        place = next(p for p in (folder, *folder.parents) if p.exists())
        free = shutil.disk_usage(place).free / 2**30
        writable = os.access(place, os.W_OK)
        found.append(
            Row(name, f"{_short(folder)} ({free:.0f} GiB free{'' if writable else ', not writable'})", writable)
        )
    return found


def _short(folder: Path) -> str:
    return str(folder.resolve())
