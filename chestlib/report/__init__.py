"""Run the notebooks and write one HTML page that holds everything: no server, no kernel, no network."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from chestlib import course, devices, settings, train
from chestlib.console import Progress, duration
from chestlib.data import PHANTOM, DataFolder, open_data
from chestlib.errors import ChestlibError
from chestlib.files import write_atomically
from chestlib.report import facts, paper
from chestlib.report.chapter import Chapter, render
from chestlib.report.execute import Executed, execute, finished, run
from chestlib.report.kept import kept
from chestlib.report.markup import Place, anchor, file_uri
from chestlib.report.pages import Pages
from chestlib.train import Run

__all__ = ["ReportResult", "build", "run"]

EMBED = "24x704"
"""Pictures x pixels that a viewer carries into the page."""

KERNELS = {"CHESTLIB_EMBED": EMBED, course.recorded.TRAIN: "1"}
"""What every kernel of a report is told: to carry pictures, and to train what is not there."""

RESULTS_FROM = 3
"""The first chapter in which results stand; the chapters before it describe data."""


class ReportResult(NamedTuple):
    """What became of a report; `failed` has a line for each notebook that stopped: its name, the cell, the error."""

    page: Path
    chapters: int
    failed: tuple[str, ...]
    seconds: float
    pdf: Path | None = None

    def __str__(self) -> str:
        size = self.page.stat().st_size / 1e6
        lines = [f"{self.page}: {self.chapters} chapters, {size:.1f} MB, {duration(self.seconds)}"]
        if self.pdf:
            lines.append(f"{self.pdf}: {self.pdf.stat().st_size / 1e6:.1f} MB")
        return "\n".join([*lines, *self.failed])


def build(
    notebooks: Sequence[Path],
    out: Path,
    *,
    data: Path | None,
    profile: str,
    progress: Progress | None = None,
    split: bool = False,
    pdf: bool = False,
    as_is: bool = False,
) -> ReportResult:
    """Execute `notebooks` in order and write `out`/index.html.

    Executed copies lie in `out`/.executed; after a kill the next call goes on at the notebook it was in.

    Parameters
    ----------
    data : Path, optional
        The data folder, handed to the notebooks as CHESTLIB_DATA; default: that variable, else the profile's phantom.
    profile : str
        `quick`, `laptop` or `full`, handed on as CHESTLIB_PROFILE.
    progress : callable, optional
        Called with cells done, cells in all, and a note that names the notebook and its cell.
    split : bool
        One page a chapter, `out`/ch-*.html; index.html leads to them.
    pdf : bool
        Print all chapters to `out`/report.pdf, too, through Chromium.
    as_is : bool
        Run nothing: take the outputs that the last report left in `out`, else those that the notebooks carry.

    Raises
    ------
    ChestlibError
        If there is no notebook, one cannot be read, the data folder holds no data set, `out` cannot be written, or
        there is no browser to print with. A notebook that fails is no exception: see :class:`ReportResult`.
    """
    start = time.monotonic()
    _require_names(notebooks)
    browser = paper.browser() if pdf else None
    chosen = settings.profile(profile)
    environment = {"CHESTLIB_PROFILE": profile, "CHESTLIB_DATA": "", **KERNELS}
    if data is None and os.environ.get("CHESTLIB_DATA"):
        data = Path(os.environ["CHESTLIB_DATA"])
    own = open_data(data) if data is not None else None  # a wrong folder is told now, not after the first training
    if data is not None:
        environment["CHESTLIB_DATA"] = str(Path(data).resolve())
    copies = Path(out) / ".executed"
    if as_is:
        executed = list(kept(notebooks, copies))
    else:
        state = course.run_folder(own, chosen).name if own else ""
        executed = list(execute(notebooks, copies, environment, state, progress, _done(own, profile)))
    chapters = _chapters(executed)
    told = _facts(own, profile, sum(chapter.seconds for chapter in chapters), as_is)
    page = Pages(chapters, told, split).write(Path(out))
    failed = tuple(f"{each.path}: {each}" for each in executed if each.failure)
    if not failed and not as_is:
        finished(copies).touch()
    printed = _print(Pages(chapters, told, live=False), Path(out), browser) if browser else None
    return ReportResult(page, len(chapters), failed, time.monotonic() - start, printed)


def _chapters(executed: Sequence[Executed]) -> list[Chapter]:
    names = frozenset(each.path.stem for each in executed)
    return [
        render(each, Place(each.path.resolve().parent, each.path.stem, names), i)
        for i, each in enumerate(executed, start=1)
    ]


def _require_names(notebooks: Sequence[Path]) -> None:
    """Refuse no notebooks, and two whose places in the page would bear one name."""
    if not notebooks:
        raise ChestlibError("no notebooks to report on; run this in the project's folder")
    seen: dict[str, Path] = {}
    for path in notebooks:
        if (other := seen.setdefault(anchor(path.stem), path)) is not path:
            raise ChestlibError(f"{path}: in a report it cannot be told from {other.name}; rename one of them")


def _print(pages: Pages, folder: Path, browser: Path) -> Path:
    """Print all chapters."""
    page = folder / "report-to-print.html"
    try:
        write_atomically(page, pages.text())
        return paper.printed(page, folder / "report.pdf", browser)
    finally:
        page.unlink(missing_ok=True)


def _learnt_from(own: DataFolder | None, profile: str) -> DataFolder | None:
    """Open what the models learn from: the reader's data if they suffice, else the phantom if it is drawn."""
    if own is not None and not course.lacking(own):
        return own
    phantom = course.data_folder() / f"phantom-{profile}"
    return open_data(phantom) if (phantom / PHANTOM).is_file() else None


def _runs(learnt: DataFolder | None, profile: str) -> list[Run]:
    return facts.finished_runs(course.run_folder(learnt, settings.profile(profile))) if learnt else []


def _done(own: DataFolder | None, profile: str) -> set[str]:
    """List what no cell has to do again: the trainings of the data that the models learn from, the phantom."""
    learnt = _learnt_from(own, profile)
    done = {run.path.name for run in _runs(learnt, profile)} | ({"phantom"} if learnt else set())
    return done | {"study"} if "classifier" in done else done


def _facts(own: DataFolder | None, profile: str, seconds: float, as_is: bool) -> dict[str, Any]:
    """Collect what the title page tells."""
    learnt = _learnt_from(own, profile)
    own = own or learnt
    runs = _runs(learnt, profile)
    abouts = [run.read("settings") for run in runs]
    figure = course.home() / "figures" / "pipeline.png"
    return {
        "card": facts.data_card(own) if own else None,
        "stages": facts.headline(runs),
        "abouts": abouts,
        "trained_synthetic": any(about["data"]["synthetic"] for about in abouts),
        "profile": profile,
        "device": abouts[0]["device"] if abouts else devices.name(),
        "seeds": sorted({about["settings"]["seed"] for about in abouts}),
        "versions": abouts[0]["versions"] if abouts else train.versions(),
        "date": datetime.now().astimezone(),
        "seconds": seconds,
        "as_is": as_is,
        "figure": file_uri(figure) if figure.is_file() else None,
        "results_from": RESULTS_FROM,
    }
