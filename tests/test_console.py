"""What is shown while something runs: through a real pipe, on a terminal, and from inside a notebook's cell."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from chestlib import console, course, phantom, settings, train


@pytest.mark.parametrize(("patience", "lines"), [(0, ["working: 1 of 3 …", "working: done, 0 s"]), (60, [])])
def test_a_pipe_gets_plain_lines_and_only_of_what_takes_long(patience: int, lines: list[str]) -> None:
    code = f"""from chestlib import console
console.PATIENCE = {patience}
with console.bar("working") as tell:
    for i in range(3):
        tell(i + 1, 3, "[red]note")
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (result.stdout, result.stderr.splitlines()) == ("", lines)


def test_a_bar_without_words_leaves_the_lines_to_its_caller(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(console, "PATIENCE", 0)
    with console.bar("") as tell:
        tell(1, 3)
        tell(3, 3, line="01_a: 3 cells")
    assert capsys.readouterr().err == "01_a: 3 cells\n"


def test_a_terminal_shows_the_whole_text_and_the_seconds_left(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(console, "errors", Console(file=shown, force_terminal=True, width=80, color_system=None))
    with console.bar("") as tell:
        tell(130, 320, "04_faster_rcnn 30/47 · training detector, epoch 3 of 6", left=250, line="03_binary: 40 cells")
    last = " ".join(shown.getvalue().split())
    for words in (
        "03_binary: 40 cells",
        "04_faster_rcnn 30/47 · ",
        "training detector, epoch 3 of 6",
        "130/320",
        "0:04:10 left",
    ):
        assert words in last


def started(code: str, **options: Any) -> subprocess.Popen:
    """A process that runs this command as the command line does."""
    code = (
        f"from chestlib.console import *\nfrom chestlib.errors import *\ndef command():\n {code}\nanswer_for(command)"
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code], **pipes | options)


@pytest.mark.parametrize(
    ("encoding", "terminal"),
    [
        ("ascii", {}),
        ("cp1252", {"NO_COLOR": "1"}),
        ("latin-1", {"TERM": "dumb", "COLUMNS": "20"}),
        ("cp437", {"FORCE_COLOR": "1"}),
        ("cp1252", {"COLUMNS": "0"}),  # of a terminal that does not know its width: nothing at all was printed
    ],
)
def test_what_a_terminal_lacks_is_escaped(encoding: str, terminal: dict[str, str]) -> None:
    code = "print('\\u80f8 \\udc80 \\u2026'); raise ChestlibError('\\u80f8.png: not here')"
    env = os.environ | {"PYTHONIOENCODING": encoding} | terminal
    with started(code, env=env, encoding=encoding) as process:
        out, err = process.communicate(timeout=120)
    assert out == "\u80f8 \udc80 …\n".encode(encoding, "backslashreplace").decode(encoding)
    assert (err, process.returncode) == ("\\u80f8.png: not here\n", 2)


def test_a_bar_is_drawn_with_what_the_terminal_has(monkeypatch: pytest.MonkeyPatch) -> None:
    bytes_ = io.BytesIO()
    file = io.TextIOWrapper(bytes_, encoding="ascii")
    monkeypatch.setattr(console, "errors", Console(file=file, force_terminal=True, width=20, color_system=None))
    with console.bar("checking") as tell:
        tell(1, 3)
        tell(3, 3)
    file.flush()
    assert b"-----" in bytes_.getvalue()


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
@pytest.mark.parametrize("lines", [1, 100_000])
def test_who_reads_may_leave_off(closed: str, lines: int) -> None:
    """As `| head` does: no traceback, and the exit status that a shell knows for it."""
    write = "print('x')" if closed == "stdout" else "errors.print('x')"
    code = f"import typer; typer.run(lambda: (input(), [{write} for _ in range({lines})])[:0])"
    with started(code, stdin=subprocess.PIPE) as process:
        getattr(process, closed).close()
        process.stdin.write("\n")
        process.stdin.close()
        other = process.stderr if closed == "stdout" else process.stdout
        assert (other.read(), process.wait(timeout=120)) == ("", 141)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_under_the_output_is_one_line() -> None:
    with open("/dev/full", "w") as full, started("print('x')", stdout=full) as process:
        assert process.stderr.read() == "output: No space left on device; free space or choose another folder\n"
    assert process.returncode == 2


def test_a_name_that_the_locale_lacks_is_one_line() -> None:
    env = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    with started("open('\\u80f8.png')", env=env) as process:
        assert process.stderr.read().startswith("'\\u80f8.png': no file name in this locale's ")
    assert process.returncode == 2


def test_outside_a_report_nothing_is_relayed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(console.RELAY, raising=False)
    with console.relay("detector", "training detector") as tell:
        assert tell is None


def test_the_course_relays_what_takes_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, told = tmp_path / "inside.json", []
    monkeypatch.setenv(console.RELAY, str(file))
    monkeypatch.setenv("CHESTLIB_HOME", str(tmp_path))
    monkeypatch.setattr(console, "PERIOD", 0)

    def pretend(*_: object, progress: console.Progress, **__: object) -> None:
        told.append(console.relayed(file))
        progress(3, 9, "epoch 1 of 2")
        told.append(console.relayed(file))

    monkeypatch.setattr(train, "tune", pretend, raising=False)
    monkeypatch.setattr(train, "train_stage", pretend, raising=False)
    monkeypatch.setattr(phantom, "write", pretend)
    monkeypatch.setattr(course.lesson, "open_data", lambda folder: None)
    course.phantom(settings.profile("quick"))
    data = type("Data", (), {"root": tmp_path, "train": [], "test": [], "records": []})()
    course.Course(data, data, settings.profile("quick")).classifier()
    assert told[::2] == [
        ["phantom", "drawing the phantom", 0, 0],
        ["study", "tuning", 0, 0],
        ["classifier", "training classifier", 0, 0],
    ]
    assert told[1::2] == [[part, f"{text}, epoch 1 of 2", 3, 9] for part, text, *_ in told[::2]]
    assert not file.exists(), "nothing runs any more"
