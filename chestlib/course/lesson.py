"""What every notebook of the course begins with: the data, the profile, and the runs, trained when they are missing."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chestlib
from chestlib import devices, settings
from chestlib.console import Progress, in_a_line, relay
from chestlib.course import expected, recorded
from chestlib.data import DataFolder, annotations_digest, digest, identify, open_data, splits
from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS

if TYPE_CHECKING:
    from chestlib.data import Split
    from chestlib.train import Run

DISK = "free space, or set CHESTLIB_HOME to another folder"


def home() -> Path:
    """Return the project's folder: CHESTLIB_HOME, else the nearest upwards that holds notebooks/, else this one."""
    if value := os.environ.get("CHESTLIB_HOME"):
        return Path(value)
    here = Path.cwd()
    return next((place for place in (here, *here.parents) if (place / "notebooks").is_dir()), here)


def data_folder() -> Path:
    """Return where data is drawn or downloaded to."""
    return home() / "data"


def runs_folder() -> Path:
    """Return where runs are written to."""
    return home() / "runs"


def notebooks() -> list[Path]:
    """List the chapters, in order.

    Raises
    ------
    ChestlibError
        If there are none.
    """
    found = sorted((home() / "notebooks").glob("[0-9][0-9]*_*.ipynb"))
    if not found:
        raise ChestlibError(f"{home() / 'notebooks'}: no notebooks here; run this in the project's folder")
    return found


@dataclass(frozen=True, eq=False)
class Course:
    """The data and the profile that a notebook works with.

    `data` is what the reader gave (CHESTLIB_DATA), or the phantom of the profile. `trained_on` is the data that the
    models learn from: the same, unless too few of its images are present, then the phantom, and `notice` says so.
    """

    data: DataFolder
    trained_on: DataFolder
    profile: settings.Profile
    notice: str = ""

    def __repr__(self) -> str:
        lines = [
            f"data:     {self.data.root.name}{' (synthetic)' if self.data.synthetic else ''}",
            f"models:   trained on {self.trained_on.root.name}{' (synthetic)' if self.trained_on.synthetic else ''}",
            f"profile:  {self.profile.name}",
            f"python {platform.python_version()}",
        ]
        return "\n".join([*lines, self.notice]).strip()

    @property
    def split(self) -> Split:
        """The split that the models are trained, tuned and tested on."""
        return splits.default(self.trained_on.train, self.trained_on.test)

    @property
    def cache(self) -> Path:
        """Folder of the image cache."""
        return data_folder() / "cache"

    @cached_property
    def folder(self) -> Path:
        """Where the runs of this data and profile lie."""
        return run_folder(self.trained_on, self.profile)

    @cached_property
    def figures(self) -> Path:
        """Where the notebooks save their figures."""
        own = self.folder if self.data is self.trained_on else run_folder(self.data, self.profile)
        return own / "figures"

    def claim(self, text: str, holds: bool, figure: str = "") -> None:
        """Tell whether something learned holds, such as "the loss falls".

        On the data that the chapters were written on, the phantom of the quick profile, it must.

        Raises
        ------
        AssertionError
            If it does not hold there.
        """
        told = f"{text} ({figure})" if figure else text
        if holds:
            print(f"holds: {text}")
        elif self._written_on:
            raise AssertionError(f"does not hold: {told}")
        else:
            print(f"not so here: {told}")

    def expect(self, name: str, value: float) -> None:
        """Compare a learned figure with the one that was recorded, within what seeds and processors change.

        On the data that the chapters were written on, the phantom of the quick profile; on others it is told only,
        and so it is where a recorded run is shown, which would be compared with itself. The line printed there names
        what was recorded, so it is the same wherever it holds. The recorded figures stand in notebooks/expected.json;
        see :mod:`chestlib.course.expected`.

        Raises
        ------
        AssertionError
            If the figure is further off than its tolerance.
        ChestlibError
            If the name is unknown there, or the value no number.
        """
        if self._shown:
            print(f"recorded, not checked: {name} = {expected.number(name, value):.3f}")
        elif self._written_on:
            print(expected.compared(home() / "notebooks" / "expected.json", name, expected.number(name, value)))
        else:
            print(f"not recorded here: {name} = {'undefined' if value is None else format(value, '.3f')}")

    @property
    def _written_on(self) -> bool:
        """Whether these are the data and the profile that the chapters were written on."""
        own = (data_folder() / "phantom-quick").resolve()
        return self.profile.name == "quick" and self.data.root.resolve() == own

    def run(self, kind: str) -> Run:
        """Return the run folder of `classifier` or `detector` for this data and profile."""
        from chestlib.train import Run

        return Run(self.folder / kind)

    @in_a_line(DISK)
    def study(self, train: bool = False) -> Any:
        """Stage 1's study: the one here, carried out first if it is not complete, else the recorded one.

        Parameters
        ----------
        train : bool
            Carry it out here, though there is a recorded one; see :mod:`chestlib.course.recorded`.
        """
        from chestlib.train import tune

        run = self._recorded("classifier", train, "study") or self.run("classifier")
        with self._alone("classifier"), relay("study", "tuning") as tell:
            return tune(
                self.trained_on, run, self.profile.classifier, self.profile.tune, split=self.split,
                cache=self.cache, progress=tell, processes=None,
            )  # fmt: skip

    @in_a_line(DISK)
    def classifier(self, train: bool = False) -> Run:
        """Stage 1's run: the one here, tuned and trained to its end, else the recorded one; `train` as in `study`."""
        return self._recorded("classifier", train) or self._finished("classifier")

    @in_a_line(DISK)
    def detector(self, train: bool = False) -> Run:
        """Stage 2's run: the one here, trained to its end, else the recorded one; `train` as in `study`."""
        return self._recorded("detector", train) or self._finished("detector")

    def _recorded(self, kind: str, train: bool, call: str = "") -> Run | None:
        """Open the recorded run, and say so, unless one was begun here or training is asked for."""
        from chestlib.train import Run

        file = home() / "notebooks" / "recorded.zip"
        if train or not recorded.wanted() or self.run(kind).path.exists() or not file.is_file():
            self._shown.discard(kind)
            return None
        try:
            place = recorded.opened(self, file)
        except recorded.Unusable as error:
            print(error)
            return None
        run = Run(place / kind)
        print(recorded.told(run, call or kind))
        self._shown.add(kind)
        return run

    @cached_property
    def _shown(self) -> set[str]:
        """The kinds of recorded runs that were shown."""
        return set()

    def _finished(self, kind: str) -> Run:
        from chestlib.train import train_stage

        with self._alone(kind):
            run = self.run(kind)
            chosen: Any = getattr(self.profile, kind)
            if kind == "classifier":
                if not run.finished:
                    self.study(train=True)
                chosen = run.tuned(chosen, identify(self.split, self.cache))
            with relay(kind, f"training {kind}") as tell:
                return train_stage(
                    self.trained_on, run, chosen, split=self.split, resamples=self.profile.resamples,
                    cache=self.cache, resume=True, progress=tell,
                )  # fmt: skip

    def _alone(self, kind: str) -> Any:
        """Two notebooks that want one run wait for each other."""
        from filelock import FileLock

        self.folder.mkdir(parents=True, exist_ok=True)
        # Not the lock of the run itself, which refuses where this one waits. Re-entrant: training includes the study.
        return FileLock(self.folder / f".{kind}.waiting.lock", is_singleton=True)


@in_a_line(DISK)
def begin(data: str | Path | None = None, profile: str | None = None) -> Course:
    """Open the data and the profile of a notebook.

    Parameters
    ----------
    data : path, optional
        Default: the folder in CHESTLIB_DATA, else the profile's phantom, which is drawn first if it is not there.
    profile : str, optional
        Default: CHESTLIB_PROFILE, else `quick`.

    Raises
    ------
    ChestlibError
        If the folder is no data set or the profile is unknown.
    """
    chosen = settings.profile(profile or os.environ.get("CHESTLIB_PROFILE") or "quick")
    given = data or os.environ.get("CHESTLIB_DATA")
    if not given:
        own = phantom(chosen)
        return Course(own, own, chosen)
    theirs = open_data(_resolve(Path(given)))
    if theirs.findings != FINDINGS:
        raise ChestlibError(f"{given}: the chapters are about the ten findings; `chestlib train` learns your own")
    if not (lack := lacking(theirs)):
        return Course(theirs, theirs, chosen)
    return Course(theirs, phantom(chosen), chosen, f"{lack}. Until then the models learn from the phantom")


def run_folder(data: DataFolder, profile: settings.Profile) -> Path:
    """Name the folder for the runs of this data and profile: a readable name, and a digest of all they depend on.

    So neither another data set of this name, nor a box that was edited, nor a profile that has changed finds old runs.
    """
    name = data.root.resolve().name
    name = name if name.endswith(f"-{profile.name}") else f"{name}-{profile.name}"
    with relay("images", "looking at the images") as tell:
        identity = identify(splits.default(data.train, data.test), data_folder() / "cache", tell)
    listed = annotations_digest(data.records)  # films that are missing are explored too
    told = digest([identity, listed, chestlib.__version__, settings.to_json(profile)])
    return runs_folder() / f"{name}-{told[:8]}"


def lacking(data: DataFolder) -> str:
    """Say what the data lack for models to learn from them; nothing if they are enough."""
    try:
        split, missing = splits.default(data.train, data.test), data.missing
        splits.require_trainable(split, data.root.name, least=splits.SMALLEST, missing=missing)
    except splits.TooSmall as error:
        return str(error)
    return ""


def _resolve(folder: Path) -> Path:
    """Take a relative folder as one of the project's, wherever the notebook runs."""
    return folder if folder.is_absolute() or folder.exists() else home() / folder


def phantom(profile: settings.Profile, progress: Progress | None = None) -> DataFolder:
    """Open the phantom of a profile; draw it first if it is not there."""
    from filelock import FileLock

    from chestlib import phantom as package

    folder = data_folder() / f"phantom-{profile.name}"
    data_folder().mkdir(parents=True, exist_ok=True)
    train, test = profile.phantom
    with FileLock(data_folder() / f".{folder.name}.lock"), relay("phantom", "drawing the phantom") as tell:
        package.write(folder, train, test, workers=devices.cores(), progress=progress or tell)
    return open_data(folder)
