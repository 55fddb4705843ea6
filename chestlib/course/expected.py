"""What the chapters learned when they were last executed on purpose: notebooks/expected.json.

Each figure has its `value`, from `make notebooks`, and its `tolerance`, from `python benchmarks/spread.py`, which runs
the chapters with several `seeds` and `instruction sets`; `spread` is the standard deviation over these runs. Nobody
else writes the file.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chestlib.errors import ChestlibError
from chestlib.files import read_json, read_json_lines, write_json

RECORD = "CHESTLIB_RECORD"
"""Names a file in the environment: figures are then noted in it, a line each, and not compared."""

LEAST = 0.05
"""Least tolerance: a few images more or less on the right side of a threshold prove nothing."""

ALARM = 0.05
"""Chance that a sound run elsewhere has any figure at all that is further off than its tolerance."""


BACK = "bring the file back as it came, or record it anew with `make notebooks`"
"""What to do with a damaged file."""


def tolerance(values: list[float], among: int = 1) -> float:
    """By how much two sound runs differ at most, from the `values` of at least three runs.

    Student's t for the difference of two draws from one normal distribution whose deviation is estimated. All `among`
    figures together raise a false alarm with the chance :data:`ALARM`, so one figure does with that chance's share.

    Examples
    --------
    >>> round(tolerance([0.40, 0.42, 0.41, 0.39, 0.41, 0.40], among=85), 3)
    0.114
    """
    from scipy.stats import t

    if len(values) < 3:
        raise ChestlibError(f"{len(values)} runs: a tolerance needs three; give more seeds")
    return max(LEAST, float(t.ppf(1 - ALARM / among / 2, len(values) - 1)) * math.sqrt(2) * spread(values))


def spread(values: list[float]) -> float:
    """Return the standard deviation, estimated from `values`."""
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def number(name: str, value: Any) -> float:
    """Return the value of a figure as a number; ChestlibError for what is none, as NaN and None."""
    try:
        if math.isfinite(found := float(value)):
            return found
    except (TypeError, ValueError):
        pass
    raise ChestlibError(f"{name}: the value is {value}; expected a finite number")


def compared(file: Path, name: str, value: float) -> str:
    """Compare a figure with the one in `file`, and return the line that says so: the same for all values that hold.

    Raises
    ------
    AssertionError
        If it is further off than its tolerance.
    ChestlibError
        If the file holds no such figure, or cannot be read.
    """
    figures, note = _table(file), os.environ.get(RECORD)
    if note:
        with open(note, "a", encoding="utf-8") as lines:
            lines.write(json.dumps({"name": name, "value": value}) + "\n")
        figures = figures | {name: figures.get(name, {}) | {"value": round(value, 4)}}
    figure = _figure(file, figures, name)
    recorded, allowed = figure["value"], figure.get("tolerance")
    if allowed is None:
        return f"not held yet: {name} = {recorded:.3f}; benchmarks/spread.py measures its tolerance"
    told = f"{name} = {recorded:.3f} ± {allowed:.3f}"
    if allowed >= max(recorded, 1 - recorded):
        return f"not held: {told}; anything from 0 to 1 would be"
    if not abs(value - recorded) <= allowed + 1e-4:  # what is recorded is rounded
        runs = f"seeds {figure.get('seeds')}, {' and '.join(map(str, figure.get('instruction sets') or ['?']))}"
        raise AssertionError(f"not as recorded: {name} is {value:.3f}; recorded was {told} ({runs})")
    return f"as recorded: {told}"


def _table(file: Path) -> dict[str, Any]:
    """Read the file of figures; ChestlibError for what is none."""
    figures = read_json(file)
    if not isinstance(figures, dict) or not all(isinstance(figure, dict) for figure in figures.values()):
        raise ChestlibError(f"{file}: not a table of figures; {BACK}")
    return figures


def _figure(file: Path, figures: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Look up what is recorded of a figure; ChestlibError where nothing is, or what is no number."""
    figure: dict[str, Any] = figures.get(name, {})
    if "value" not in figure:
        raise ChestlibError(f"{file}: no figure {name!r}; correct the name, or record it with `make notebooks`")
    for key in ("value", "tolerance") if figure.get("tolerance") is not None else ("value",):
        if type(figure[key]) not in (int, float) or not math.isfinite(figure[key]):
            raise ChestlibError(f"{file}: {name}: the {key} is {figure[key]!r}, no number; {BACK}")
    if not isinstance(figure.get("instruction sets", []), list):
        raise ChestlibError(f"{file}: {name}: the instruction sets are no list; {BACK}")
    return figure


def noted(note: Path) -> dict[str, float]:
    """Read the file that :data:`RECORD` named.

    Raises
    ------
    ChestlibError
        If one name was given two values.
    """
    found: dict[str, float] = {}
    for row in read_json_lines(note) if note.is_file() else []:
        if abs(found.setdefault(row["name"], row["value"]) - row["value"]) > 1e-6:
            raise ChestlibError(f"{row['name']}: is {found[row['name']]} and {row['value']}; give one another name")
    return found


def update(file: Path, figures: Mapping[str, Mapping[str, Any]], whole: bool = False) -> None:
    """Add to what `file` holds of each figure; with `whole`, others than these are dropped."""
    before = read_json(file) if file.is_file() else {}
    kept = {} if whole else before
    write_json(file, {name: before.get(name, {}) | dict(figures.get(name, {})) for name in sorted({*kept, *figures})})
