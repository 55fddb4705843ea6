"""The built wheel in empty environments, one an extra: what works, and what is told. Long, and needs uv and PyPI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from dicoms import dicom

TOP = Path(__file__).parents[1]

pytestmark = [
    pytest.mark.campaign,
    pytest.mark.skipif(not shutil.which("uv"), reason="uv is missing"),
]

EXTRAS = ("", "dicom", "train", "course")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("dist")
    subprocess.run(["uv", "build", "-q", "--wheel", "-o", place, TOP], check=True)
    return next(place.glob("*.whl"))


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_wheel_does_what_its_extra_says(wheel: Path, tmp_path: Path, extra: str) -> None:
    place = tmp_path / "env"
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    subprocess.run(["uv", "venv", "-q", "--python", sys.executable, place], check=True)
    asked = f"chestlib[{extra}] @ {wheel.as_uri()}" if extra else str(wheel)
    subprocess.run(["uv", "pip", "install", "-q", "--python", python, asked], check=True)
    subprocess.run(["uv", "pip", "check", "-q", "--python", python], check=True)
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    has_dicom, trains, has_all = (extra in named for named in (("dicom", "course"), ("train", "course"), ("course",)))

    def chestlib(*args: object, lacks: str = "") -> str:
        command = [str(python), "-m", "chestlib", *map(str, args)]
        done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True)
        assert done.returncode == (2 if lacks else 0), f"{args}: {done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        assert not lacks or f'pip install "chestlib[{lacks}]"' in done.stderr, f"{args}: {done.stderr}"
        return done.stdout

    chestlib("phantom", "data", "--train", 80, "--test", 16, "--size", 128)
    assert "0 errors" in chestlib("check", "data")
    chestlib("predict", "data/test_data", "--out", "out")
    assert "AP50" in chestlib("evaluate", "data", "out")
    dicom(tmp_path / "film.dcm", np.arange(4096, dtype=np.uint16).reshape(64, 64), bits=12)
    chestlib("predict", "film.dcm", lacks="" if has_dicom else "dicom")
    small = ("--set", "epochs=1", "--set", "image_size=64")
    chestlib("train", "classifier", "data", "--run", "run", *small, lacks="" if trains else "train")
    if trains:
        chestlib("evaluate", "data", "run")
    for command in (["view", "data"], ["predict", "data/test_data", "--out", "drawn", "--overlays"], ["env"]):
        chestlib(*command, lacks="" if has_all else "course")
