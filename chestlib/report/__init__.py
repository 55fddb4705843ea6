"""Run the notebooks and write one HTML page that holds everything: no server, no kernel, no network.

The page's Content-Security-Policy allows nothing to be loaded, and only those scripts to run whose hash it names.
"""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from chestlib import course, devices, settings, train
from chestlib.console import Progress, duration
from chestlib.data import PHANTOM, DataFolder, open_data
from chestlib.errors import ChestlibError
from chestlib.files import write_atomically
from chestlib.report import facts
from chestlib.report.chapter import QUIZ, VIEWER, Chapter, render
from chestlib.report.execute import execute, finished, run
from chestlib.report.markup import Place, file_uri
from chestlib.train import Run
from chestlib.viewer import static

__all__ = ["ReportResult", "build", "run"]

ASSETS = Path(__file__).parent
EMBED = "24x704"
"""Pictures x pixels that a viewer carries into the page."""

RESULTS_FROM = 3
"""The first chapter in which results stand; the chapters before it describe data."""


class ReportResult(NamedTuple):
    """What became of a report; `failed` has a line for each notebook that stopped: its name, the cell, the error."""

    page: Path
    chapters: int
    failed: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        size = self.page.stat().st_size / 1e6
        return "\n".join(
            [f"{self.page}: {self.chapters} chapters, {size:.1f} MB, {duration(self.seconds)}", *self.failed]
        )


def build(
    notebooks: Sequence[Path], out: Path, *, data: Path | None, profile: str, progress: Progress | None = None
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

    Raises
    ------
    ChestlibError
        If there is no notebook, one cannot be read, the data folder holds no data set, or `out` cannot be written.
        A notebook that fails while it runs is no exception: see :class:`ReportResult`.
    """
    start = time.monotonic()
    if not notebooks:
        raise ChestlibError("no notebooks to report on; run this in the project's folder")
    chosen = settings.profile(profile)
    environment = {"CHESTLIB_PROFILE": profile, "CHESTLIB_DATA": "", "CHESTLIB_EMBED": EMBED}
    if data is None and os.environ.get("CHESTLIB_DATA"):
        data = Path(os.environ["CHESTLIB_DATA"])
    own = open_data(data) if data is not None else None  # a wrong folder is told now, not after the first training
    if data is not None:
        environment["CHESTLIB_DATA"] = str(Path(data).resolve())
    copies = Path(out) / ".executed"
    state = course.run_folder(own, chosen).name if own else ""
    executed = list(execute(notebooks, copies, environment, state, progress, _done(own, profile)))
    names = frozenset(path.stem for path in notebooks)
    chapters = [
        render(each, Place(each.path.resolve().parent, each.path.stem, names), i)
        for i, each in enumerate(executed, start=1)
    ]
    page = Path(out) / "index.html"
    write_atomically(page, _page(chapters, own, profile))
    failed = tuple(f"{each.path}: {each}" for each in executed if each.failure)
    if not failed:
        finished(copies).touch()
    return ReportResult(page, len(chapters), failed, time.monotonic() - start)


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


def _page(chapters: list[Chapter], own: DataFolder | None, profile: str) -> str:
    learnt = _learnt_from(own, profile)
    own = own or learnt
    runs = _runs(learnt, profile)
    abouts = [run.read("settings") for run in runs]
    figure = course.home() / "figures" / "pipeline.png"
    scripts = [(ASSETS / "report.js").read_text(encoding="utf-8")]
    if any(VIEWER in chapter.body for chapter in chapters):
        scripts.append(static.script())  # once, however many viewers there are
    if any(QUIZ in chapter.body for chapter in chapters):
        scripts.append(course.quiz_script())
    environment = Environment(loader=FileSystemLoader(ASSETS), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"duration": duration, "count": lambda n: f"{n:,}" if isinstance(n, int) else n}
    return environment.get_template("page.html").render(
        chapters=chapters,
        card=facts.data_card(own) if own else None,
        stages=facts.headline(runs),
        abouts=abouts,
        trained_synthetic=any(about["data"]["synthetic"] for about in abouts),
        profile=profile,
        device=abouts[0]["device"] if abouts else devices.name(),
        seeds=sorted({about["settings"]["seed"] for about in abouts}),
        versions=abouts[0]["versions"] if abouts else train.versions(),
        date=datetime.now().astimezone(),
        seconds=sum(chapter.seconds for chapter in chapters),
        figure=file_uri(figure) if figure.is_file() else None,
        results_from=RESULTS_FROM,
        style=Markup((ASSETS / "report.css").read_text(encoding="utf-8")),
        scripts=[Markup(script) for script in scripts],
        policy=policy(scripts),
    )


def policy(scripts: Sequence[str]) -> str:
    """Write the Content-Security-Policy under which these inline scripts alone run, and nothing is loaded."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    return (
        f"default-src 'none'; script-src {hashes} blob:; style-src 'unsafe-inline'; img-src data: blob:; "
        "font-src data:; base-uri 'none'; form-action 'none'"
    )
