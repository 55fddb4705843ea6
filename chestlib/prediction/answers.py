"""The folder of a prediction: `about.json` says by which models, `predictions.jsonl` holds a line a film."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.files import plain, read_json, write_json
from chestlib.findings import FINDINGS
from chestlib.metrics import noted_thresholds

LINES, ABOUT = "predictions.jsonl", "about.json"


@dataclass(frozen=True, eq=False)
class Prediction:
    """What both stages say of one file; `error` tells why a file could not be read, and then nothing else counts.

    `detections` is None when stage 1 gated stage 2 (`cascade`), and empty once it was written. `doubt` tells why the
    answer may mean nothing, as of a photograph. `bytes` and `mtime_ns` are the file's when it was read; `number`,
    counted from 1, is the film's own in its output folder.
    """

    file: str
    width: int = 0
    height: int = 0
    disease_probability: float | None = None
    disease_present: bool | None = None
    detections: Detections | None = None
    error: str | None = None
    doubt: str = ""
    bytes: int = 0
    mtime_ns: int = 0
    number: int = 0

    def to_json(self) -> dict[str, Any]:
        """One line of `predictions.jsonl`, as an object."""
        return vars(self) | {"detections": self.detections.to_list() if self.detections is not None else []}

    @classmethod
    def from_json(cls, row: dict[str, Any], names: tuple[str, ...] = FINDINGS) -> Prediction:
        """From the object of :meth:`to_json`; `names` are the findings of the model."""
        found = None if row["error"] else Detections.from_list(row["detections"], names)
        return cls(**{**row, "detections": found})


def read_answers(out: Path) -> Iterator[Prediction]:
    """Read an output folder film by film, in the order of `predictions.jsonl`.

    Raises
    ------
    ChestlibError
        If there are no predictions, or a line is none.
    """
    path = Path(out) / LINES
    if not path.is_file():
        raise ChestlibError(f"{path}: no such file; `chestlib predict` writes it")
    names = tuple(noted_thresholds(Path(out))) or FINDINGS
    for number, (_, _, row) in enumerate(_rows(path), start=1):
        try:
            yield Prediction.from_json(row, names)
        except (ChestlibError, KeyError, TypeError) as error:
            raise ChestlibError(f"{path}: line {number} is no prediction ({error}); remove the line") from None


def _rows(path: Path) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Start, end and object of every whole line; a last one that was cut short is left out."""
    end = 0
    if not path.exists():
        return
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, start=1):
            start, end = end, end + len(line)
            if not line.endswith(b"\n"):
                return
            try:
                row = json.loads(line)
                if (type(row["file"]), type(row["number"]), "error" in row) != (str, int, True):
                    raise ValueError
            except (ValueError, TypeError, KeyError, RecursionError):
                raise ChestlibError(f"{path}: line {number} is no prediction; remove the line") from None
            yield start, end, row


class Answers:
    """The lines of an output folder, and which films have none yet.

    Parameters
    ----------
    out : Path
        The folder, held by nobody else.
    films : iterable of str
        The films that shall have an answer.
    """

    def __init__(self, out: Path, films: Iterable[str]) -> None:
        self.path = out / LINES
        self.open = dict.fromkeys(films, 0)
        """Films without an answer, in order, and their numbers."""
        last = whole = 0
        again: dict[int, str] = {}
        for start, end, row in _rows(self.path):
            last, whole = max(last, row["number"]), end
            if row["file"] not in self.open:
                continue
            if row["error"] or not _unchanged(row):
                self.open[row["file"]] = row["number"]
                again[start] = row["file"]
            else:
                del self.open[row["file"]]
        for film, number in self.open.items():
            if not number:
                self.open[film] = last = last + 1
        if again:
            self._leave_out(again)
        elif self.path.exists():
            os.truncate(self.path, whole)  # a last line that was cut short

    def _leave_out(self, again: dict[int, str]) -> None:
        """Write the file anew without these lines, given by where they start; pictures of them are out of date."""
        scratch = self.path.with_suffix(".part")
        try:
            with open(scratch, "wb") as kept, open(self.path, "rb") as lines:
                for start, end, _ in _rows(self.path):
                    line = lines.read(end - start)
                    if start not in again:
                        kept.write(line)
            for film in again.values():
                picture(self.path.parent, film, self.open[film]).unlink(missing_ok=True)
            os.replace(scratch, self.path)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error
        finally:
            scratch.unlink(missing_ok=True)

    def add(self, predictions: Sequence[Prediction]) -> None:
        """Append answers; on a full disk what was there stays whole."""
        rows = [said.to_json() | {"number": self.open[said.file]} for said in predictions]
        size = self.path.stat().st_size if self.path.exists() else 0
        try:
            with open(self.path, "ab") as file:
                file.write("".join(json.dumps(plain(row)) + "\n" for row in rows).encode())
        except OSError as error:
            with suppress(OSError):
                os.truncate(self.path, size)
            raise OSError(error.errno, error.strerror, str(self.path)) from error


@contextmanager
def opened(out: Path, about: dict[str, Any], films: Iterable[str]) -> Iterator[Answers]:
    """Open an output folder for writing, alone; a new one without a single answer in the end is taken away again.

    Raises
    ------
    ChestlibError
        If the folder holds predictions of other models or of chestlib 0.1.0, or another prediction writes into it.
    """
    if (out / "predictions.json").exists():
        raise ChestlibError(f"{out}: holds a predictions.json, of chestlib 0.1.0 or of a run; name another folder")
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / ".predictions.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ChestlibError(f"{out}: another prediction writes into it; name another folder") from None
    answers = None
    try:
        _same(out, plain(about))
        answers = Answers(out, films)
        yield answers
    finally:
        if answers and all(row["error"] for _, _, row in _rows(answers.path)):
            (out / LINES).unlink(missing_ok=True)
            (out / ABOUT).unlink(missing_ok=True)
        if not (out / LINES).exists():
            with suppress(OSError):  # what somebody else put there stays, and so does the folder
                Path(lock.lock_file).unlink()
                for folder in made:
                    folder.rmdir()
        lock.release()


def _same(out: Path, about: dict[str, Any]) -> None:
    """Note the models in a new folder, or find the same ones noted."""
    file = out / ABOUT
    if not file.exists() and not (out / LINES).exists():
        write_json(file, about)
        return
    noted = read_json(file) if file.exists() else None
    if not isinstance(noted, dict) or not same_models(noted, about):
        raise ChestlibError(f"{out}: holds predictions of other models; name another folder")


def same_models(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Tell whether two `about` mean the same answers; where the runs lie does not matter."""
    keys = ("chestlib", "weights_sha256", "disease_threshold", "finding_thresholds", "cascade", "flip")
    return [one.get(key) for key in keys] == [other.get(key) for key in keys]


def _unchanged(row: dict[str, Any]) -> bool:
    try:
        now = os.stat(row["file"])
    except OSError:
        return False
    return (now.st_size, now.st_mtime_ns) == (row.get("bytes"), row.get("mtime_ns"))


def picture(out: Path, film: str, number: int) -> Path:
    """Name a film's overlay; the number keeps files of one name from several folders apart."""
    return out / f"{number:04d}-{Path(film).stem}.png"
