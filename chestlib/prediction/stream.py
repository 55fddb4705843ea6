"""From files to an output folder: films are decoded ahead of the models, and answers are written as they come."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from chestlib import devices
from chestlib.console import Progress
from chestlib.data import images
from chestlib.prediction.ahead import ahead
from chestlib.prediction.answers import Prediction, opened
from chestlib.prediction.model import Predictor
from chestlib.prediction.spread import spread


@dataclass(frozen=True)
class Summary:
    """How many films there were, how many of them have an answer now, and a line for each that has none.

    `doubts` has a line for each film just answered of which the model says that it may know nothing.
    """

    films: int
    answered: int
    errors: list[str]
    doubts: list[str] = field(default_factory=list)


def predict(
    paths: Sequence[Path],
    model: Predictor,
    out: Path,
    *,
    batch: int = 8,
    overlays: bool = False,
    dask: str | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Predict for files and folders, and write `about.json` and `predictions.jsonl` into `out`.

    Every answer is on disk once it is made. The same call goes on where it was stopped: films that have an answer and
    have not changed since are skipped, those with an error are tried again. Memory holds few films, and the names of
    all (some 200 MB a million).

    Parameters
    ----------
    paths : sequence of Path
        A file that cannot be read is kept as a line with its `error`; the others go on. If all are such files,
        nothing is written.
    batch : int
        Films that the models see at once.
    overlays : bool
        Draw a PNG for each film, also for those answered before; this takes longer than the models.
    dask : str, optional
        Spread the films over a Dask cluster: its scheduler's address, or a number of local workers.

    Raises
    ------
    ChestlibError
        If nothing is found, or `out` holds predictions of other models or is being written,
        or the cluster is not there.
    """
    if overlays:
        from chestlib.prediction.overlays import draw_missing  # before hours of work: it needs the extra `course`

    films = list(dict.fromkeys(os.fspath(path) for path in images.find(paths)))
    errors: list[str] = []
    doubts: list[str] = []
    with opened(Path(out), model.about(), films) as answers:
        done = len(films) - len(answers.open)
        slices = (films[at : at + batch] for at in range(0, len(films), batch))
        # As if none were skipped, so that a prediction that was stopped makes the batches of one that was not.
        batches = filter(None, ([film for film in part if film in answers.open] for part in slices))
        with closing(spread(model, batches, dask) if dask else _here(model, batches, batch)) as replies:
            for reply in replies:
                answers.add(reply)
                done += len(reply)
                errors += [said.error for said in reply if said.error]
                doubts += [f"{said.file}: {said.doubt}" for said in reply if said.doubt]
                if progress:
                    progress(done, len(films))
        answered = len(films) - len(errors)
        if overlays and answered:
            errors += draw_missing(Path(out), set(films), model.thresholds, progress)
    return Summary(len(films), answered, errors, doubts)


def ask(paths: Sequence[Path], model: Predictor, batch: int = 8) -> Iterator[Prediction]:
    """Predict for files and folders, one answer after the other; nothing is written.

    Raises
    ------
    ChestlibError
        If nothing is found.
    """
    films = list(dict.fromkeys(os.fspath(path) for path in images.find(paths)))
    for answers in _here(model, (films[at : at + batch] for at in range(0, len(films), batch)), batch):
        yield from answers


def _here(model: Predictor, batches: Iterable[list[str]], batch: int) -> Generator[list[Prediction], None, None]:
    """Answer batch by batch in this process."""
    cores = devices.cores()
    with closing(ahead(model.read, batches, cores, batch + 2 * cores)) as read:
        for films in read:
            yield model.answer(films)
