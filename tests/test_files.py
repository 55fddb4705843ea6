"""Files: every reading error names the file, and nothing is ever half written."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from chestlib import files
from chestlib.errors import ChestlibError


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no such file"),
        (b"", "not readable as JSON"),
        (b'{"a": 1', "is the file whole?"),
        (b"\xff\xfe{}", "not readable as JSON"),
        (b"[" * 200_000, "not readable as JSON"),
    ],
    ids=["missing", "empty", "cut off", "not UTF-8", "too deep"],
)
def test_a_file_that_is_no_json_is_named_in_one_line(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "found.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ChestlibError) as error:
        files.read_json(path)
    assert str(error.value).startswith(f"{path}: ") and says in str(error.value) and "\n" not in str(error.value)


def test_a_folder_is_no_json_and_a_byte_order_mark_does_not_matter(tmp_path: Path) -> None:
    with pytest.raises(ChestlibError, match=f"{tmp_path}: is a folder"):
        files.read_json(tmp_path)
    (tmp_path / "marked.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert files.read_json(tmp_path / "marked.json") == {"a": 1}


@pytest.mark.parametrize(
    "encoded",
    [
        lambda text: text.encode(),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: "\ufeff".encode("utf-16-be") + text.encode("utf-16-be"),
        lambda text: text.encode("cp1252"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.encode() + bytes(9),
    ],
    ids=["UTF-8", "marked", "UTF-16", "UTF-16 of a Mac", "Windows", "CRLF", "CR", "zeros at the end"],
)
def test_a_text_is_read_whatever_system_wrote_it(tmp_path: Path, encoded: Callable[[str], bytes]) -> None:
    (tmp_path / "a.json").write_bytes(encoded('{"a":\n"Müller"}\n\n'))
    assert files.read_json(tmp_path / "a.json") == {"a": "Müller"}
    (tmp_path / "a.jsonl").write_bytes(encoded('{"a": 1}\n["Müller"]\n\n'))
    assert files.read_json_lines(tmp_path / "a.jsonl") == [{"a": 1}, ["Müller"]]
    assert files.read_text(tmp_path / "a.jsonl").split("\n")[1] == '["Müller"]'


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\x81\x8d")
    with pytest.raises(ChestlibError, match=r"a\.json: not readable as text; save it as UTF-8"):
        files.read_json(tmp_path / "a.json")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_no_scratch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "new folder" / "a.txt"
    files.write_atomically(path, "old")
    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space left") as error:
        files.write_atomically(path, "new")
    assert error.value.filename == str(path)  # neither nothing nor the scratch file
    monkeypatch.undo()
    assert [p.read_text() for p in path.parent.iterdir()] == ["old"]
    files.write_atomically(path, b"\x00new")
    assert path.read_bytes() == b"\x00new"


@pytest.mark.parametrize("path", [".", "/"])
def test_a_folder_is_no_name_of_a_file_to_write(path: str) -> None:
    with pytest.raises(IsADirectoryError, match="Is a directory"):
        files.write_atomically(Path(path), "x")


def test_plain_values_are_json(tmp_path: Path) -> None:
    value = {
        1: (np.float32(0.5), np.int64(3), np.bool_(True)),
        "nested": {"array": np.array([[1.0, np.nan], [np.inf, -2.0]]), "tensor": torch.tensor([1, 2])},
        "none": [float("nan"), float("-inf"), np.float64("nan"), torch.tensor(float("nan")), None],
        "text": "NaN",
    }
    files.write_json(tmp_path / "a.json", value)
    assert json.loads((tmp_path / "a.json").read_text()) == {
        "1": [0.5, 3, True],
        "nested": {"array": [[1.0, None], [None, -2.0]], "tensor": [1, 2]},
        "none": [None] * 5,
        "text": "NaN",
    }
    assert type(files.plain(np.float64(2))) is float and type(files.plain(np.int64(2))) is int


def test_a_walk_is_in_order_and_passes_by_what_is_hidden(tmp_path: Path) -> None:
    for name in ("b.png", "a.PNG", "sub/c.jpeg", "sub/d.txt", ".hidden.png", ".cache/e.png", "__MACOSX/f.png", "g.dcm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in files.walk(tmp_path)]
    assert found == ["a.PNG", "b.png", "g.dcm", "sub/c.jpeg"]
    assert [path.name for path in files.walk(tmp_path, {".txt"})] == ["d.txt"]
    assert files.walk(tmp_path / "none") == []


def test_a_walk_follows_links_and_ends(tmp_path: Path) -> None:
    for name in ("store/deep/a.png", "data/b.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    for link, to in (("data/scans", "store"), ("data/up", "data"), ("store/back", "data"), ("data/again", "store")):
        (tmp_path / link).symlink_to(tmp_path / to)
    (tmp_path / "data" / "nowhere").symlink_to(tmp_path / "gone")
    found = [path.relative_to(tmp_path).as_posix() for path in files.walk(tmp_path / "data")]
    assert found == ["data/b.png", "data/again/deep/a.png"]


def test_a_file_is_linked_where_that_is_possible_and_else_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    source = tmp_path / "a.png"
    source.write_bytes(b"image")
    files.link_or_copy(source, tmp_path / "linked" / "a.png")
    assert (tmp_path / "linked" / "a.png").samefile(source)
    monkeypatch.setattr(os, "link", no_links)
    files.link_or_copy(source, tmp_path / "copied" / "a.png")
    copy = tmp_path / "copied" / "a.png"
    assert copy.read_bytes() == b"image" and not copy.samefile(source)


def test_a_copy_cut_short_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    resource = pytest.importorskip("resource")
    monkeypatch.setattr(os, "link", no_links)
    source, target = tmp_path / "a.png", tmp_path / "copied" / "a.png"
    source.write_bytes(bytes(100_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))  # as a disk that is full in the midst
    try:
        with pytest.raises(OSError, match="too large") as error:
            files.link_or_copy(source, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert error.value.filename == str(target) and not any(target.parent.iterdir())


@pytest.mark.parametrize(
    ("ranks", "first"),
    [
        ("", True),
        ("LOCAL_RANK=0 NODE_RANK=0", True),  # Lightning's launcher
        ("LOCAL_RANK=1 NODE_RANK=0", False),
        ("NODE_RANK=1", False),  # the second node, before and after Lightning has started its processes
        ("LOCAL_RANK=0 NODE_RANK=1", False),
        ("GROUP_RANK=1 LOCAL_RANK=0", False),
        ("RANK=0 LOCAL_RANK=0 GROUP_RANK=0", True),  # torchrun
        ("RANK=4 LOCAL_RANK=0 GROUP_RANK=1", False),
        ("SLURM_PROCID=0 SLURM_LOCALID=0", True),
        ("SLURM_PROCID=8 SLURM_LOCALID=0", False),
        ("SLURM_PROCID=0 LOCAL_RANK=1 NODE_RANK=0", False),  # Lightning's launcher in an interactive Slurm shell
    ],
)
def test_one_process_of_a_training_writes(monkeypatch: pytest.MonkeyPatch, ranks: str, first: bool) -> None:
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for setting in ranks.split():
        monkeypatch.setenv(*setting.split("="))
    assert files.first_process() is first
