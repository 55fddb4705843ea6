"""A whole phantom data set on disk, in the real one's layout."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from chestlib.console import Progress
from chestlib.data import PATIENTS, PHANTOM, UNFINISHED_PHANTOM, Record, write_annotations, write_patients
from chestlib.errors import ChestlibError
from chestlib.files import read_json, write_atomically
from chestlib.phantom.anatomy import MM, SIZE
from chestlib.phantom.radiograph import Visit, plan_visit, render_visit

VERSION = 1
"""Of the pictures: a data set of another version is not taken for this one."""

_SHARED = 0.25
"""Share of the test images drawn without regard to whose other images are in train."""


@dataclass(frozen=True)
class _Job:
    path: Path
    visit: Visit
    size: int
    patient: str


def write(
    out: str | Path,
    train: int = 1000,
    test: int = 200,
    size: int = SIZE,
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> Path:
    """Write a phantom data set: annotations, images, patients.csv, and phantom.json last.

    A folder without phantom.json is not whole; calling again with the same settings finishes it, and returns at once
    when it is whole. The bytes depend on the settings alone, not on `workers`.

    Parameters
    ----------
    out : path
    train, test : int
        Images in each part. As in the real data, a patient may lie in both.
    size : int
        Side of the images, px.
    seed : int
    workers : int
        Processes.
    progress : callable, optional
        Called with images done and images in all.

    Raises
    ------
    ChestlibError
        If the numbers make no sense, or the folder holds something else.
    """
    out = Path(out)
    if train < 1 or test < 1 or seed < 0 or workers < 1 or not 32 <= size <= 4096:
        raise ChestlibError(
            f"{out}: a phantom needs train, test and workers of 1 or more, seed of 0 or more and size from 32 to 4096; "
            f"got train {train}, test {test}, workers {workers}, seed {seed}, size {size}"
        )
    settings = {"source": "phantom", "version": VERSION, "seed": seed, "size": size, "train": train, "test": test}
    if _is_whole(out, settings):
        return out
    write_atomically(out / UNFINISHED_PHANTOM, json.dumps(settings))
    jobs = plan(out, train, test, size, seed)
    records: list[Record] = []
    # spawn: fork is unsafe once torch has started its threads
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn) if workers > 1 else nullcontext() as pool:
        for record in pool.map(_write_image, jobs, chunksize=4) if pool else map(_write_image, jobs):
            records.append(record)
            if progress:
                progress(len(records), len(jobs))
    for part in ("train", "test"):
        own = [record for record in records if record.path and record.path.parent.name == f"{part}_data"]
        write_annotations(own, out / f"{part}.json")
    write_patients({record.file_name: record.patient for record in records}, out / PATIENTS)
    write_atomically(out / PHANTOM, json.dumps(settings) + "\n")
    (out / UNFINISHED_PHANTOM).unlink()
    return out


def _is_whole(out: Path, settings: dict[str, object]) -> bool:
    """Tell a finished phantom of these settings (True) from a place to begin or go on; anything else is an error."""
    seal, begun = out / PHANTOM, out / UNFINISHED_PHANTOM
    if out.exists() and not out.is_dir():
        raise ChestlibError(f"{out}: is a file; name a folder for the phantom")
    for half in out.glob(f".{begun.name}.*.part"):  # killed at its first write
        half.unlink(missing_ok=True)
    mark = seal if seal.exists() else begun
    if mark.exists() and read_json(mark) != settings:
        raise ChestlibError(f"{mark}: of a phantom of other settings; delete {out} or name another folder")
    if not mark.exists() and out.exists() and any(out.iterdir()):
        raise ChestlibError(f"{out}: is not empty and no phantom; name another folder")
    return mark == seal


def plan(out: Path, train: int, test: int, size: int, seed: int) -> list[_Job]:
    """Which patient is on which image of which part; nothing is drawn or written yet."""
    total = train + test
    rng = np.random.default_rng([seed, 0])
    visits: list[tuple[int, int]] = []
    patient = 0
    while len(visits) < total:
        # Visits a patient in the real data: 61 % one, a long tail up to 24.
        count = 1 if rng.random() < 0.61 else min(2 + int(rng.exponential(2.1)), 24)
        visits += [(patient, k) for k in range(count)]
        patient += 1
    visits = visits[:total]
    # Most test patients are in test alone, the others in both parts: a patient-clean split pays for them.
    owner = np.array([patient for patient, _ in visits])
    in_test = np.zeros(total, bool)
    for patient in rng.permutation(owner[-1] + 1):
        own = owner == patient
        if in_test.sum() + own.sum() <= (1 - _SHARED) * test:
            in_test |= own
    in_test[rng.choice(np.flatnonzero(~in_test), test - int(in_test.sum()), replace=False)] = True
    folders = [out / ("test_data" if tested else "train_data") for tested in in_test]
    return [
        _Job(folders[i] / f"{i + 1:05d}.png", Visit((seed, 1 + patient), k, i), size, f"{1 + patient:05d}")
        for i, (patient, k) in enumerate(visits)
    ]


def traits(folder: str | Path) -> dict[str, dict[str, str | float]]:
    """Tell of each film of a phantom what its drawing knows, and no label says: for scores by group.

    Returns
    -------
    dict
        File name to `view` (AP or PA), `sex` (F or M) and `soft tissue, mm` over the ribs, of the patient drawn there.

    Raises
    ------
    ChestlibError
        If the folder is no finished phantom of this version.
    """
    seal = Path(folder) / PHANTOM
    said = read_json(seal)
    if said.get("version") != VERSION:
        raise ChestlibError(
            f"{seal}: a phantom of version {said.get('version')}, not {VERSION}; delete it and draw anew"
        )
    known: dict[str, dict[str, str | float]] = {}
    for job in plan(Path(folder), said["train"], said["test"], said["size"], said["seed"]):
        frame, _, _ = plan_visit(job.visit)
        known[job.path.name] = {
            "view": "AP" if frame.view.ap else "PA",
            "sex": "F" if frame.anatomy.female else "M",
            "soft tissue, mm": round(frame.anatomy.fat * MM, 1),
        }
    return known


def _write_image(job: _Job) -> Record:
    cv2.setNumThreads(1)
    image, boxes, labels = render_visit(job.visit, job.size)
    ok, png = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not ok:
        raise ChestlibError(f"{job.path}: could not be encoded as PNG")
    job.path.parent.mkdir(parents=True, exist_ok=True)
    job.path.write_bytes(png.tobytes())
    return Record(job.path.name, boxes, labels, job.patient, job.path)
