"""For whom does it work? The same figures within groups of images, by any table: view, sex, age, device, habitus.

A group is a row of weights, 0 outside it, so that point and interval come from the functions that score the whole.
Groups differ in more than what names them, and among many of them one is the worst by luck: see the interval first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from chestlib.data import patient_groups
from chestlib.errors import ChestlibError
from chestlib.files import columns_of, plain, read_table
from chestlib.metrics.intervals import interval, resampled
from chestlib.metrics.key import Key
from chestlib.metrics.matching import Truth
from chestlib.metrics.tables import FEW_SIGN, number, span

FEW_PATIENTS, FEW_CASES = 20, 10
"""Groups of fewer patients, boxes, diseased or normal images are marked."""
MOST_VALUES = 12
"""A column of more values is cut into three equal groups if they are numbers, and left out otherwise."""

Groups = dict[str, np.ndarray]
"""Column to the value of each image, (images,) str, empty where unknown."""

Statistic = Callable[[np.ndarray], Mapping[str, np.ndarray]]


def read_groups(path: Path, truth: Truth) -> tuple[Groups, list[str]]:
    """Read a CSV file with a column file_name and others; rows of other images do not matter.

    Returns
    -------
    groups : dict
        Each column that groups the images, cut into thirds where it holds many numbers.
    notes : list of str
        What was left out, and how many images are not in the table.

    Raises
    ------
    ChestlibError
        If it is no such table, names none of the images, one of them twice with other values, or has no column that
        groups them.
    """
    columns = [name for name in columns_of(path) if name and name != "file_name"]
    key = Key(truth, {})
    rows: dict[str, list[str]] = {}
    table = read_table(path, ["file_name", *columns])
    for name, *said in table:
        if (file := key.image(name)) in key.files and rows.setdefault(file, said) != said:
            raise ChestlibError(f"{path}: {name} has two rows that differ; keep one")
    if not rows:
        first = f" (its first is {table[0][0]!r})" if table else ""
        raise ChestlibError(f"{path}: names none of the {len(truth)} images{first}; its file_name must be theirs")
    notes = []
    if absent := len(truth) - len(rows):
        notes.append(f"{absent} of {len(truth)} images are not in the table, and in no group")
    groups = {}
    for i, column in enumerate(columns):
        values = np.array([rows[r.file_name][i] if r.file_name in rows else "" for r in truth])
        cut = _cut(values)
        if cut is None:
            notes.append(
                f"{column}: {len({*values} - {''})} different values, left out; too few or too many for groups"
            )
        else:
            groups[column] = cut
    if not groups:
        raise ChestlibError(
            f"{path}: no column groups the images; expected one of 2 to {MOST_VALUES} values, or numbers"
        )
    return groups, notes


def _cut(values: np.ndarray) -> np.ndarray | None:
    """Take values as groups, or thirds of them; None where they make no groups."""
    known = values != ""
    different = np.unique(values[known])
    if 2 <= len(different) <= MOST_VALUES:
        return values
    try:
        numbers = np.array([float(v) if v else np.nan for v in values])
    except ValueError:
        return None
    if len(different) < 2 or not np.isfinite(numbers[known]).all():
        return None
    limits = np.quantile(numbers[known], [1 / 3, 2 / 3])
    third = np.searchsorted(limits, numbers)
    out = np.full(len(values), "", dtype=object)
    for i in range(3):
        if (own := known & (third == i)).any():
            out[own] = f"{numbers[own].min():g} to {numbers[own].max():g}"
    return out.astype(str)


def subgroup_scores(
    truth: Truth,
    statistic: Statistic,
    groups: Mapping[str, np.ndarray],
    resamples: int = 0,
    seed: int = 0,
    boxes: bool = True,
) -> dict[str, Any]:
    """Score each group of images.

    Parameters
    ----------
    statistic : callable
        From weights (r, images) to named figures (r,): :meth:`Measures.means`, or :func:`weighted_scores` with its
        first arguments filled in.
    groups : mapping
        Column to the value of each image; empty for none.
    resamples : int
        Of all patients, for 95 % intervals; 0 for none.
    boxes : bool
        The figures are of boxes; else of films, diseased or normal.

    Returns
    -------
    dict
        {column: {value: {images, patients, boxes, diseased, few, figures: {name: value}, intervals: {name: [low,
        high]}}}}. `few` marks fewer than 20 patients, or than ten boxes (of films: diseased or normal ones). The
        intervals of a single patient are None.
    """
    clusters = np.array(patient_groups(truth))
    count = np.array([len(r.labels) for r in truth])
    diseased = np.array([r.diseased for r in truth])
    masks = {
        (column, value): values == value
        for column, values in groups.items()
        for value in sorted({*values.tolist()} - {""}, key=_natural)
    }
    whole = partial(_within, statistic, list(masks.values()))
    points = whole(np.ones((1, len(truth))))
    drawn = resampled(whole, clusters, resamples, seed) if resamples else {}
    told: dict[str, dict[str, Any]] = {column: {} for column in groups}
    for i, ((column, value), mask) in enumerate(masks.items()):
        patients, ill, well = len({*clusters[mask]}), int(diseased[mask].sum()), int((~diseased[mask]).sum())
        n = int(count[mask].sum())
        row = told[column][value] = {
            "images": ill + well,
            "patients": patients,
            "boxes": n,
            "diseased": ill,
            "few": patients < FEW_PATIENTS or (n if boxes else min(ill, well)) < FEW_CASES,
            "figures": {name: of[0, i] for name, of in points.items()},
        }
        if drawn:
            ends = {name: interval(of[:, i]) for name, of in drawn.items()}
            row["intervals"] = ends if patients > 1 else dict.fromkeys(ends)
    return dict(plain(told))


def _within(statistic: Statistic, masks: Sequence[np.ndarray], weights: np.ndarray) -> dict[str, np.ndarray]:
    """Give each figure of each group; (r, groups)."""
    found = [statistic(weights * mask) for mask in masks]
    return {name: np.stack([one[name] for one in found], axis=1) for name in found[0]}


def _natural(value: str) -> tuple[float, str]:
    """Sort numbers, and ranges of them, by size, before words."""
    try:
        return float(value.partition(" to ")[0]), value
    except ValueError:
        return np.inf, value


def grouped(told: Mapping[str, Any], names: tuple[str, ...], boxes: bool = True) -> str:
    """Lay out some figures of :func:`subgroup_scores` as plain text, each with its interval if there is one."""
    cases = "boxes" if boxes else "diseased"
    width = max(len(text) for column, rows in told.items() for text in (column, *(f"  {v}{FEW_SIGN}" for v in rows)))
    cells = "".join(f"{name:>24}" for name in names)
    lines, few = [], False
    for column, rows in told.items():
        lines.append(f"{column:{width}}{'images':>8}{'patients':>9}{cases:>9}{cells}")
        for value, row in rows.items():
            few |= row["few"]
            label = f"  {value}{FEW_SIGN * row['few']}"
            texts = []
            for name in names:
                ends = row.get("intervals", {}).get(name)
                between = f" ({span(ends)})" if ends else ""
                texts.append(f"{number(row['figures'][name])}{between}")
            numbers = f"{row['images']:>8}{row['patients']:>9}{row[cases]:>9}"
            lines.append(f"{label:{width}}{numbers}{''.join(f'{text:>24}' for text in texts)}")
    if few:
        which = "boxes" if boxes else "diseased or normal images"
        lines.append(f"{FEW_SIGN} fewer than 20 patients, or than ten {which}: says little")
    return "\n".join(lines)
