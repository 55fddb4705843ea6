"""What `evaluate`, `compare` and `view` are given: a truth and what was predicted for it, in any form."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from chestlib.console import tell
from chestlib.data import DataFolder, Record, annotations_digest, findings_of, open_data, patient_groups
from chestlib.errors import ChestlibError
from chestlib.files import plain, read_json
from chestlib.findings import FINDINGS
from chestlib.metrics import (
    Calibration,
    Found,
    binary_intervals,
    binary_scores,
    compare,
    compare_binary,
    decisions,
    fuse_all,
    noted_thresholds,
    read_groups,
    read_predictions,
    subgroup_scores,
    weighted_scores,
)
from chestlib.train import Run, points_together, said_together, scored_records

Examined = tuple[list[Record], Found, "dict[str, float] | None", "Path | None"]
"""Records, predictions, thresholds of the findings, and whose they are."""


TAUGHT = (
    "of the model that ships, which has learnt from films of NIH and of ChestX-Det10's train part: only on patients of "
    "the official test part, or on films of other origin, does a score say how good it is"
)


def _of_what_ships(predictions: Path) -> bool:
    """Tell whether the answers of `chestlib predict` are those of the model that ships."""
    file = (predictions if predictions.is_dir() else predictions.parent) / "about.json"
    about = read_json(file) if file.is_file() else None
    return isinstance(about, dict) and "shipped" in (about.get("models") or {})


def examined(
    truth: Path | Sequence[Path],
    predictions: Path,
    run: Path | None,
    findings: Sequence[str] | None = None,
    *,
    told: bool = True,
    **options: Any,
) -> Examined:
    """Read a truth and its predictions; the thresholds are those of the run that is given, or of the predictions' own.

    Parameters
    ----------
    truth : Path, or a sequence of Path
        A data folder or several, of which the test part is meant, or one annotation file.
    predictions : Path
        A run, or whatever :func:`chestlib.metrics.read_predictions` reads.
    run : Path, optional
        A run folder of stage 2.
    findings : sequence of str, optional
        Default: those of the run, or of the data.
    told : bool
        Tell what was decided in reading the truth.
    options
        Others of :func:`chestlib.data.open_data`.
    """
    own, whole = (predictions / "settings.json").is_file(), _whole(truth)
    if own and run:
        raise ChestlibError(f"{predictions}: a run, which has its own thresholds; leave --run {run} out")
    source = predictions if own else run
    thresholds = Run(source).require("detector").finding_thresholds() if source else noted_thresholds(predictions)
    source = source or (predictions if thresholds else None)
    data = _opened(truth, findings, source, tuple(thresholds), **options)
    records = data.test if whole else data.records
    if own:
        records = scored_records(Run(predictions), data if whole else records)
    try:
        found = read_predictions(predictions, records, data.categories_of(records))
    except ChestlibError as error:
        drawn = [note for note in data.notes if "drawn as test" in note]
        raise (ChestlibError(f"{error} ({data.root}: {drawn[0]})") if drawn else error) from None
    if not own and _of_what_ships(predictions):
        tell(predictions, [TAUGHT])
    # Those on images are left out: they are not asked for here.
    if told:
        tell(data.root, (note for note in data.notes if "was found below" not in note))
    return records, found, thresholds or None, source


def fused(
    truth: Path | Sequence[Path],
    several: Sequence[Path],
    run: Path | None,
    flip: bool,
    findings: Sequence[str] | None = None,
    **options: Any,
) -> tuple[list[Record], Found, dict[str, float] | None, str | None, Calibration | None]:
    """Read what several sets of predictions say of one truth, and fuse it; one without mirror images stays as it is.

    Thresholds and map of scores are chosen on what runs say of their validation part together. Fused scores of other
    predictions have a scale that no threshold of theirs was chosen on: those of `run` are used, if there is one.
    """
    first, found = several[0], Found()
    if len(several) == 1 and not flip:
        records, said, thresholds, source = examined(truth, first, run, findings, **options)
        tell(first, said.notes)
        of_run = Run(source) if source and (source / "settings.json").is_file() else None
        return records, said, thresholds, str(source) if source else None, of_run.calibration() if of_run else None
    other = [path for path in several if not (path / "settings.json").is_file()]
    if flip and other:
        raise ChestlibError(f"{other[0]}: no run, so what it would say of mirror images is not known; leave --flip out")
    records, said, *_ = examined(truth, first, None if other else run, findings, **options)
    if not other:
        runs = [Run(path) for path in several]
        found.update(said_together(runs, "test", flip))
        points = points_together(runs, flip)
        called = " + ".join(map(str, several))
        calibration = Calibration.from_json(points["calibration"]) if points["calibration"] else None
        return records, found, points["thresholds"], called, calibration
    answers = [said]
    for path in several[1:]:
        others, said, *_ = examined(truth, path, None, findings, told=False, **options)
        _require_one_truth(first, path, records, others)
        answers.append(said)
    for path, one in zip(several, answers, strict=True):
        tell(path, one.notes)
    found.update(fuse_all(answers, list(map(str, several))))
    thresholds = Run(run).require("detector").finding_thresholds() if run else None
    return records, found, thresholds, str(run) if run else None, None


def _all(truth: Path | Sequence[Path]) -> list[Path]:
    return [truth] if isinstance(truth, Path) else list(truth)


def _whole(truth: Path | Sequence[Path]) -> bool:
    """Tell a data set, with its parts, from one file."""
    return all(path.is_dir() for path in _all(truth))


def _opened(
    truth: Path | Sequence[Path],
    names: Sequence[str] | None,
    source: Path | None,
    known: tuple[str, ...],
    **options: Any,
) -> DataFolder:
    """Open a truth with the findings that are `known` to the source of thresholds."""
    said = names or findings_of(_all(truth)[0])
    if known and (names or said != FINDINGS) and {*said} != {*known}:
        raise ChestlibError(f"{source}: finds {', '.join(known)}; the truth names {', '.join(said)}")
    try:
        return open_data(truth, findings=known or said, draw=_whole(truth), **options)
    except ChestlibError as error:
        raise (ChestlibError(f"{error} (of {source})") if known else error) from None


@dataclass(frozen=True, eq=False)
class Classified:
    """What a run of stage 1 says of the part it is scored on."""

    records: list[Record]
    probability: np.ndarray
    threshold: float

    def statistic(self) -> Callable[[np.ndarray], Mapping[str, np.ndarray]]:
        """Give its scores as a function of weights."""
        diseased = np.array([record.diseased for record in self.records])
        return partial(weighted_scores, diseased, self.probability, self.threshold)


def classified(truth: Path | Sequence[Path], run: Path, **options: Any) -> Classified | None:
    """Read what a run of stage 1 says; None for anything else."""
    own = Run(run)
    if not own.settings_file.is_file() or own.read("settings").get("kind") != "classifier":
        return None
    data = open_data(truth, draw=_whole(truth), **options)
    records = scored_records(own, data if _whole(truth) else data.records)
    (threshold,) = own.thresholds(lambda point: [point["threshold"]])
    try:
        said = {row["file"]: row["disease_probability"] for row in own.read("predictions")["test"]}
        probability = np.array([said[record.file_name] for record in records], float)
    except (KeyError, TypeError, ValueError):
        raise ChestlibError(
            f"{run / 'predictions.json'}: not what stage 1 says of its test part; train again"
        ) from None
    return Classified(records, probability, threshold)


def scored(said: Classified, bootstrap: int) -> dict[str, Any]:
    """Score a classifier at its threshold.

    Returns
    -------
    dict
        n_images, threshold, scores (as :func:`chestlib.metrics.binary_scores`), intervals, empty without resamples, and
        decisions, as :func:`chestlib.metrics.decisions`.
    """
    diseased = np.array([record.diseased for record in said.records])
    at = diseased, said.probability, said.threshold
    between = binary_intervals(*at, patient_groups(said.records), bootstrap) if bootstrap else {}
    told = {"n_images": len(diseased), "threshold": said.threshold, "scores": binary_scores(*at), "intervals": between}
    return dict(plain({**told, "decisions": decisions(*at)}))


def by_group(table: Path, records: Sequence[Record], statistic: Any, bootstrap: int, boxes: bool) -> dict[str, Any]:
    """Score groups of images by a table; see :func:`chestlib.metrics.subgroup_scores`."""
    groups, notes = read_groups(table, records)
    tell(table, notes)
    return subgroup_scores(records, statistic, groups, bootstrap, boxes=boxes)


def worth(rows: Sequence[dict[str, float | None]]) -> str:
    """Lay out :func:`chestlib.metrics.decisions`."""
    lines = ["prevalence   called: diseased   other: normal   worth acting on, if one acts from a probability of"]
    for row in rows:
        share, positive, negative, low, high = (math.nan if value is None else value for value in row.values())
        where = f"{low:.1%} to {high:.1%}" if low < high else "nothing"
        lines.append(f"{share:>10.0%}{positive:>19.1%}{negative:>16.1%}   {where}")
    return "\n".join(lines)


def compared(truth: Path | Sequence[Path], a: Path, b: Path, bootstrap: int, **options: Any) -> dict[str, Any]:
    """Compare what two runs, or results of any tools, say of one truth; see :func:`chestlib.metrics.compare`."""
    first, second = (classified(truth, path, **options) for path in (a, b))
    if first and second:
        _require_one_truth(a, b, first.records, second.records)
        of = dict(zip((r.file_name for r in second.records), second.probability, strict=True))
        other = np.array([of[r.file_name] for r in first.records])
        at = first.threshold, second.threshold
        return compare_binary(first.records, first.probability, other, at, resamples=bootstrap)
    if first or second:
        raise ChestlibError(f"{a if first else b}: a run of stage 1, the other is not; compare two of a kind")
    records, found, own, _ = examined(truth, a, None, **options)
    others, said, theirs, _ = examined(truth, b, None, told=False, **options)
    for path, one in ((a, found), (b, said)):
        tell(path, one.notes)
    _require_one_truth(a, b, records, others)
    return compare(records, found, said, thresholds=(own, theirs), called=(str(a), str(b)), resamples=bootstrap)


def _require_one_truth(a: Path, b: Path, records: Sequence[Record], others: Sequence[Record]) -> None:
    one, other = ({r.file_name for r in some} for some in (records, others))
    if one != other:
        odd = min(one ^ other)
        who, lacks = (a, b) if odd in one else (b, a)
        raise ChestlibError(
            f"{odd}: in the test part of {who} and not of {lacks} ({len(one ^ other)} such images); compare on one part"
        )
    if annotations_digest(records) != annotations_digest(others):
        raise ChestlibError(f"{a} and {b}: of different truths; score both against one annotation file")
