"""Several runs of stage 2 as one, or one that looks at mirror images, too: fused answers, and thresholds of them.

A fused score has another scale than a model's own, so thresholds are chosen anew: on the validation films, of which
every run keeps what it said of them, and of their mirror images, and what is true of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chestlib.data import Record
from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.metrics import fuse_all
from chestlib.settings import DetectorSettings
from chestlib.train.operating import finding_points
from chestlib.train.run import Run


def said_together(runs: Sequence[Run], part: str, flip: bool = False) -> dict[str, Detections]:
    """Fuse what runs say of a part.

    Parameters
    ----------
    part : str
        "val" or "test".
    flip : bool
        Fuse what they say of the mirror images, too.

    Raises
    ------
    ChestlibError
        If a run is of other data, parts or findings than the first, or of before runs kept what this takes.
    """
    names = _of_one_kind(runs)
    files = ["predictions", "mirrored"] if flip else ["predictions"]
    several = [_found(run, file, part, names) for run in runs for file in files]
    return fuse_all(several, [str(run.path / f"{file}.json") for run in runs for file in files])


def points_together(runs: Sequence[Run], flip: bool = False) -> dict[str, Any]:
    """Choose thresholds and calibrate scores on what runs say of val together; as operating_point.json has them.

    Raises
    ------
    ChestlibError
        As :func:`said_together`.
    """
    return finding_points(_truth(runs[0], _of_one_kind(runs)), said_together(runs, "val", flip))


def _of_one_kind(runs: Sequence[Run]) -> tuple[str, ...]:
    """Give the findings of runs that are of the same data, parts and findings."""
    first = runs[0].require("detector")
    if len({run.path.resolve() for run in runs}) < len(runs):
        raise ChestlibError(f"{first.path}: a run is named twice; fuse it with others")
    names = first.settings(DetectorSettings).findings
    identity = {"identity": first.read("settings")["identity"]}
    for run in runs[1:]:
        run.require("detector").require_same(
            identity, f"fuse runs of the same data and parts: `chestlib train … --split-of {first.path}` makes one"
        )
        if (other := run.settings(DetectorSettings).findings) != names:
            raise ChestlibError(f"{run.path}: finds {', '.join(other)}; {first.path} finds {', '.join(names)}")
    return names


def _read(run: Run, name: str) -> Any:
    file = run.path / f"{name}.json"
    if not file.is_file():
        raise ChestlibError(f"{file}: no such file; the training is not finished, or of an older chestlib: train anew")
    return run.read(name)


def _found(run: Run, file: str, part: str, names: tuple[str, ...]) -> dict[str, Detections]:
    parts = _read(run, file)
    try:
        return {name: Detections.from_list(said, names) for name, said in parts[part].items()}
    except (AttributeError, ChestlibError, KeyError, TypeError) as error:
        raise _not_ours(run, file, error) from None


def truth_to_json(records: Sequence[Record]) -> list[dict[str, Any]]:
    """List file, boxes and their findings, and the findings that were looked for (None: all) of each image."""
    return [
        {
            "file": record.file_name,
            "boxes": record.boxes.tolist(),
            "findings": [record.names[i - 1] for i in record.labels],
            "looked_for": None if record.annotated is None else [record.names[i - 1] for i in sorted(record.annotated)],
        }
        for record in records
    ]


def _truth(run: Run, names: tuple[str, ...]) -> list[Record]:
    rows = _read(run, "truth")
    try:
        return [_record(row, names) for row in rows]
    except (ChestlibError, KeyError, TypeError, ValueError) as error:
        raise _not_ours(run, "truth", error) from None


def _record(row: dict[str, Any], names: tuple[str, ...]) -> Record:
    labels, looked = ([1 + names.index(name) for name in row[key] or ()] for key in ("findings", "looked_for"))
    annotated = None if row["looked_for"] is None else frozenset(looked)
    boxes = np.array(row["boxes"], np.float32)
    if not isinstance(row["file"], str):
        raise TypeError(f"file is {row['file']!r}")
    return Record(row["file"], boxes, np.array(labels, np.int64), names=names, annotated=annotated)


def _not_ours(run: Run, file: str, error: Exception) -> ChestlibError:
    return ChestlibError(f"{run.path / file}.json: not what a training writes ({error}); train again")
