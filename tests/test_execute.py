"""`python notebooks/execute.py compare`: the verdicts of nbval, without it."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

TOP = Path(__file__).parents[1]


def cell(source: str, *outputs: nbformat.NotebookNode, tag: str = "") -> nbformat.NotebookNode:
    metadata = {"tags": [tag]} if tag else {}
    return new_code_cell(source, outputs=list(outputs), execution_count=1, metadata=metadata)


def said(text: str, name: str = "stdout") -> nbformat.NotebookNode:
    return new_output("stream", name=name, text=text)


CHANGED = {
    "nothing": (0, ""),
    "a value": (7, "+42"),
    "a line": (2, "-two"),
    "an error": (5, "+ZeroDivisionError"),
    "an output is missing": (7, "+42"),
}
"""What another output was committed of: the cell's number and a line that is told."""


def notebook(changed: str) -> nbformat.NotebookNode:
    lines = said("two\n" if changed == "a line" else "one\n")
    value = new_output("execute_result", {"text/plain": "41" if changed == "a value" else "42"}, execution_count=1)
    name = "ValueError" if changed == "an error" else "ZeroDivisionError"
    error = new_output("error", ename=name, evalue="division by zero", traceback=[])
    return new_notebook(
        cells=[
            new_markdown_cell("# A title"),
            cell("print('on', end='')\nprint('e')", lines),
            cell("import time\ntime.time_ns()", said("long ago\n"), tag="nbval-ignore-output"),
            cell("raise SystemExit('never run')", said("skipped\n"), tag="nbval-skip"),
            cell("1 / 0", error, tag="raises-exception"),
            cell("print('1 of 2\\r2 of 2')", said("2 of 2\n")),
            cell("6 * 7", *([] if changed == "an output is missing" else [value])),
        ]
    )


@pytest.mark.parametrize("changed", CHANGED)
def test_outputs_are_judged_as_nbval_judges_them(
    changed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "01_a.ipynb"
    nbformat.write(notebook(changed), path)
    before = path.read_bytes()
    for name in ("CHESTLIB_DATA", "CHESTLIB_PROFILE"):  # which it leaves out for good
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(TOP / "notebooks" / "execute.py"))["main"](["compare", str(path)])
    told = capsys.readouterr().out
    assert path.read_bytes() == before
    number, line = CHANGED[changed]
    assert ended.value.code == bool(number), told
    assert told.startswith(f"01_a.ipynb: cell {number}: ") and line in told if number else not told
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env"]
    nbval = subprocess.run([*command, "--rootdir", tmp_path, path], cwd=tmp_path, capture_output=True, text=True)
    assert nbval.returncode == bool(number), nbval.stdout
