"""By how much what the chapters learn differs from run to run: the tolerances of notebooks/expected.json.

    python benchmarks/spread.py [--seeds 0 1 2] [--avx2 0 1 2] [--chapters 03 04 05 05b 06 07 08]

The code of the chapters is run as it stands, on the phantom and in the quick profile, for each seed of the trainings
and on two instruction sets: the processor's own and AVX2. What they hand to `lesson.expect` is kept; a claim that does
not hold for a seed is told, but stops nothing. Finished runs of the course are taken, those of other seeds lie beside
them, and a chapter that was finished is not run again, so the same command goes on. What was found stands in
runs/spread/; the values that notebooks are compared with come from `make notebooks`, after this.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[1]
PLACE = TOP / "runs" / "spread"
SETS = {"own": {}, "AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}}
"""Instruction set to the variables that choose it."""


def home(kind: str) -> Path:
    """The project as a run on an instruction set sees it: its own runs, all else shared."""
    if kind == "own":
        return TOP
    place = PLACE / kind
    place.mkdir(parents=True, exist_ok=True)
    for name in ("data", "notebooks", "figures"):
        if not (place / name).exists():
            (place / name).symlink_to(TOP / name)
    return place


def code(chapter: Path) -> list[str]:
    cells = json.loads(chapter.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def key(chapter: Path) -> str:
    """Digest of what the figures of a chapter depend on: its code and the package."""
    digest = hashlib.sha256("\n".join(code(chapter)).encode())
    for file in sorted((TOP / "chestlib").rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def inside(chapter: Path, seed: int, out: Path) -> None:
    """Run one chapter with a seed, in this process, and write what it expects."""
    import matplotlib as mpl

    mpl.use("agg")
    from chestlib import course, settings

    quick = settings.PROFILES["quick"]
    stages = {kind: replace(getattr(quick, kind), seed=seed) for kind in ("classifier", "detector")}
    settings.PROFILES["quick"] = replace(quick, **stages)
    found: dict[str, float] = {}

    def claim(self: Any, text: str, holds: bool, figure: str = "") -> None:
        if not holds:
            print(f"    does not hold: {text} ({figure})", file=sys.stderr)

    def expect(self: Any, name: str, value: float) -> None:
        found[name] = course.expected.number(name, value)

    course.Course.claim, course.Course.expect = claim, expect
    names: dict[str, Any] = {"__name__": "chapter"}
    os.chdir(chapter.parent)
    for i, cell in enumerate(code(chapter), 1):
        exec(compile(cell, f"{chapter.name}, code cell {i}", "exec"), names)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"key": key(chapter), "figures": found}, indent=1) + "\n")


def measured(chapter: Path, kind: str, seed: int) -> dict[str, float]:
    """The figures of a chapter, from an earlier call or from a process of its own."""
    out = PLACE / f"{kind}-{seed}-{chapter.stem.split('_')[0]}.json"
    told = json.loads(out.read_text()) if out.is_file() else {}
    if told.get("key") != key(chapter):
        print(f"{kind}, seed {seed}, {chapter.stem}", flush=True)
        start = time.monotonic()
        variables = {"CHESTLIB_HOME": str(home(kind)), "CHESTLIB_PROFILE": "quick", "CHESTLIB_TRAIN": "1", **SETS[kind]}
        kept = {name: value for name, value in os.environ.items() if name not in ("CHESTLIB_DATA", "CHESTLIB_RECORD")}
        command = [sys.executable, __file__, "--inside", str(chapter), str(seed), str(out)]
        subprocess.run(command, env=kept | variables, check=True, stdout=subprocess.DEVNULL)
        told = json.loads(out.read_text())
        print(f"    {len(told['figures'])} figures, {time.monotonic() - start:.0f} s", flush=True)
    return told["figures"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--avx2", type=int, nargs="*", metavar="SEED", help="seeds on AVX2, too; default: all of them")
    parser.add_argument("--chapters", nargs="+", default=["03", "04", "05", "05b", "06", "07", "08"])
    parser.add_argument("--inside", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return inside(Path(options.inside[0]), int(options.inside[1]), Path(options.inside[2]))

    import torch

    from chestlib.course import expected

    own = torch.backends.cpu.get_cpu_capability()
    chapters = [next((TOP / "notebooks").glob(f"{number}_*.ipynb")) for number in options.chapters]
    runs: list[dict[str, float]] = []
    seeds = {"own": options.seeds, "AVX2": options.seeds if options.avx2 is None else options.avx2}
    for kind, chosen in seeds.items():
        for seed in chosen:
            runs.append({})
            for chapter in chapters:
                runs[-1] |= measured(chapter, kind, seed)
    sets = [own if kind == "own" else kind for kind, chosen in seeds.items() if chosen]
    of = {"seeds": sorted({seed for chosen in seeds.values() for seed in chosen}), "instruction sets": sets}
    told: dict[str, dict[str, Any]] = {}
    for name in runs[0]:
        values = [run[name] for run in runs if name in run]
        spread, allowed = expected.spread(values), expected.tolerance(values, among=len(runs[0]))
        told[name] = {"spread": round(spread, 5), "tolerance": round(allowed, 4), **of}
        mean = sum(values) / len(values)
        weak = "  not held" if allowed >= max(mean, 1 - mean) else "  only if too high" if allowed >= mean else ""
        print(f"{name:<60} {min(values):.3f} to {max(values):.3f}  ± {allowed:.3f}{weak}")
    expected.update(TOP / "notebooks" / "expected.json", told)


if __name__ == "__main__":
    main()
