"""The quick profile's runs as they were recorded, notebooks/recorded.zip: chapters are read before anything is trained.

`make notebooks` writes the archive from the runs that the chapters have just trained; `python notebooks/execute.py
recorded` packs those that lie there, and runs nothing. It holds what a finished run folder holds, without the
checkpoint to resume from; weight matrices are rounded to 8 bits a number, a scale a row, to fit into 3 MB.

A recorded run is shown in a notebook alone, and says so. What checks, reports or records figures trains: it sets
:data:`TRAIN`.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
import shutil
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy

import chestlib
from chestlib import settings
from chestlib.data import identify
from chestlib.errors import ChestlibError
from chestlib.files import write_atomically

if TYPE_CHECKING:
    from chestlib.course.lesson import Course
    from chestlib.train import Run

TRAIN = "CHESTLIB_TRAIN"
"""Set to 1 in the environment: what is not there is trained, and nothing recorded is shown."""

YES, NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")
"""How that may be said."""

ABOUT, WEIGHTS = "recorded.json", "checkpoints/best.safetensors"
BOTH = ("settings.json", "split.json", "metrics.csv", "predictions.json", "operating_point.json", "test.json", WEIGHTS)
FILES = {"classifier": (*BOTH, "tuned.json", "study.log"), "detector": (*BOTH, "mirrored.json", "truth.json")}
"""What is kept of a run of each kind."""

MOST = 2**25
"""Bytes that an archive may unpack to, at most."""


class Unusable(ChestlibError):
    """An archive that is damaged, or of something else."""


REMEDY = "it is left alone, and what is missing is trained here"


def _described(lesson: Course) -> dict[str, Any]:
    """Say what the runs of a lesson depend on, as an archive says it of itself."""
    parts = settings.to_json(lesson.profile).items()
    flat = {f"{kind} {name}": v for kind, part in parts if isinstance(part, dict) for name, v in part.items()}
    plain = {name: value for name, value in parts if not isinstance(value, dict)}
    identity = identify(lesson.split, lesson.cache)._asdict()
    of = {"chestlib": chestlib.__version__, "identity": identity, "settings": flat | plain}
    return dict(json.loads(json.dumps(of)))  # as read back: lists where tuples were


def pack(lesson: Course, file: Path) -> None:
    """Write the two finished runs of a lesson as an archive; the same runs give the same bytes.

    Raises
    ------
    ChestlibError
        If one of them is not finished.
    """
    from chestlib.train import Run

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:

        def add(name: str, content: bytes) -> None:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # its date is always the same

        add(ABOUT, _json(_described(lesson)))
        for kind, names in FILES.items():
            run = Run(lesson.folder / kind)
            if missing := [name for name in names if not (run.path / name).is_file()]:
                raise ChestlibError(f"{run.path}: not finished ({missing[0]} is missing); train it first")
            for name in names:
                content = (run.path / name).read_bytes()
                if name == "settings.json":
                    content = _json(run.read("settings") | {"recorded": _made(run)})
                add(f"{kind}/{name}", rounded(content) if name == WEIGHTS else content)
    write_atomically(file, buffer.getvalue())


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()


def _made(run: Run) -> dict[str, str]:
    """Say where and when a run was trained."""
    try:
        (name,) = re.findall(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.M)[:1]
    except (OSError, ValueError):
        name = platform.processor() or platform.machine()
    day = time.strftime("%Y-%m-%d", time.gmtime((run.path / "test.json").stat().st_mtime))
    return {"machine": f"{name} ({run.read('settings')['device']})", "date": day}


def rounded(weights: bytes) -> bytes:
    """Round the matrices of a safetensors file to 8 bits a number, with a scale a row; vectors stay as they are."""
    found = {}
    for name, value in safetensors.numpy.load(weights).items():
        if value.ndim < 2 or value.dtype != np.float32:
            found[name] = value
            continue
        rows = value.reshape(len(value), -1)
        scale = np.maximum(np.abs(rows).max(1), np.finfo(np.float32).tiny) / 127
        found[name] = np.round(rows / scale[:, None]).astype(np.int8).reshape(value.shape)
        found[f"{name}/scale"] = scale.astype(np.float32)
    return safetensors.numpy.save(found)


def unrounded(weights: bytes) -> bytes:
    """Give the weights of :func:`rounded` as float32 again."""
    found = safetensors.numpy.load(weights)
    for name in [name for name, value in found.items() if value.dtype == np.int8]:
        scale = found.pop(f"{name}/scale")
        found[name] = found[name] * scale.reshape(-1, *[1] * (found[name].ndim - 1))
    return safetensors.numpy.save(found)


def opened(lesson: Course, file: Path) -> Path:
    """Unpack an archive of this lesson's data, settings and version beside its runs, once; return where they lie.

    The place is named by the archive's content, so another archive is never taken for this one.

    Raises
    ------
    Unusable
        If the archive cannot be read, is damaged, or is of something else.
    OSError
        If it cannot be unpacked, as on a full disk.
    """
    from filelock import FileLock

    from chestlib.train import differences

    try:
        content = file.read_bytes()
    except OSError as error:
        raise Unusable(f"{file}: cannot be read ({error.strerror}); {REMEDY}") from None
    try:
        files = _read(content)
        about = json.loads(files.pop(ABOUT))
        if not isinstance(about, dict):
            raise ValueError(f"{ABOUT} is no table")
    except Exception as error:  # zipfile, what unpacks and safetensors have many kinds for a broken file
        raise Unusable(f"{file}: damaged ({error or type(error).__name__}); {REMEDY}") from None
    if differing := differences(about, _described(lesson)):
        raise Unusable(f"{file}: recorded with {differing}; {REMEDY}")
    place = lesson.folder / f"recorded-{hashlib.sha256(content).hexdigest()[:8]}"
    lesson.folder.mkdir(parents=True, exist_ok=True)
    with FileLock(lesson.folder / ".recorded.lock"):
        if not all((place / name).is_file() for name in files):
            scratch = lesson.folder / ".recorded.part"
            shutil.rmtree(scratch, ignore_errors=True)
            try:
                for name, data in files.items():
                    write_atomically(scratch / name, data)
                shutil.rmtree(place, ignore_errors=True)  # what somebody took files from
                scratch.rename(place)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return place


def _read(content: bytes) -> dict[str, bytes]:
    """Read all files of an archive, weights as float32; ValueError and the like for what is none."""
    wanted = {ABOUT, *(f"{kind}/{name}" for kind, names in FILES.items() for name in names)}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if {entry.filename for entry in archive.infolist()} != wanted:
            raise ValueError("other files than a recorded run has")
        if sum(entry.file_size for entry in archive.infolist()) > MOST:
            raise ValueError("too large")
        files = {name: archive.read(name) for name in sorted(wanted)}
    for name in wanted:
        if name.endswith(WEIGHTS):
            try:
                files[name] = unrounded(files[name])
            except Exception as error:  # safetensors has its own
                raise ValueError(f"{name}: {error}") from None
        elif name.endswith(".json"):
            said = json.loads(files[name])
            made = said.get("recorded", {}) if isinstance(said, dict) else {}
            if name.endswith("/settings.json") and set(made) != {"machine", "date"}:
                raise ValueError(f"{name}: does not say where and when")
    return files


def wanted() -> bool:
    """Tell whether a recorded run may be shown: nobody has asked for training.

    Raises
    ------
    ChestlibError
        If what the environment says is neither yes nor no: a training is long.
    """
    said = os.environ.get(TRAIN, "").strip().lower()
    if said not in YES + NO:
        raise ChestlibError(f"{TRAIN}={said}: neither 1, to train, nor 0; correct it or leave it out")
    return said in NO


def told(run: Run, call: str) -> str:
    """Say in one line that a run is recorded, where and when, and which `call` trains instead."""
    made, stage = run.read("settings")["recorded"], {"classifier": "stage 1", "detector": "stage 2"}[run.path.name]
    where = f"{made['machine']}, {made['date']}"
    return f"{stage}: recorded, not trained here ({where}); to train it: lesson.{call}(train=True)"
