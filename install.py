"""Set up .venv from requirements.lock, on Linux, macOS and Windows; `uv` is used if it is there.

    python install.py              what the course, the report and the tests need
    python install.py --gpu        the builds for NVIDIA GPUs, where no driver is seen yet
    python install.py --cpu        those without, where one is

PyPI's torch for Linux brings some 4 GB of GPU libraries. Without a driver they are left out: uv takes the builds for
CPUs from PyTorch's own index if it can be reached; else PyPI's are taken, without those parts that only a GPU loads.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

TOP = Path(__file__).resolve().parent
ENV = TOP / ".venv"
PYTHON = ENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

TORCH = ("torch", "torchvision")

GPU = re.compile(r"nvidia-|cuda-|triton$")
"""What torch asks for on Linux and only a GPU computes with."""

IDLE = (
    "triton", "cuda-bindings", "cuda-pathfinder", "nvidia-cuda-cccl", "nvidia-cuda-cupti", "nvidia-curand",
    "nvidia-cusolver", "nvidia-nvtx",
)  # fmt: skip
"""Those of them that PyPI's torch is not linked with: it is imported, and computes on a CPU, without them."""

DRIVER = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg")
"""Where Linux shows a driver; the last is that of Windows, inside its Linux."""


def has_gpu(system: str = sys.platform, root: str = "/") -> bool:
    """Tell whether an NVIDIA driver is there; where PyPI's torch has no GPU libraries, nobody needs to ask."""
    return system != "linux" or any(Path(root, place[1:]).exists() for place in DRIVER)


def blocks(lock: str, keep: Callable[[str], bool]) -> str:
    """Give those requirements of a lock, hashes included, whose name is to be kept."""
    parts = re.split(r"^(?=[\w-])", lock, flags=re.M)
    return "".join(part for part in parts if re.match(r"[\w-]", part) and keep(re.match(r"[\w-]+", part)[0]))


def bare(lock: str) -> str:
    """Take the hashes from requirements: those of PyPI are not those of PyTorch's index."""
    return re.sub(r"\s*\\\n\s+--hash=\S+", "", lock)


def main() -> None:
    """Make the environment, or bring it to what the lock says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--gpu", action="store_true", help="with GPU libraries")
    choice.add_argument("--cpu", action="store_true", help="without them")
    typed = parser.parse_args()
    if not (3, 10) <= sys.version_info[:2] < (3, 14):
        sys.exit(f"{sys.executable}: Python 3.10 to 3.13 is needed; call install.py by another")
    uv = shutil.which("uv")
    if not os.path.lexists(PYTHON):
        run(*([uv, "venv", "-q", "--python", sys.executable, ENV] if uv else [sys.executable, "-m", "venv", ENV]))
    if not works():
        sys.exit(
            f"{ENV}: its Python does not start, or is not 3.10 to 3.13; remove the folder and call install.py again"
        )
    if not uv and subprocess.run([*pips(None)[:3], "--version"], capture_output=True).returncode:
        run(PYTHON, "-m", "ensurepip")  # uv makes environments without pip
    lock = (TOP / "requirements.lock").read_text(encoding="utf-8")
    if typed.gpu or (has_gpu() and not typed.cpu) or sys.platform != "linux":
        pip(uv, lock)
    elif uv and from_pytorch(uv, lock):
        pip(uv, blocks(lock, lambda name: name not in TORCH and not GPU.match(name)))
        print("No NVIDIA driver: torch is the build for CPUs. With a driver: python install.py --gpu")
    else:
        pip(uv, blocks(lock, lambda name: name not in IDLE))
        if subprocess.run([PYTHON, "-c", "import torch, torchvision"]).returncode:  # another torch, linked otherwise
            pip(uv, lock)
        print("No NVIDIA driver, PyTorch's index out of reach: PyPI's torch, without Triton and what else is idle")
    run(*pips(uv), "--no-deps", "-e", TOP)


def works() -> bool:
    """Tell whether the environment's Python runs, and is of a right version; the one it came of may be gone."""
    code = "import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 14))"
    try:
        return subprocess.run([str(PYTHON), "-c", code], capture_output=True).returncode == 0
    except OSError:
        return False


def from_pytorch(uv: str, lock: str) -> bool:
    """Install torch as built for CPUs; uv knows the index. False where it cannot be reached or lacks the version."""
    wanted = written(bare(blocks(lock, TORCH.__contains__)))
    few = {**os.environ, "UV_HTTP_RETRIES": "0", "UV_HTTP_TIMEOUT": "30"}
    command = [*pips(uv), "--no-deps", "--torch-backend=cpu", "--reinstall", "-r", str(wanted)]
    return subprocess.run(command, env=few, capture_output=True).returncode == 0


def pips(uv: str | None) -> list[str]:
    """Begin an install into the environment."""
    if uv:
        return [uv, "pip", "install", "-q", "--python", str(PYTHON)]
    return [str(PYTHON), "-m", "pip", "install", "-q", "--disable-pip-version-check"]


def pip(uv: str | None, lock: str) -> None:
    """Install what a lock names and nothing else: it is whole, so that nothing needs to be resolved."""
    run(*pips(uv), "--no-deps", "--require-hashes", "-r", written(lock))


def written(lock: str) -> Path:
    """Put requirements into a file that goes with the environment."""
    file = ENV / "requirements.txt"
    file.write_text(lock, encoding="utf-8")
    return file


def run(*command: str | Path) -> None:
    """Call a program; its own words say what went wrong."""
    if status := subprocess.run([str(part) for part in command]).returncode:
        sys.exit(status)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:  # a full disk, a read-only folder, a copy of the project that is not whole
        sys.exit(f"{error.filename or ENV}: {error.strerror or error}; mend that and call install.py again")
