"""The machine that computes: which device, how many cores and threads, which precision pays."""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from chestlib.errors import ChestlibError

if TYPE_CHECKING:
    import torch

PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")
"""What a setting may ask for, by Lightning's names."""

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux says what a container may use."""


PAYS = 1.1
"""Gain from which on a CPU computes in bfloat16: below, the grid of 8 bits is not worth it."""

GAIN = "CHESTLIB_BF16_GAIN"
"""Holds what was measured, so that the processes that one starts compute as it does; or what a user wants instead."""


def native_bf16() -> bool:
    """Tell whether the device multiplies bfloat16 in hardware, on a CPU also whether it trains faster so."""
    import torch  # in each function: who only asks for help needs no torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device() == "cpu" and (bf16_gain() or 0) >= PAYS


@cache
def bf16_gain() -> float | None:
    """Measure, in some tenths of a second, how much faster a CPU trains in bfloat16 than in float32.

    Having the instructions is not enough: with AVX512-BF16 alone, some processors are slower with them.

    Returns
    -------
    float or None
        None where the instructions are missing.
    """
    import torch
    from torch import nn

    if known := os.environ.get(GAIN):
        return float(known)
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        flags = ""
    # ATEN_CPU_CAPABILITY may have taken from torch what the processor has.
    capable = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    if not capable or not ("avx512_bf16" in flags or "amx_bf16" in flags):
        return None
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
        block = nn.Sequential(
            *(layer for _ in range(2) for layer in (nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()))
        ).to(memory_format=torch.channels_last)
        images = torch.randn(2, 32, 64, 64).to(memory_format=torch.channels_last)
        seconds: dict[bool, list[float]] = {False: [], True: []}
        end = time.perf_counter() + 0.5
        while time.perf_counter() < end or len(seconds[True]) < 3:
            for half, times in seconds.items():  # in turns, and the least of each: others may be busy beside us
                start = time.perf_counter()
                with torch.autocast("cpu", torch.bfloat16, enabled=half):
                    loss = block(images).float().square().mean()
                loss.backward()
                times.append(time.perf_counter() - start)
    gain = round(min(seconds[False]) / min(seconds[True]), 2)
    os.environ[GAIN] = str(gain)
    return gain


def precision(name: str) -> str:
    """Give Lightning's precision name for a settings value.

    `auto` is bfloat16 where the device computes it natively and gains by it, float16 on a GPU with tensor cores and
    without bfloat16 (V100, T4), else float32. float16 needs a GPU: elsewhere its models compute in float32.

    Raises
    ------
    ChestlibError
        For another name than those of :data:`PRECISIONS`.
    """
    import torch

    if name not in PRECISIONS:
        raise ChestlibError(f"precision {name!r}: unknown; use one of {', '.join(PRECISIONS)}")
    if name == "auto" and native_bf16():
        return "bf16-mixed"
    if name == "auto":
        name = "16-mixed" if device() == "cuda" and torch.cuda.get_device_capability() >= (7, 0) else "32-true"
    return "32-true" if name == "16-mixed" and device() != "cuda" else name


def autocast(name: str) -> torch.dtype | None:
    """Give the type in which :func:`precision` multiplies; None for float32."""
    import torch

    return {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(precision(name))


def cores() -> int:
    """Count the cores that this process may use: of the machine, by its affinity, by its container's share of time."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        count = os.process_cpu_count() or 1
    else:
        count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for names in (["cpu.max"], ["cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"]):  # control groups, version 2 and 1
        try:
            quota, period = " ".join((CGROUP / name).read_text() for name in names).split()
            if int(quota) > 0:
                count = min(count, max(1, int(quota) // int(period)))
        except (OSError, ValueError):  # not there, or `max`
            continue
    return count


def use_threads(most: int = 8) -> int:
    """Set torch's threads to the cores, at most `most`: the sums of a convolution depend on their number."""
    import torch

    torch.set_num_threads(min(most, cores()))
    return torch.get_num_threads()


def device() -> str:
    """Choose `cuda` where there is an NVIDIA GPU, `mps` where there is Apple's, else `cpu`."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def name() -> str:
    """Name the GPU, or the CPU threads in use."""
    import torch

    kind = device()
    if kind == "cuda":
        return torch.cuda.get_device_name()
    return "Apple GPU" if kind == "mps" else f"CPU, {torch.get_num_threads()} threads"
