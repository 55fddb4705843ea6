"""Learned figures are held: compared within a tolerance, recorded by the maintainers' commands alone."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chestlib.course import Course, expected
from chestlib.data import DataFolder
from chestlib.errors import ChestlibError
from chestlib.settings import FULL, QUICK

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
AP50 = {
    "value": 0.4, "tolerance": 0.06, "spread": 0.01, "seeds": [0, 1], "instruction sets": ["AVX512", "AVX2"]
}  # fmt: skip


@pytest.fixture
def lesson(small: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    """The course on the data that its chapters were written on, with one figure recorded and one without tolerance."""
    monkeypatch.setenv("CHESTLIB_HOME", str(tmp_path))
    monkeypatch.delenv(expected.RECORD, raising=False)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "expected.json").write_text(json.dumps({"AP50": AP50, "AUROC": {"value": 0.9}}))
    data = replace(small, root=tmp_path / "data" / "phantom-quick")
    return Course(data, data, QUICK)


def test_whatever_holds_is_told_in_one_line(lesson: Course, capsys: pytest.CaptureFixture) -> None:
    for value in (0.4, 0.34001, np.float64(0.4599), np.float32(0.41)):
        lesson.expect("AP50", value)
    assert {*capsys.readouterr().out.splitlines()} == {"as recorded: AP50 = 0.400 ± 0.060"}


@pytest.mark.parametrize("value", [0.0, 0.33, 0.47, 1.0])  # too good is as suspicious
def test_what_does_not_hold_is_an_error(lesson: Course, value: float) -> None:
    told = f"AP50 is {value:.3f}; recorded was AP50 = 0.400 ± 0.060 (seeds [0, 1], AVX512 and AVX2)"
    with pytest.raises(AssertionError, match=re.escape(told)):
        lesson.expect("AP50", value)


def test_what_could_not_fail_is_told_as_such(lesson: Course, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    expected.update(tmp_path / "notebooks" / "expected.json", {"AP50": {"tolerance": 0.6}})
    lesson.expect("AP50", 1.0)
    assert capsys.readouterr().out == "not held: AP50 = 0.400 ± 0.600; anything from 0 to 1 would be\n"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "high"])
def test_what_is_no_number_is_an_error(lesson: Course, value: float) -> None:
    with pytest.raises(ChestlibError, match=f"AP50: the value is {value}; expected a finite number"):
        lesson.expect("AP50", value)


def test_a_figure_nobody_recorded_is_an_error(lesson: Course) -> None:
    with pytest.raises(ChestlibError, match=r"expected\.json: no figure 'AP5'; correct the name, or record it with"):
        lesson.expect("AP5", 0.4)
    (lesson.data.root.parents[1] / "notebooks" / "expected.json").unlink()
    with pytest.raises(ChestlibError, match=r"expected\.json: no such file"):
        lesson.expect("AP50", 0.4)


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ([], "not a table of figures"),
        ({"AP50": 0.4}, "not a table of figures"),
        ({"AP50": AP50 | {"value": "0.4"}}, "AP50: the value is '0.4', no number"),
        ({"AP50": AP50 | {"value": float("nan")}}, "AP50: the value is nan, no number"),
        ({"AP50": AP50 | {"tolerance": [0.06]}}, "AP50: the tolerance is [0.06], no number"),
        ({"AP50": AP50 | {"tolerance": True}}, "AP50: the tolerance is True, no number"),
        ({"AP50": AP50 | {"instruction sets": 2}}, "AP50: the instruction sets are no list"),
    ],
)
def test_a_damaged_record_is_one_line(lesson: Course, tmp_path: Path, figures: Any, told: str) -> None:
    file = tmp_path / "notebooks" / "expected.json"
    file.write_text(json.dumps(figures))
    with pytest.raises(ChestlibError, match=re.escape(f"{file}: {told}; {expected.BACK}")):
        lesson.expect("AP50", 0.4)


def test_what_does_not_hold_is_told_though_the_record_lacks_its_seeds(lesson: Course, tmp_path: Path) -> None:
    (tmp_path / "notebooks" / "expected.json").write_text('{"AP50": {"value": 0.4, "tolerance": 0.06}}')
    with pytest.raises(AssertionError, match="not as recorded: AP50 is"):
        lesson.expect("AP50", 0.1)


def test_elsewhere_figures_are_told(lesson: Course, small: DataFolder, capsys: pytest.CaptureFixture) -> None:
    for elsewhere in (Course(small, small, QUICK), replace(lesson, profile=FULL)):
        elsewhere.expect("AP50", 0.1234)
        elsewhere.expect("AP50 of Mass", None)  # there is none
    told = "not recorded here: AP50 = 0.123\nnot recorded here: AP50 of Mass = undefined\n"
    assert capsys.readouterr().out == 2 * told


def test_figures_are_noted_and_recorded(
    lesson: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    file, note = tmp_path / "notebooks" / "expected.json", tmp_path / "note.jsonl"
    with monkeypatch.context() as recording:
        recording.setenv(expected.RECORD, str(note))
        lesson.expect("AP50", 0.7)
        lesson.expect("new", 0.1)
    expected.update(file, {name: {"value": value} for name, value in expected.noted(note).items()})
    expected.update(file, {"new": {"tolerance": 0.05, "seeds": [0], "instruction sets": []}})
    lesson.expect("AP50", 0.71)
    lesson.expect("new", 0.12)
    lesson.expect("AUROC", 0.5)
    *_, noted, held, new, loose = capsys.readouterr().out.splitlines()
    assert held == "as recorded: AP50 = 0.700 ± 0.060" and new == "as recorded: new = 0.100 ± 0.050"
    assert noted.startswith("not held yet: new = 0.100") and loose.startswith("not held yet: AUROC = 0.900")
    expected.update(file, {"AP50": {"value": 0.5}}, whole=True)
    assert json.loads(file.read_text()) == {"AP50": AP50 | {"value": 0.5}}


def test_one_name_has_one_value(tmp_path: Path) -> None:
    (tmp_path / "note").write_text('{"name": "AP50", "value": 0.4}\n{"name": "AP50", "value": 0.5}\n')
    with pytest.raises(ChestlibError, match=r"AP50: is 0\.4 and 0\.5; give one another name"):
        expected.noted(tmp_path / "note")


def test_a_tolerance_spans_what_runs_of_one_recipe_differ_by() -> None:
    rng = np.random.default_rng(0)
    runs = rng.normal(0.5, 0.02, (400, 7, 20))  # runs of 20 figures; in the first six the tolerances are measured
    allowed = [[expected.tolerance(six.tolist(), among=20) for six in each[:6].T] for each in runs]
    apart = (abs(runs[:, 6] - runs[:, 0]) > allowed).any(axis=1)
    assert 0 < np.mean(apart) < expected.ALARM
    assert expected.tolerance([1.0, 1.0, 1.0]) == expected.LEAST
    with pytest.raises(ChestlibError, match="a tolerance needs three"):
        expected.tolerance([0.4, 0.5])


def test_chapters_print_what_is_recorded() -> None:
    figures = json.loads((NOTEBOOKS / "expected.json").read_text())
    told = {
        text
        for path in NOTEBOOKS.glob("[0-9]*.ipynb")
        for cell in json.loads(path.read_text())["cells"]
        for output in cell.get("outputs", [])
        for text in "".join(output.get("text", [])).splitlines()
        if text.startswith(("as recorded", "not held", "not recorded here"))
    }
    assert told == {line(name, figure) for name, figure in figures.items()} and len(told) > 40


def line(name: str, figure: dict[str, Any]) -> str:
    """What a chapter prints of a figure of expected.json."""
    if "tolerance" in figure:
        told = f"{name} = {figure['value']:.3f} ± {figure['tolerance']:.3f}"
        held = figure["tolerance"] < max(figure["value"], 1 - figure["value"])
        return f"as recorded: {told}" if held else f"not held: {told}; anything from 0 to 1 would be"
    return f"not held yet: {name} = {figure['value']:.3f}; benchmarks/spread.py measures its tolerance"
