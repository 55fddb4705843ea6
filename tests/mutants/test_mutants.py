"""The runner of `make mutants` on a toy: who survives is told, the tree stays as it is, a stale table is an error."""

from __future__ import annotations

from pathlib import Path

import pytest
from mutants import TOP, Mutant, check
from table import FAMILIES, MUTANTS


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    (tmp_path / "chestlib").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "chestlib" / "__init__.py").write_text("def add(a, b):\n    return a + b\n")
    (tmp_path / "tests" / "test_add.py").write_text(
        "from chestlib import add\n\ndef test_add():\n    assert add(2, 2) == 4\n"
    )
    return tmp_path


def mutant(new: str, old: str = "a + b", tests: str = "tests/test_add.py") -> Mutant:
    return Mutant(1, f"{old} is {new}", "chestlib/__init__.py", old, new, tests)


def test_who_survives_is_told(toy: Path, capsys: pytest.CaptureFixture) -> None:
    before = {path: path.read_bytes() for path in toy.rglob("*") if path.is_file()}
    wrong, unnoticed = mutant("a - b"), mutant("a * b")
    assert check([wrong, unnoticed], toy) == [unnoticed]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["green", "killed", "SURVIVED"] and "a + b is a * b" in lines[2]
    assert {path: path.read_bytes() for path in toy.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (mutant("a - b", "a % b"), "stands there 0 times, not once; the table is stale"),
        (mutant("x", "a"), "stands there 3 times"),
        (mutant("a - b", tests="tests/test_gone.py"), "The tests must be green before anything is changed"),
    ],
)
def test_a_stale_table_is_an_error(toy: Path, row: Mutant, says: str) -> None:
    with pytest.raises(SystemExit, match=says):
        check([row], toy)


def test_the_table_is_of_this_state() -> None:
    """Every mutant's text stands once where it is looked for, so that who changes it hears of it at once."""
    assert set(FAMILIES) == {*range(1, 15)} == {each.family for each in MUTANTS}
    for each in MUTANTS:
        assert each.changed(TOP) and (TOP / each.tests.partition("::")[0]).is_file(), each.name
