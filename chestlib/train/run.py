"""A run is a folder; everything after training reads it, so no notebook needs the one before it to be open.

settings.json      kind, settings, data and its identity, versions, device
split.json         file names of the train, val and test part
checkpoints/       last.ckpt (all that resuming needs), best.safetensors (the weights to predict with)
metrics.csv        one line an epoch
predictions.json   what the best checkpoint says of val and test
operating_point.json   thresholds, chosen on val, and stage 2's map of scores, fitted there
mirrored.json      as predictions.json, of the films' mirror images; stage 2 alone
truth.json         boxes of val: thresholds of fused answers are chosen by them; stage 2 alone
test.json          the scores on test, used once; written last, so a run that has it is finished
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

import chestlib
from chestlib.data import DataFolder, Identity, Record, Split, annotations_digest, identify
from chestlib.errors import ChestlibError
from chestlib.files import first_process, read_json, write_json
from chestlib.metrics import Calibration
from chestlib.settings import ClassifierSettings, DetectorSettings, from_json, to_json

T = TypeVar("T")

SEARCHED = ("learning_rate", "weight_decay", "width", "dropout", "augment", "batch_size")
"""The settings of stage 1 that a study chooses."""

OLD = "chestlib 0.1.0"
"""What wrote a run, a study or a cache that does not say of what it is."""


def differences(was: Any, now: Mapping[str, Any]) -> str:
    """Say in words what settings.json, tuned.json or a study was of that is not so `now`; empty if all is.

    Compared is each key of `now`: identity and settings part by part, others, as the version of chestlib, as a whole.
    """
    if "identity" not in was:
        return f"unknown data ({OLD} did not note them)"
    found = []
    for key, value in now.items():
        before = was.get(key)
        if before == value:
            continue
        parts = before if isinstance(before, dict) else {}
        if key == "identity":
            found += Identity(**value).differing(parts)
        elif key == "settings":
            found.append(f"settings ({', '.join(sorted(name for name in value if parts.get(name) != value[name]))})")
        else:
            found.append(f"{key} ({before}, not {value})")
    return f"other {', '.join(found)}" if found else ""


class Run:
    """A run folder.

    Parameters
    ----------
    path : Path
        The folder; it need not exist yet.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        state = "finished" if self.finished else "unfinished" if self.settings_file.exists() else "empty"
        return f"Run({self.path.name!r}, {state})"

    @property
    def settings_file(self) -> Path:
        """The file that says what the run is."""
        return self.path / "settings.json"

    @property
    def last(self) -> Path:
        """The checkpoint to resume from."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def best(self) -> Path:
        """The weights to predict with."""
        return self.path / "checkpoints" / "best.safetensors"

    @property
    def finished(self) -> bool:
        """True once the scores on test are there; they are written last."""
        return (self.path / "test.json").is_file()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep a second training out, as long as this one goes on; the system frees the lock of a killed process.

        Raises
        ------
        ChestlibError
            If another process trains this run.
        """
        if not first_process():  # the processes of one training share it
            yield
            return
        folder = self.path.resolve()
        lock = FileLock(folder.with_name(f".{folder.name}.lock"))  # beside it: a refused training leaves no folder
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise ChestlibError(
                f"{self.path}: another process trains this run; wait for it, or name another folder"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def write(self, name: str, value: Any) -> None:
        """Write `name`.json, atomically."""
        write_json(self.path / f"{name}.json", value)

    def read(self, name: str) -> Any:
        """Read `name`.json."""
        self.require()
        return read_json(self.path / f"{name}.json")

    @property
    def cache(self) -> Path:
        """Where the image cache lies when nothing else is said: beside the run, since data may be read-only."""
        return self.path.parent / "cache"

    @property
    def tuned_file(self) -> Path:
        """What a study found for this folder."""
        return self.path / "tuned.json"

    def tuned(self, base: ClassifierSettings, identity: Identity) -> ClassifierSettings:
        """Return `base` with what a study found for this folder; `base` itself where there was none.

        Raises
        ------
        ChestlibError
            If the study was of other data or another chestlib.
        """
        file = self.tuned_file
        if not file.is_file():
            return base
        try:
            about = read_json(file)
            searched = {key: about["settings"][key] for key in SEARCHED}
        except (KeyError, TypeError):
            raise ChestlibError(f"{file}: not what `chestlib tune` writes; remove it and tune again") from None
        if differing := differences(about, {"identity": identity._asdict(), "chestlib": chestlib.__version__}):
            raise ChestlibError(f"{file}: tuned on {differing}; remove it and tune again, or name another folder")
        return from_json(ClassifierSettings, to_json(base) | searched, file)

    def require_same(
        self, now: Mapping[str, Any], remedy: str = "name another folder, or remove it to train anew"
    ) -> None:
        """Check that settings.json says the same of these keys: identity, settings, chestlib.

        Raises
        ------
        ChestlibError
            Saying what differs.
        """
        if differing := differences(self.read("settings"), now):
            raise ChestlibError(f"{self.path}: a run of {differing}; {remedy}")

    def settings(self, kind: type[T]) -> T:
        """Read the settings that the run was trained with.

        Raises
        ------
        ChestlibError
            If one is missing, unknown, or of a type or a size that no training has.
        """
        return from_json(kind, self.read("settings").get("settings"), self.settings_file)

    def thresholds(self, choose: Callable[[dict[str, Any]], list[Any]]) -> list[float]:
        """Take those that the run chose on val out of its operating point."""
        try:
            found = choose(self.read("operating_point"))
            if all(type(value) in (int, float) and abs(value) <= 2 for value in found):
                return found
        except (KeyError, TypeError):
            pass
        file = self.path / "operating_point.json"
        raise ChestlibError(f"{file}: lacks the thresholds that a training chooses; train again")

    def finding_thresholds(self) -> dict[str, float]:
        """Give a detector's threshold for each finding."""
        names = self.settings(DetectorSettings).findings
        found = self.thresholds(lambda point: [point["thresholds"][finding] for finding in names])
        return dict(zip(names, found, strict=True))

    def calibration(self) -> Calibration | None:
        """Give a detector's map of scores; None where none was fitted, as in runs of earlier versions."""
        point = self.read("operating_point")
        said = point.get("calibration") if isinstance(point, dict) else None
        try:
            return Calibration.from_json(said) if said is not None else None
        except ChestlibError as error:
            raise ChestlibError(f"{self.path / 'operating_point.json'}: {error}") from None

    def metrics(self) -> Any:
        """metrics.csv as a pandas DataFrame, one row an epoch."""
        import pandas as pd

        file = self.path / "metrics.csv"
        if not file.is_file():
            raise ChestlibError(f"{file}: no such file; train the run first")
        return pd.read_csv(file).groupby("epoch", as_index=False).first()

    def require(self, kind: str | None = None, checkpoint: bool = False) -> Run:
        """Return this run, after checking that it can be read.

        Raises
        ------
        ChestlibError
            If the folder is missing, is no run or one of version 0.1.0, is of another kind, or (asked for) has no
            checkpoint.
        """
        if not self.path.is_dir():
            raise ChestlibError(f"{self.path}: no such run folder; train one with `chestlib train`")
        if not self.settings_file.is_file():
            raise ChestlibError(f"{self.path}: not a run folder (settings.json is missing)")
        about = read_json(self.settings_file)
        if not isinstance(about, dict):
            raise ChestlibError(f"{self.settings_file}: not the settings of a run; train it again in another folder")
        if "identity" not in about:
            raise ChestlibError(
                f"{self.settings_file}: written by {OLD}, which did not say of which data; train in another folder"
            )
        if kind and (found := about.get("kind")) != kind:
            raise ChestlibError(f"{self.settings_file}: of a {found} run; expected a {kind} run")
        if checkpoint and not self.best.is_file():
            raise ChestlibError(f"{self.best}: no checkpoint; finish the training with `chestlib train … --resume`")
        return self


def scored_records(run: Run, truth: DataFolder | Sequence[Record]) -> list[Record]:
    """Find in a data folder, or in an annotation file's records, what a run was scored on, and check that it is that.

    Raises
    ------
    ChestlibError
        If the data, or the file's annotations of these images, are not those of the run.
    """
    about, parts = run.require().read("settings"), run.read("split")
    if isinstance(truth, DataFolder):
        split = Split.from_json(parts, truth.train, truth.test)
        of = {"identity": identify(split, run.cache)._asdict()}
        run.require_same(of, "it can be scored on its own data alone")
        return split.test
    names = set(parts["test"])
    records = [record for record in truth if record.file_name in names]
    if annotations_digest(records) != about["identity"].get("test"):
        raise ChestlibError(f"{run.path}: scored on other images or boxes than this truth has; take the run's own data")
    return records
