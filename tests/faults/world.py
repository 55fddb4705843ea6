"""A place where every long command can run: data, notebooks, a server, and what each leaves when it is left alone."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import inputs
import nbformat
import optuna
import toys
from commands import Ended, run

from chestlib.data import open_data
from chestlib.errors import ChestlibError
from chestlib.train import Run
from chestlib.train.load import load_checkpoint, read_weights
from chestlib.train.storage import open_storage
from chestlib.train.study import FINISHED


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server of a folder's files."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def files(folder: Path) -> dict[str, str] | None:
    """Every visible file but the cache's and its digest, if the folder passes for a data set; None if not."""
    try:
        open_data(folder)
    except ChestlibError:
        return None
    found = sorted(p for p in folder.rglob("*") if p.is_file() and p.relative_to(folder).parts[0] != "cache")
    found = [p for p in found if not p.relative_to(folder).parts[0].startswith(".")]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in found}


def trials(folder: Path) -> list[tuple[Any, ...]]:
    """Those of the study that ended, in order: settings, figures, state."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = open_storage(folder / "run" / "study.log")
    return [
        (trial.params, trial.value, trial.intermediate_values, trial.state)
        for study in storage.get_all_studies()
        for trial in storage.get_all_trials(study._study_id, deepcopy=False, states=FINISHED)
    ]


def tuned(folder: Path) -> tuple[Any, ...] | None:
    file = folder / "run" / "tuned.json"
    return (json.loads(file.read_text()), trials(folder)) if file.exists() else None


def scores(folder: Path) -> dict[str, Any] | None:
    """All figures of a run, if it is finished."""
    own = Run(folder / "run")
    for checkpoint, read in ((own.last, load_checkpoint), (own.best, read_weights)):
        if checkpoint.exists():
            read(checkpoint)
    for file in own.path.glob("*.json"):
        json.loads(file.read_text())
    if not own.finished:
        return None
    parts = {name: own.read(name) for name in ("test", "predictions", "operating_point", "split")}
    del parts["test"]["seconds_training"]
    return {**parts, "epochs": own.metrics().to_csv()}


def answers(folder: Path) -> list[dict[str, Any]] | None:
    """What a prediction says of the test films, once it says something of all."""
    file = folder / "out" / "predictions.jsonl"
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    rows = [json.loads(line) for line in lines if line.endswith("\n")]
    for row in rows:
        del row["mtime_ns"]
    return rows if len(rows) == toys.TEST else None


def page(folder: Path) -> str | None:
    """The report, if it is there, without dates and durations."""
    file = folder / "out" / "index.html"
    if not file.exists():
        return None
    text = file.read_text()
    assert text.rstrip().endswith("</html>")
    return re.sub(r"<time.*?</time>|\d+ (min|s)\b|\d{4}-\d\d-\d\d\S*( \d\d:\d\d)?", "", text)


@dataclass(frozen=True)
class Command:
    """A command that takes long enough to be killed: what it reads, and what it leaves once it is whole."""

    name: str
    args: tuple[str, ...]
    result: Callable[[Path], Any]
    again: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """Commands whose undisturbed results it reads."""


COMMANDS = [
    Command("fetch", ("fetch", "out", "--source", "official"), lambda folder: files(folder / "out")),
    Command(
        "phantom",
        ("phantom", "out", "--train", "5", "--test", "3", "--size", "64", "--workers", "1"),
        lambda folder: files(folder / "out"),
    ),
    Command("tune", ("tune", "data", "--run", "run"), tuned),
    Command("train classifier", ("train", "classifier", "data", "--run", "run"), scores, ("--resume",)),
    Command("train detector", ("train", "detector", "data", "--run", "run"), scores, ("--resume",)),
    Command(
        "predict",
        (
            "predict",
            "data/test_data",
            "--classifier",
            "{base}/train classifier-alone/run",
            "--detector",
            "{base}/train detector-alone/run",
            "--out",
            "out",
        ),
        answers,
        needs=("train classifier", "train detector"),
    ),
    Command("report", ("report", "--data", "data", "--out", "out"), page),
]


class World:
    """A data set, two notebooks and a server; and the undisturbed result of each command, got once."""

    def __init__(self, base: Path, address: str) -> None:
        self.base = base
        self.mirror = {**inputs.served(base / "served", 12, 4), "repository": f"{address}/served"}
        self.mirror["archives"] = [self.mirror["repository"]]
        toys.data_set(base / "data")
        (base / "notebooks").mkdir()
        for name in ("01_a", "02_b"):
            cells = [nbformat.v4.new_markdown_cell(f"# {name}\n\nA text."), nbformat.v4.new_code_cell("1 + 1")]
            nbformat.write(nbformat.v4.new_notebook(cells=cells), base / "notebooks" / f"{name}.ipynb")
        self.whole: dict[str, tuple[Any, float]] = {}

    def folder(self, name: str) -> Path:
        """A new folder with data and notebooks in it."""
        folder = self.base / name
        for part in ("data", "notebooks"):
            shutil.copytree(self.base / part, folder / part, copy_function=os.link)
        return folder

    def run(self, command: Command, folder: Path, again: bool = False, kill_after: float | None = None) -> Ended:
        for other in COMMANDS:
            if other.name in command.needs:
                self.undisturbed(other)
        args = [arg.format(base=self.base) for arg in (*command.args, *(command.again if again else ()))]
        home = {"CHESTLIB_HOME": str(folder)}
        return run(args, folder, kill_after=kill_after, mirror=self.mirror, variables=home)

    def undisturbed(self, command: Command) -> tuple[Any, float]:
        """What the command leaves, and the seconds it takes."""
        if command.name not in self.whole:
            run(["--help"], self.base)  # the first command waits for the imports
            folder, start = self.folder(f"{command.name}-alone"), time.monotonic()
            ended = self.run(command, folder)
            assert ended.status == 0, ended.err
            self.whole[command.name] = (command.result(folder), time.monotonic() - start)
            assert self.whole[command.name][0] is not None
        return self.whole[command.name]
