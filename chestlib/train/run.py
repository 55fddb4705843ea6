"""A run is a folder; everything after training reads it, so no notebook needs the one before it to be open.

settings.json      kind, settings, data, versions, device
split.json         file names of the train, val and test part
checkpoints/       last.ckpt (all that resuming needs), best.safetensors (the weights to predict with)
metrics.csv        one line an epoch
predictions.json   what the best checkpoint says of val and test
operating_point.json   thresholds, chosen on val
test.json          the scores on test, used once; written last, so a run that has it is finished
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from chestlib.errors import ChestlibError
from chestlib.files import first_process, read_json, write_json
from chestlib.settings import ClassifierSettings, from_json, to_json

T = TypeVar("T")

SEARCHED = ("learning_rate", "weight_decay", "width", "dropout", "augment", "batch_size")
"""The settings of stage 1 that a study chooses."""


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

    def refuse_old(self) -> None:
        """Raise a ChestlibError for a run of version 0.1.0, whose files are no longer read."""
        if (old := self.best.with_suffix(".ckpt")).is_file():
            raise ChestlibError(f"{old}: written by chestlib 0.1.0; leave it and train again in another folder")

    def write(self, name: str, value: Any) -> None:
        """Write `name`.json, atomically."""
        write_json(self.path / f"{name}.json", value)

    def read(self, name: str) -> Any:
        """Read `name`.json."""
        self.require()
        return read_json(self.path / f"{name}.json")

    def tuned(self, base: ClassifierSettings) -> ClassifierSettings:
        """Return `base` with what a study found for this folder; `base` itself where there was none."""
        file = self.path / "tuned.json"
        if not file.is_file():
            return base
        try:
            found = read_json(file)["settings"]
            searched = {key: found[key] for key in SEARCHED}
        except (KeyError, TypeError):
            raise ChestlibError(f"{file}: not what `chestlib tune` writes; remove it and tune again") from None
        return from_json(ClassifierSettings, to_json(base) | searched, file)

    def settings(self, kind: type[T]) -> T:
        """Read the settings that the run was trained with.

        Raises
        ------
        ChestlibError
            If one is missing, unknown, or of a type or a size that no training has.
        """
        return from_json(kind, self.read("settings").get("settings"), self.settings_file)

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
        self.refuse_old()
        about = read_json(self.settings_file)
        if not isinstance(about, dict):
            raise ChestlibError(f"{self.settings_file}: not the settings of a run; train it again in another folder")
        if kind and (found := about.get("kind")) != kind:
            raise ChestlibError(f"{self.settings_file}: of a {found} run; expected a {kind} run")
        if checkpoint and not self.best.is_file():
            raise ChestlibError(f"{self.best}: no checkpoint; finish the training with `chestlib train … --resume`")
        return self
