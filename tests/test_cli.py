"""The command line as a user meets it: names, help, JSON alone on standard output; bad input is one line, status 2."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from dicoms import dicom
from nbformat import v4
from PIL import Image
from typer.testing import CliRunner

import chestlib
from chestlib import cli, settings, train
from chestlib.data import DataFolder, identify, splits
from chestlib.errors import ChestlibError

COMMANDS = ["phantom", "fetch", "check", "convert", "tune", "evaluate", "compare", "predict", "view", "report", "env"]


def run(*args: object, cwd: Path | None = None) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "chestlib", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=600)


@pytest.mark.parametrize("command", [*([name] for name in COMMANDS), ["train", "classifier"], ["train", "detector"]])
def test_every_command_has_help_with_an_example(command: list[str]) -> None:
    result = CliRunner().invoke(cli.app, [*command, "--help"], terminal_width=200)
    assert result.exit_code == 0
    words = " ".join(result.output.replace("│", " ").split())
    assert f"chestlib {' '.join(command)}" in words
    assert not re.sub(r"[ -~╭╮╰╯│─•\s]", "", result.output), "beside rich's frames and points, what every terminal has"


def test_phantom_check_convert_evaluate(tmp_path: Path) -> None:
    made = run("phantom", tmp_path / "data", "--train", 6, "--test", 3, "--size", 128, "--seed", 4)
    assert made.returncode == 0, made.stderr
    checked = run("check", tmp_path / "data", "--json")
    report = json.loads(checked.stdout)
    assert checked.returncode == 0 and report["images"] == 9 and report["problems"] == []
    assert [*report] == [
        "images", "missing_images", "boxes", "patients", "findings", "patient_overlap", "notes", "problems",
    ]  # fmt: skip
    assert run("convert", tmp_path / "data", tmp_path / "coco", "--to", "coco").returncode == 0
    (tmp_path / "none.json").write_text("{}")
    scored = run("evaluate", tmp_path / "data" / "test.json", tmp_path / "none.json", "--json")
    scores = json.loads(scored.stdout)
    assert scores["n_images"] == 3 and "they count as no detections" in scored.stderr
    assert {"coco", "froc", "per_finding", "macro"} <= set(scores)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_table_of_names_that_the_terminal_lacks(
    tmp_path: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    (tmp_path / "train_data").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "train_data" / "łuk_肺.png")
    rows = [{"file_name": "łuk_肺.png", "syms": ["Mass"], "boxes": [[1, 1, 900, 9]]}]
    (tmp_path / "train.json").write_text(json.dumps(rows))
    for options in ([], ["--json"]):
        result = run("check", tmp_path, *options)
        assert result.returncode == 2 and result.stderr == ""
        assert "\\u0142uk_\\u80ba.png" in result.stdout
    assert json.loads(result.stdout)["problems"][0]["message"].startswith("łuk_肺.png: Mass: box")


@pytest.fixture
def broken(tmp_path: Path, small: DataFolder) -> Path:
    (tmp_path / "empty").mkdir()
    (tmp_path / "half.json").write_text('[{"file_name": "a.png", "syms": [')
    (tmp_path / "other.json").write_text('{"hello": 1}')
    (tmp_path / "half.png").write_bytes(small.test[0].path.read_bytes()[:600])
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01_half.ipynb").write_text('{"cells": [')
    return tmp_path


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["check", "nowhere"], "nowhere"),
        (["check", "empty"], "empty"),
        (["train", "classifier", "nowhere", "--run", "run"], "nowhere"),
        (["train", "detector", "empty", "--run", "run"], "empty"),
        (["tune", "empty", "--run", "run"], "empty"),
        (["evaluate", "half.json", "other.json"], "half.json"),
        (["evaluate", "other.json", "half.json"], "other.json"),
        (["compare", "half.json", "other.json", "other.json"], "half.json"),
        (["convert", "other.json", "out", "--to", "coco"], "other.json"),
        (["predict", "half.png", "--classifier", "nowhere", "--detector", "empty", "--out", "out"], "nowhere"),
        (["predict", "missing.png", "--classifier", "empty", "--detector", "empty", "--out", "out"], "missing.png"),
        (["report", "--data", "empty", "--out", "out"], "empty"),
        (["report", "--out", "out"], "01_half.ipynb"),
        (["report", "--as-is", "--split", "--out", "out"], "01_half.ipynb"),
        (["phantom", "half.png"], "half.png"),
        (["train", "detector", "empty", "--run", "run", "--set", "epochs=0"], "--set epochs=0"),
        (["tune", "empty", "--run", "run", "--seed", "4294967296"], "--seed 4294967296"),
        (["predict", ""], "predict '': an empty argument"),
        (["convert", "other.json", "", "--to", "coco"], "convert other.json '': an empty argument"),
        (["view", "empty", "--out="], "view empty --out=: an empty argument"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_bad_input_is_one_line_and_status_2(broken: Path, args: list[str], named: str) -> None:
    before = sorted(broken.rglob("*"))
    result = run(*args, cwd=broken)
    assert result.returncode == 2, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert len(lines) == 1 and named in lines[0] and "Traceback" not in result.stderr, result.stderr
    assert sorted(broken.rglob("*")) == before


def test_what_is_set_wins_over_what_was_tuned(
    tmp_path: Path, small: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def note(*args: object, **options: object) -> None:
        asked.append([*args[2:], options.get("fixed")])
        raise ChestlibError("noted")

    for name in ("train_stage", "tune"):
        monkeypatch.setattr(train, name, note, raising=False)
    tuned = replace(settings.QUICK.classifier, width=5, dropout=0.3)
    split, run = splits.default(small.train, small.test, 2**32 - 1), train.Run(tmp_path / "run")
    of = {"identity": identify(split, run.cache)._asdict(), "chestlib": chestlib.__version__}
    run.write("tuned", of | {"settings": settings.to_json(tuned)})
    sets = ["--set", "width=9", "--set", "epochs=3", "--seed", "4294967295"]
    for command in (["train", "classifier"], ["tune"]):
        result = CliRunner().invoke(cli.app, [*command, str(small.root), "--run", str(run.path), *sets])
        assert str(result.exception) == "noted"
    (trained, _), (base, plan, fixed) = asked
    assert trained == replace(tuned, width=9, epochs=3, seed=2**32 - 1)
    assert base == replace(settings.QUICK.classifier, width=9, seed=2**32 - 1)
    assert (plan, fixed) == (replace(settings.QUICK.tune, epochs=3), {"width"})


TRAINS = """import time
from chestlib.console import relay
with relay("toy", "training toy") as tell:
    for i in range(8):
        tell(i, 8, "epoch 1 of 1")
        time.sleep(0.2)
time.sleep(1)"""


def test_a_report_survives_a_chapter_that_fails(tmp_path: Path) -> None:
    cells = {
        "01_a": ["1"],
        "02_b": ["1", "raise ValueError('first line\\nsecond')", "print('never')"],
        "03_c": [TRAINS, "print('the last is run')"],
    }
    for name, codes in cells.items():
        (tmp_path / "notebooks").mkdir(exist_ok=True)
        notebook = v4.new_notebook(cells=[v4.new_markdown_cell(f"# {name}"), *map(v4.new_code_cell, codes)])
        nbformat.write(notebook, tmp_path / "notebooks" / f"{name}.ipynb")
    before = sorted(tmp_path.rglob("*"))
    result = run("report", "--out", "report", cwd=tmp_path)
    assert result.returncode == 1, result.stderr
    assert result.stdout.splitlines()[1:] == [
        f"{tmp_path / 'notebooks' / '02_b.ipynb'}: stopped at cell 3: ValueError: first line"
    ]
    assert re.sub(r"\d+ s", "n s", result.stderr).splitlines() == [
        "01_a: 2 cells, n s",
        "02_b: stopped at cell 3: ValueError: first line",
        "03_c: training toy",
        "03_c: 3 cells, n s",
    ]
    page = BeautifulSoup((tmp_path / "report" / "index.html").read_text(), "html.parser")
    assert [em.get_text() for em in page.select(".toc em, .chapters em")] == ["stopped at cell 3"] * 2
    assert "the last is run" in page.find(id="ch-03-c").get_text() and "never\n" not in page.get_text()
    assert [path for path in sorted(tmp_path.rglob("*")) if tmp_path / "report" not in (path, *path.parents)] == before
    copy = nbformat.read(tmp_path / "report" / ".executed" / "03_c.ipynb", 4)
    took = copy.cells[1].metadata.seconds
    assert 0.9 < took["cell"] < took["toy"] + 1 < 10, "the training is recorded apart from the rest of its cell"


def test_import_is_light() -> None:
    heavy = "torch torchvision lightning pandas matplotlib optuna cv2"
    code = f"import sys, chestlib, chestlib.cli; print([m for m in {heavy.split()!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


def test_env_tells_every_requirement() -> None:
    result = run("env", "--json")
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert result.returncode == 0 and all(row["ok"] for row in rows.values()), result.stdout
    told = {"python", "torch", "torchvision", "seaborn", "device", "threads", "memory", "data", "runs", "cache"}
    assert told <= set(rows)


def test_env_tells_what_the_caches_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHESTLIB_HOME", str(tmp_path))
    (tmp_path / "runs" / "cache").mkdir(parents=True)
    (tmp_path / "runs" / "cache" / "images-224-0123456789abcdef.npy").write_bytes(bytes(10**8))
    (tmp_path / "data" / "cache").mkdir(parents=True)
    (tmp_path / "data" / "cache" / "index.sqlite").write_text("no index" * 1000)
    lines = [" ".join(line.split()) for line in CliRunner().invoke(cli.app, ["env"]).output.splitlines()]
    broken, old = (line for line in lines if " cache " in line[:14])
    assert broken.startswith("[FAIL] cache") and broken.endswith("remove the folder")
    assert "0.0 of 50 GB); 1 files of version 0.1.0, 0.1 GB, no longer read; delete" in old


CORE = """
import sys
from chestlib.errors import EXTRAS
sys.modules |= dict.fromkeys(name for names in EXTRAS.values() for name in names)  # None: not installed
from chestlib.cli import main
main()
"""


@pytest.mark.parametrize(
    ("args", "lacks"),
    [
        (["predict", "film.png"], None),
        (["predict", "film.dcm"], "dicom"),
        (["predict", "film.png", "--out", "out", "--overlays"], "course"),
        (["view", "."], "course"),
        (["report"], "course"),
        (["env"], "course"),
    ],
)
def test_without_extras_the_core_works_and_the_rest_names_its_extra(tmp_path, args, lacks):
    """Every module of every extra is made to look as if it were not installed."""
    pixels = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    Image.fromarray((pixels // 16).astype(np.uint8)).save(tmp_path / "film.png")
    dicom(tmp_path / "film.dcm", pixels, bits=12)
    done = subprocess.run([sys.executable, "-c", CORE, *args], cwd=tmp_path, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    if lacks:
        assert done.returncode == 2 and f'pip install "chestlib[{lacks}]"' in done.stderr.replace("\n", " "), (
            done.stderr
        )
        assert not (tmp_path / "out").exists()
    else:
        assert done.returncode == 0 and "film.png:" in done.stdout, done.stderr
