"""A picture for each film with the boxes that reach their thresholds, drawn from what was written."""

from __future__ import annotations

import io
from collections.abc import Container, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from chestlib import devices
from chestlib.console import Progress
from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.files import write_atomically
from chestlib.findings import looks
from chestlib.prediction.ahead import ahead
from chestlib.prediction.answers import Prediction, picture, read_answers
from chestlib.viewer import drawn  # the one here that needs more than the core

SIDE = 1024
"""Longer side of an overlay at most, pixels."""


def draw_missing(
    out: Path, films: Container[str], thresholds: dict[str, float], progress: Progress | None = None
) -> list[str]:
    """Draw those of `films` that have an answer and no picture; a line for each that cannot be read any more."""
    total = sum(1 for _ in _missing(out, films))
    cores, errors = devices.cores(), []
    batches = ([said] for said in _missing(out, films))
    with closing(ahead(partial(_draw, out, thresholds), batches, cores, 2 * cores)) as drawings:
        for done, (error,) in enumerate(drawings, start=1):
            errors += [error] if error else []
            if progress:
                progress(done, total, "overlays")
    return errors


def _missing(out: Path, films: Container[str]) -> Iterator[Prediction]:
    for said in read_answers(out):
        if said.file in films and not said.error and not picture(out, said.file, said.number).exists():
            yield said


def _draw(out: Path, thresholds: dict[str, float], said: Prediction) -> str | None:
    """Draw one film; a line where it cannot be read any more."""
    shown = (said.detections or Detections.empty()).for_display(thresholds)
    names, colours = [shown.names[label - 1] for label in shown.labels], looks(shown.names)
    rows = zip(shown.boxes.tolist(), names, shown.scores, strict=True)
    boxes = [(box, f"{name} {score:.2f}", colours[name][0], False) for box, name, score in rows]
    buffer = io.BytesIO()
    try:
        drawn(said.file, boxes, SIDE).save(buffer, "PNG", compress_level=1)  # a third of the time of 6
    except ChestlibError as error:
        return str(error)
    write_atomically(picture(out, said.file, said.number), buffer.getvalue())
    return None
