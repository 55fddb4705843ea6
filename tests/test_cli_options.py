"""Every option of every command reaches the package, and a command that found faults ends as one that did."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name
from typing import Any
from unittest.mock import MagicMock

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from chestlib import cli, course, prediction, report, settings
from chestlib.course import environment
from chestlib.data import DataFolder
from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS
from chestlib.train import Run
from chestlib.viewer import BoxViewer

FULL = settings.FULL
OWN = (*FINDINGS, "Scar")
TYPED = ["--findings", "own.txt", "--others", "drop", "--map", "Infiltrate=Mass, b=Scar", "--map", "c=Mass"]
TYPED += ["--frame", "9"]
OPENED = {"findings": OWN, "others": "drop", "mapping": {"Infiltrate": "Mass", "b": "Scar", "c": "Mass"}, "frame": 9}
RUNS = ["film.png", "--classifier", "classifier", "--detector", "detector", "--out", "out"]

CALLS: list[tuple[str, list[str], list[str], dict[str, Any]]] = [
    ("phantom", ["out", "--train", "3", "--test", "2", "--size", "64", "--seed", "7", "--workers", "1"],
     ["phantom.write"], {"out": Path("out"), "train": 3, "test": 2, "size": 64, "seed": 7, "workers": 1}),
    ("fetch", ["out", "--source", "official", "--annotations-only"],
     ["data.fetch"], {"source": "official", "annotations_only": True}),
    ("convert", ["source", "out", "--to", "yolo", *TYPED],
     ["data.convert"],
     {"source": Path("source"), "out": Path("out"), "to": "yolo", **OPENED}),
    ("check", ["DATA", "--json", *TYPED], ["data.check"], {"folder": "DATA", **OPENED}),
    ("tune", ["DATA", "--run", "run", "--trials", "3", "--storage", "s.log", "--profile", "full", "--seed", "7",
              "--set", "width=9", *TYPED],
     ["data.open_data", "train.tune"],
     {"base": replace(FULL.classifier, seed=7, width=9), "settings": replace(FULL.tune, trials=3), "fixed": {"width"},
      "storage": "s.log", "run": Path("run"), **OPENED}),
    *((f"train {stage}", [stage, "DATA", "--run", "run", "--profile", "full", "--resume", "--seed", "7",
                          "--set", "batch_size=3", "--devices", "2", "--nodes", "3", *TYPED],
       ["data.open_data", "train.train_stage"],
       {"settings": replace(getattr(FULL, stage), seed=7, batch_size=3), "resume": True, "devices": 2, "num_nodes": 3,
        "resamples": FULL.resamples, "run": Path("run"), **OPENED})
      for stage in ("classifier", "detector")),
    ("train with another's parts", ["detector", "DATA", "--run", "run", "--split-of", "detector"],
     ["data.splits.Split.from_json"], {"state": {"name": "another's"}}),
    ("evaluate", ["DATA", "said.json", "--bootstrap", "7", "--json", "--run", "detector"],
     ["cli.examined.open_data", "metrics.evaluate"],
     {"bootstrap": 7, "thresholds": dict.fromkeys(FINDINGS, 0.25), "findings": FINDINGS}),
    ("evaluate fused", ["DATA", "detector", "--fuse", "other", "--fuse", "third", "--flip"],
     ["cli.examined.fused"],
     {"several": [Path("detector"), Path("other"), Path("third")], "flip": True, "run": None}),
    ("evaluate own", ["DATA", "said.json", *TYPED],
     ["cli.examined.open_data", "metrics.evaluate"], {"thresholds": None, **OPENED}),
    ("evaluate by", ["DATA", "said.json", "--by", "groups.csv", "--bootstrap", "7"],
     ["cli.examined.open_data", "cli.examined.read_groups"], {"path": Path("groups.csv")}),
    ("evaluate coco", ["DATA", "said.json", "--coco", "results.json"],
     ["cli.examined.open_data", "metrics.write_coco"], {"path": Path("results.json")}),
    ("compare", ["DATA", "said.json", "said.json", "--bootstrap", "7", "--json"],
     ["cli.examined.open_data", "cli.examined.compare"],
     {"resamples": 7, "thresholds": (None, None), "findings": FINDINGS}),
    ("compare own", ["DATA", "said.json", "said.json", *TYPED],
     ["cli.examined.open_data", "cli.examined.compare"], {"resamples": 2000, **OPENED}),
    ("view", ["DATA", "--out", "page.html", "--first", "3", *TYPED],
     ["data.open_data", "viewer.BoxViewer.to_html"], {"path": Path("page.html"), "self": 3, **OPENED}),
    ("predict", [*RUNS, "--detector", "other", "--cascade", "--flip", "--overlays", "--dask", "2"],
     ["prediction.choice.TwoStage", "prediction.predict"],
     {"cascade": True, "flip": True, "overlays": True, "dask": "2", "paths": [Path("film.png")], "out": Path("out"),
      "classifier_run": Path("classifier"), "detector_run": [Path("detector"), Path("other")]}),
    ("report", ["--data", "DATA", "--profile", "full", "--out", "out", "--split", "--pdf", "--as-is"], ["report.build"],
     {"profile": "full", "out": Path("out"), "data": "DATA", "split": True, "pdf": True, "as_is": True}),
    ("course", ["clean", "out", "--replace"], ["course.clean"], {"out": Path("out"), "replace": True}),
]  # fmt: skip
"""Command, what is typed, what is called last of all, and what that must be told; DATA is a data folder."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with what commands look for before they call."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(course, "notebooks", lambda: [])
    Path("film.png").touch()
    Path("said.json").write_text("{}")
    for folder in ("classifier", "detector", "other"):
        kind = folder.replace("other", "detector")
        Path(folder, "checkpoints").mkdir(parents=True)
        Path(folder, "checkpoints", "best.safetensors").touch()
        about = {"kind": kind, "identity": {}, "settings": settings.to_json(getattr(FULL, kind))}
        Path(folder, "settings.json").write_text(json.dumps(about))
        thresholds = {"thresholds": dict.fromkeys(FINDINGS, 0.25)}
        Path(folder, "operating_point.json").write_text(json.dumps(thresholds))
        Path(folder, "split.json").write_text('{"name": "another\'s"}')
    Path("own.txt").write_text("\n".join(OWN))


@pytest.mark.parametrize(("command", "typed", "called", "expected"), CALLS, ids=[call[0] for call in CALLS])
def test_every_option_reaches_the_package(
    command: str, typed: list[str], called: list[str], expected: dict[str, Any], place: None, small: DataFolder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    told: dict[str, Any] = {}

    def noting(target: str) -> None:
        place, _, name = f"chestlib.{target}".rpartition(".")
        owner = resolve_name(place)
        real = getattr(owner, name)

        def note(*args: Any, **options: Any) -> Any:
            for key, value in inspect.signature(real).bind(*args, **options).arguments.items():
                value = value.path if isinstance(value, Run) else len(value) if isinstance(value, BoxViewer) else value
                value = [one.path for one in value] if key == "detector_run" else value
                told.update(value if key == "trainer_options" else {key: value})
            if target == called[-1]:
                raise ChestlibError("noted")
            return real(*args, **options) if name == "open_data" else MagicMock()

        monkeypatch.setattr(owner, name, note, raising=False)

    for target in called:
        noting(target)
    real = {"DATA": str(small.root)}
    name = command.partition(" ")[0]
    result = CliRunner().invoke(cli.app, [name, *(real.get(word, word) for word in typed)])
    assert str(result.exception) == "noted", result.output
    assert {key: told[key] for key in expected} == {
        key: small.root if value == "DATA" else value for key, value in expected.items()
    }


def test_no_option_is_left_out_above() -> None:
    typed: dict[str, set[str]] = {"env": {"--json"}}
    for command, words, *_ in CALLS:
        typed.setdefault(command.partition(" ")[0], set()).update(word for word in words if word.startswith("--"))
    commands = get_command(cli.app).commands
    options = {
        name: {
            option
            for one in (command, *getattr(command, "commands", {}).values())
            for parameter in one.params
            for option in parameter.opts
            if option.startswith("--")
        }
        for name, command in commands.items()
    }
    assert {name: found - {"--help"} for name, found in options.items()} == typed


ONE_BROKEN = prediction.Summary(3, 2, ["a.png: broken"])

FAULTY: dict[str, tuple[list[str], Any, str, Callable[..., Any], int]] = {
    "predict": (["predict", *RUNS], prediction, "predict", lambda *_, **__: ONE_BROKEN, 2),
    "report": (["report"], report, "build", lambda *_, **__: report.ReportResult(Path("film.png"), 2, ("1: x",), 1), 1),
    "env": (["env"], environment, "rows", lambda: [environment.Row("torch", "not installed", False)], 2),
    "env --json": (["env", "--json"], environment, "rows", lambda: [environment.Row("torch", "none", False)], 2),
}


@pytest.mark.parametrize("faulty", FAULTY)
def test_what_found_faults_ends_as_such(faulty: str, place: None, monkeypatch: pytest.MonkeyPatch) -> None:
    typed, module, name, found, status = FAULTY[faulty]
    monkeypatch.setattr(module, name, found)
    monkeypatch.setattr(prediction.choice, "TwoStage", MagicMock())
    result = CliRunner().invoke(cli.app, typed)
    assert result.exit_code == status and type(result.exception) is SystemExit, result.exception


def test_a_data_set_with_errors_ends_as_such(small: DataFolder, tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text('[{"file_name": "a.png", "syms": ["Mass"], "boxes": [[9, 9, 5, 5]]}]')
    (tmp_path / "test.json").write_text("[]")
    for folder, status in ((tmp_path, 2), (small.root, 0)):
        for form in ([], ["--json"]):
            assert CliRunner().invoke(cli.app, ["check", str(folder), *form]).exit_code == status


@pytest.mark.parametrize("text", ["a", "a=", "=Mass", "a=Mass,a=Nodule", "a=Mass,,"])
def test_a_map_that_is_none_is_refused(small: DataFolder, text: str) -> None:
    result = CliRunner().invoke(cli.app, ["check", str(small.root), "--map", text])
    assert "is not NAME=FINDING" in str(result.exception)
