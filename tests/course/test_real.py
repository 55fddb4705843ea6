"""Figures on real films, and what NIH's table says of a data set's films."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from chestlib import course
from chestlib.data import open_data
from chestlib.errors import ChestlibError

TOP = Path(__file__).parents[2]
HEAD = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position\n"


def test_every_figure_on_real_films_says_by_which_command() -> None:
    for name, section in json.loads((TOP / "figures" / "real.json").read_text()).items():
        files = re.findall(r"python (benchmarks/\w+\.py)", json.dumps(section))
        assert files and all((TOP / file).is_file() for file in files), name


def test_figures_are_found_from_the_project_s_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHESTLIB_HOME", str(tmp_path))
    with pytest.raises(ChestlibError, match=r"real\.json: not there; .* run this in the project's folder"):
        course.real_figures()
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "real.json").write_text('{"readers": {"n": 3}, "archive": {}}')
    assert course.real_figures("readers") == {"n": 3} and list(course.real_figures()) == ["readers", "archive"]
    with pytest.raises(ChestlibError, match="no section 'guard'; it has readers, archive"):
        course.real_figures("guard")


def test_nih_table_is_found_beside_the_films_by_their_names_there(tmp_path: Path) -> None:
    root = tmp_path / "det10"
    (root / "nih-names").mkdir(parents=True)
    for part, names in {"train": ("00000002_001", "00000001_000"), "test": ("00000003_000",)}.items():
        rows = [{"file_name": f"{part}-{i}.png", "syms": [], "boxes": []} for i in range(len(names))]
        (root / f"{part}.json").write_text(json.dumps(rows))
        twins = [row | {"file_name": f"{name}.png"} for row, name in zip(rows, names, strict=True)]
        (root / "nih-names" / f"{part}.json").write_text(json.dumps(twins))
    data = open_data(root)
    assert course.nih_table(data) is None
    films = [f"0000000{i}_{'001' if i == 2 else '000'}.png,Mass,0,{i},{10 * i},F,AP\n" for i in (1, 2, 3)]
    (tmp_path / "nih").mkdir()
    file = tmp_path / "nih" / "Data_Entry_2017_v2020.csv"
    file.write_text(HEAD + "".join(films))
    table = course.nih_table(data)
    assert table is not None and [r.file_name for r in data.records] == ["train-0.png", "train-1.png", "test-0.png"]
    assert list(table.index) == ["00000002_001", "00000001_000", "00000003_000"] and list(table["age"]) == [20, 10, 30]
    file.write_text(HEAD + films[0])
    assert course.nih_table(data) is None, "a table of other films"
