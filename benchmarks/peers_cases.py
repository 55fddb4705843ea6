"""Where other tools could count otherwise: small cases for benchmarks/peers.py.

    python benchmarks/peers_cases.py OUT --python … [--json figures/peers.json]

`unique`: no two scores alike. `ties`: scores of one decimal. `many`: 150 detections of a finding on one image, the
hits last. `absent`: a finding that the truth lacks is predicted. `crowd`: every fourth true box is marked so.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from chestlib.findings import FINDINGS

SIDE, TOP = 400, Path(__file__).parents[1]


def case(kind: str, seed: int = 0) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """True boxes and results of 40 images and three findings, moved at random."""
    rng = np.random.default_rng(seed)
    truth: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for image in range(1, 41):
        for _ in range(rng.integers(0, 5)):
            box, finding = [*rng.integers(0, 250, 2), *rng.integers(20, 140, 2)], int(rng.integers(1, 4))
            number = len(truth)
            crowd = int(kind == "crowd" and number % 4 == 0)
            truth.append(_row(image, finding, box, id=number + 1, area=int(box[2] * box[3]), iscrowd=crowd))
            for _ in range(rng.integers(0, 4)):
                moved = np.array(box) + rng.normal(0, 8, 4)
                results.append(_row(image, finding, [*moved[:2], *moved[2:].clip(5)], score=rng.random()))
        if kind == "absent":
            results.append(_row(image, 9, [5, 5, 30, 30], score=rng.random()))
    if kind == "many":
        first = [row for row in results if row["image_id"] == 1]
        results += [_row(1, row["category_id"], [300, 300, 50, 50], score=1.0) for row in first for _ in range(150)]
    if kind == "ties":
        results = [{**row, "score": round(row["score"], 1)} for row in results]
    return truth, results


def _row(image: int, finding: int, box: Any, **more: Any) -> dict[str, Any]:
    return {"image_id": image, "category_id": finding, "bbox": [round(float(v), 2) for v in box], **more}


def write(folder: Path, kind: str) -> None:
    """Write a case as `chestlib convert` and `chestlib evaluate --coco` do."""
    truth, results = case(kind)
    images = [{"id": i, "file_name": f"{i}.png", "width": SIDE, "height": SIDE} for i in range(1, 41)]
    categories = [{"id": i, "name": name} for i, name in enumerate(FINDINGS, start=1)]
    (folder / "annotations").mkdir(parents=True)
    (folder / "images" / "test").mkdir(parents=True)
    for image in images:
        Image.new("L", (SIDE, SIDE)).save(folder / "images" / "test" / str(image["file_name"]))
    document = {"images": images, "annotations": truth, "categories": categories}
    (folder / "annotations" / "test.json").write_text(json.dumps(document))
    (folder / "results.json").write_text(json.dumps(results))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, help="new folder")
    parser.add_argument("--python", action="append", default=[], help="as of peers.py")
    parser.add_argument("--json", type=Path, help="add the figures to this file, under `cases`")
    args = parser.parse_args()
    found = {}
    for kind in ("unique", "ties", "many", "absent", "crowd"):
        folder = args.out / kind
        write(folder, kind)
        print(f"--- {kind}", flush=True)
        pythons = [word for python in args.python for word in ("--python", python)]
        command = [sys.executable, str(TOP / "benchmarks" / "peers.py"), str(folder), str(folder / "results.json")]
        subprocess.run([*command, *pythons, "--json", str(folder / "peers.json")], check=False)
        found[kind] = json.loads((folder / "peers.json").read_text())
    if args.json:
        args.json.write_text(json.dumps({**json.loads(args.json.read_text()), "cases": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
