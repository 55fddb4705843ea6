"""`python notebooks/execute.py compare`: the verdicts of nbval, without it."""

from __future__ import annotations

import re
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


CHANGED = {"nothing": 0, "value": 7, "line": 2, "error": 5, "missing": 7, "stream": 6}
"""What another output was committed of, and the number of its cell."""


def notebook(changed: str) -> nbformat.NotebookNode:
    """A title, and cells of which one may have another output than it was committed with."""
    value = new_output("execute_result", {"text/plain": "41" if changed == "value" else "42"}, execution_count=1)
    name = "ValueError" if changed == "error" else "ZeroDivisionError"
    error = new_output("error", ename=name, evalue="division by zero", traceback=[])
    return new_notebook(
        cells=[
            new_markdown_cell("# A title"),
            cell("print('on', end='')\nprint('e')", said("two\n" if changed == "line" else "one\n")),
            cell("import time\ntime.time_ns()", said("long ago\n"), tag="nbval-ignore-output"),
            cell("raise SystemExit('never run')", said("skipped\n"), tag="nbval-skip"),
            cell("1 / 0", error, tag="raises-exception"),
            cell("print('1 of 2\\r2 of 2')", said("2 of 2\n", "stderr" if changed == "stream" else "stdout")),
            cell("6 * 7", *([] if changed == "missing" else [value])),
        ]
    )


def test_outputs_are_judged_as_nbval_judges_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / f"{changed}.ipynb" for changed in CHANGED]
    for path in paths:
        nbformat.write(notebook(path.stem), path)
    before = [path.read_bytes() for path in paths]
    for name in ("CHESTLIB_DATA", "CHESTLIB_PROFILE"):  # which it leaves out for good
        monkeypatch.delenv(name, raising=False)
    main = runpy.run_path(str(TOP / "notebooks" / "execute.py"))["main"]
    with pytest.raises(SystemExit) as ended:
        main(["compare", str(paths[0])])
    assert (ended.value.code, capsys.readouterr().out) == (0, "")
    with pytest.raises(SystemExit) as ended:
        main(["compare", *map(str, paths)])
    told = capsys.readouterr().out
    assert ended.value.code == 1 and "\n-41\n+42\n" in told and "\n-two\n+one\n" in told
    assert before == [path.read_bytes() for path in paths], "nothing is written"
    ours = {(name, int(number)) for name, number in re.findall(r"^(\w+)\.ipynb: cell (\d+): ", told, re.MULTILINE)}
    assert ours == {(name, number) for name, number in CHANGED.items() if number}
    command = [sys.executable, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env"]
    nbval = subprocess.run([*command, "--rootdir", tmp_path, *paths], cwd=tmp_path, capture_output=True, text=True)
    # It counts code cells from 0, and the first cell is text.
    theirs = {(n, int(i) + 2) for n, i in re.findall(r"^FAILED (\w+)\.ipynb::Cell (\d+)", nbval.stdout, re.MULTILINE)}
    assert ours == theirs, nbval.stdout
