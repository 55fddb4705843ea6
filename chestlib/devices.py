"""The machine that computes: which device, how many threads, which precision pays."""

from __future__ import annotations

import os
from pathlib import Path


def native_bf16() -> bool:
    """Tell whether the device multiplies bfloat16 in hardware; where it does not, float32 is faster."""
    import torch  # in each function: who only asks for help needs no torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    # ATEN_CPU_CAPABILITY may have taken from torch what the processor has.
    capable = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return capable and ("avx512_bf16" in flags or "amx_bf16" in flags)


def precision(name: str) -> str:
    """Give Lightning's precision name for a settings value; `auto` is bf16 where it pays."""
    return ("bf16-mixed" if native_bf16() else "32-true") if name == "auto" else name


def cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "process_cpu_count"):
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_threads(most: int = 8) -> int:
    """Set torch's threads to the cores, at most `most`: the sums of a convolution depend on their number."""
    import torch

    torch.set_num_threads(min(most, os.cpu_count() or 1))
    return torch.get_num_threads()


def device() -> str:
    """Choose `cuda` where there is a GPU, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def name() -> str:
    """Name the GPU, or the CPU threads in use."""
    import torch

    return torch.cuda.get_device_name() if device() == "cuda" else f"CPU, {torch.get_num_threads()} threads"
