"""The cross-validation on real films, benchmarks/real.py, on films that cost seconds and as a process to be killed."""

from __future__ import annotations

import csv
import gzip
import json
import os
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import toys
from commands import FORK, HANGS
from PIL import Image

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
READ, TOLD = "chestx-det10-part", "nih"
NAMES = ("Atelectasis", "Effusion", "Mass", "Nodule", "Pneumothorax")
OTHERS = ("Calcification", "Consolidation", "Emphysema", "Fibrosis", "Fracture")
"""A head learns nothing of a finding that no film has, so a diseased film has one of each."""
FILMS = range(24)
"""In each folder; every other one is diseased, and so in each group that is scored."""
SMALL = {
    "image_size": 64, "trunk": "resnet10", "trunk_width": 8, "weights": "none", "frozen": 0, "fpn_channels": 8,
    "head_units": 16, "regions": 16, "proposals": 40, "batch_size": 8, "max_detections": 20, "epochs": 2,
    "validate_every": 1, "precision": "32-true",
}  # fmt: skip
"""What the settings of the detectors are here."""


def lay(root: Path) -> Path:
    """Both folders as the benchmark reads them: boxes of readers, and NIH's table with a box of each diseased film."""
    for part, own in (("train", FILMS[:18]), ("test", FILMS[18:])):
        records = [
            {"file_name": f"{i}.png", "syms": _findings(i), "boxes": [[8, 8, 40, 44]] * len(_findings(i))} for i in own
        ]
        _write(root / READ / f"{part}.json", json.dumps(records))
        twins = [record | {"file_name": f"{i:08d}_000.png"} for i, record in zip(own, records, strict=True)]
        _write(root / READ / "nih-names" / f"{part}.json", json.dumps(twins))
        _draw(root / READ / f"{part}_data", {f"{i}.png": i for i in own})
    told = {f"{100 + i:08d}_000.png": i for i in FILMS}
    _draw(root / TOLD / "images", {name: 100 + i for name, i in told.items()})
    boxes: list[list[Any]] = [["Image Index", "Finding Label", "Bbox [x", "y", "w", "h]"]]
    boxes += [[name, _findings(i)[0], 200, 200, 400, 500] for name, i in told.items() if i % 2]
    _table(root / TOLD / "BBox_List_2017.csv", boxes)
    for source, names in ((READ, [f"{i}.png" for i in FILMS]), (TOLD, list(told))):
        _table(root / source / "archives.csv", [["file_name", "archive"], *([name, "A"] for name in names)])
    head = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"
    rows = [head.split(",")]
    for name, i in ({f"{i:08d}_000.png": i for i in FILMS} | told).items():
        label, age = "|".join(_findings(i)) or "No Finding", (30, 50, 70)[i // 2 % 3]
        rows.append([name, label, 0, int(name[:8]), age, "MF"[i // 4 % 2], ("PA", "AP")[i // 2 % 2]])
    table = root / TOLD / "Data_Entry_2017_v2020.csv"
    _table(table, rows)
    table.with_suffix(".csv.gz").write_bytes(gzip.compress(table.read_bytes()))
    table.unlink()
    return root


def _findings(i: int) -> list[str]:
    return [NAMES[i // 2 % len(NAMES)], OTHERS[i // 2 % len(OTHERS)]] if i % 2 else []


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _table(file: Path, rows: Iterable[list[Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as out:
        csv.writer(out).writerows(rows)


def _draw(folder: Path, seeds: dict[str, int]) -> None:
    folder.mkdir(parents=True)
    for name, seed in seeds.items():
        Image.fromarray(toys.grey(seed)).save(folder / name)


def start(films: Path, out: Path, until: str = "", wait: float = 0) -> int:
    """Cross-validate in a process of its own; its exit status. It is killed `wait` seconds after `until` is there."""
    out.mkdir(exist_ok=True)
    child = FORK.Process(target=_cross, args=(films, out))
    begun = time.monotonic()
    child.start()
    while child.is_alive() and time.monotonic() - begun < HANGS:
        if until and (out / "runs" / until).exists():
            time.sleep(wait)
            os.kill(child.pid, signal.SIGKILL)
            break
        time.sleep(0.005)
    child.join(HANGS)
    return child.exitcode


def figures(out: Path) -> dict[str, Any] | None:
    """All that it wrote, but for seconds and the device; None while it has written nothing."""
    file = out / "real.json"
    if not file.exists():
        return None
    return {name: {k: v for k, v in part.items() if k != "of"} for name, part in json.loads(file.read_text()).items()}


def _cross(films: Path, out: Path) -> None:
    """The benchmark's own program, with small settings, and some films in place of the drawings."""
    with (out / "log.txt").open("a") as log:
        for number in (1, 2):
            os.dup2(log.fileno(), number)
    sys.path.insert(0, str(BENCHMARKS))
    import real_films
    import torch

    from chestlib import devices
    from chestlib.data import open_data

    devices.use_threads = lambda most=1: torch.set_num_threads(1)
    devices.use_threads()
    real_films.RUNS, real_films.FILE = out / "runs", out / "real.json"
    import real
    import real_recipe

    for name in ("FIRST", "DRAWN", "THEN"):
        setattr(real_recipe, name, replace(getattr(real_recipe, name), **SMALL))
    real_recipe.SEEN_AGAIN = 6
    real_recipe.course = SimpleNamespace(phantom=lambda _: SimpleNamespace(train=open_data(films / READ).train))
    sys.argv = ["real.py", "--films", str(films), "--folds", "2", "--resamples", "5"]
    real.main()
