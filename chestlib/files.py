"""Files that are read with one clear line for an error, and written whole or not at all."""

from __future__ import annotations

import codecs
import csv
import errno
import gzip
import hashlib
import io
import json
import math
import os
import shutil
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from chestlib.errors import ChestlibError

MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
"""The bytes that other systems put in front of a text to say how it is encoded."""

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".dcm", ".dicom"}
MAX_PIXELS = 2**26
"""Larger images (more than 8192 x 8192) are taken for decompression bombs and refused."""


GZIP = b"\x1f\x8b"
"""How a packed file begins."""


def read_text(path: Path, count: int = -1) -> str:
    """Read a text file of any system: UTF-8, UTF-16 with its mark, or Windows-1252; lines end in a line feed.

    One that gzip has packed is unpacked. With `count`, only so many of its first bytes are read.

    Raises
    ------
    ChestlibError
        If it is missing, a folder, no text, or packed and damaged.
    """
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == GZIP
            file.seek(0)
            data = gzip.GzipFile(fileobj=file).read(count) if packed else file.read(count)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ChestlibError(f"{path}: not readable as gzip ({error}); is the file whole?") from None
    except FileNotFoundError:
        raise ChestlibError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ChestlibError(f"{path}: is a folder; expected a file") from None
    except OSError as error:
        raise ChestlibError(f"{path}: cannot be read ({error.strerror})") from None
    mark = next((mark for mark in MARKS if data.startswith(mark)), b"")
    for encoding in (MARKS[mark],) if mark else ("utf-8", "cp1252"):
        try:
            text = data[len(mark) :].decode(encoding)
        except UnicodeDecodeError:
            continue
        # A disk that lost its power leaves zeros at the end.
        return text.rstrip("\0").replace("\r\n", "\n").replace("\r", "\n")
    raise ChestlibError(f"{path}: not readable as text; save it as UTF-8")


def read_json(path: Path) -> Any:
    """Parse a JSON file; a missing or broken one is a ChestlibError of one clear line."""
    return _parsed(read_text(path), f"{path}: not readable as JSON")


def read_json_lines(path: Path) -> list[Any]:
    """Parse a file of one JSON value a line; errors as in :func:`read_json`, with the line."""
    lines = enumerate(read_text(path).split("\n"), start=1)
    return [_parsed(line, f"{path}: line {i} is not JSON") for i, line in lines if line.strip()]


def _parsed(text: str, fault: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ChestlibError(f"{fault} ({error}); is the file whole?") from None


def read_table(path: Path, columns: Sequence[str]) -> list[list[str]]:
    """Read these columns of a CSV file, in the order asked for, by its header.

    Commas, semicolons or tabs stand between them; the header's case, other columns and empty rows do not matter.

    Raises
    ------
    ChestlibError
        If the file is no such table; the line names the row.
    """
    expected = f"{path}: expected a CSV file with the columns {','.join(columns)}"
    text = read_text(path)
    found: list[list[str]] = []
    try:
        for delimiter in ",;\t":
            rows = csv.reader(io.StringIO(text), delimiter=delimiter)
            header = _names(next(rows, []))
            if set(columns) <= set(header):
                break
        else:
            raise ChestlibError(f"{expected} (found {text.partition(chr(10))[0][:80]!r})")
        places = [header.index(column) for column in columns]
        for row in rows:
            if any(map(str.strip, row)):
                if len(row) <= max(places):
                    raise ChestlibError(f"{expected} (line {rows.line_num}: {delimiter.join(row)[:80]!r})")
                found.append([row[place].strip() for place in places])
    except csv.Error as error:
        raise ChestlibError(f"{expected} ({error})") from None
    return found


def columns_of(path: Path) -> list[str]:
    """List the columns of a CSV file, in lower case, from its first line; errors as of :func:`read_text`."""
    line = read_text(path, 2**14).partition("\n")[0]
    try:
        return max((_names(next(csv.reader([line], delimiter=delimiter), [])) for delimiter in ",;\t"), key=len)
    except csv.Error:
        return []


def _names(header: Sequence[str]) -> list[str]:
    return [name.strip().casefold() for name in header]


def plain(value: Any) -> Any:
    """Turn a value into what JSON holds: plain numbers, lists, dictionaries, and None for NaN and infinities."""
    if isinstance(value, Mapping):
        return {str(key): plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):  # NumPy's and torch's
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, whole or not at all; see :func:`plain`."""
    write_atomically(path, json.dumps(plain(value), indent=1) + "\n")


def write_atomically(path: Path, text: str | bytes) -> None:
    """Write a file so that it is either the old one or the new one, never half of it."""
    with _whole(Path(path)) as file:
        file.write(text.encode() if isinstance(text, str) else text)


@contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a scratch file that takes the name `path` once it is written and on the disk."""
    if not path.name:  # "." and "/"
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(scratch, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except OSError as error:  # a full disk names nothing, another fault the scratch file
        if error.filename not in (None, str(scratch)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        scratch.unlink(missing_ok=True)


def first_process() -> bool:
    """Tell the process that writes and speaks from the others, which a training on several devices starts."""
    if rank := os.environ.get("RANK"):  # of torchrun, over all nodes
        return rank == "0"
    # Lightning's launcher tells the node (torchrun calls it a group) and the rank in it, Slurm the rank over all nodes.
    ranks = ("NODE_RANK", "GROUP_RANK", "LOCAL_RANK", "SLURM_PROCID")
    return all(os.environ.get(name, "0") == "0" for name in ranks)


def link_or_copy(source: Path, target: Path) -> None:
    """Make a hard link, or a whole copy on another disk or a file system without links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        with open(source, "rb") as content, _whole(target) as file:
            shutil.copyfileobj(content, file)


def sha256(path: Path) -> str:
    """Hash a file's content; in hexadecimal digits."""
    total = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            total.update(chunk)
    return total.hexdigest()


def walk(folder: Path, suffixes: Collection[str] = IMAGE_SUFFIXES) -> list[Path]:
    """List files of these kinds at any depth, in order; hidden ones and what macOS adds to archives are left out."""
    return [path for path in walking(folder) if path.suffix.lower() in suffixes]


def walking(folder: Path) -> Iterator[Path]:
    """Yield files of every kind as :func:`walk` does, for who keeps no list: a million paths take 700 MB.

    Links to folders are followed, each folder once, so that a link to what lies above it ends.
    """
    seen: set[tuple[int, int]] = set()
    for where, folders, names in os.walk(folder, followlinks=True):
        state = os.stat(where)
        if (state.st_dev, state.st_ino) in seen:
            folders.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        yield from (Path(where, name) for name in sorted(names) if name[0] != ".")


def refuse_bomb(path: Path, width: int, height: int) -> None:
    """Raise a ChestlibError, before anything is decoded, for a size that no radiograph has."""
    if width * height > MAX_PIXELS:
        raise ChestlibError(
            f"{path}: refused, {width} x {height} is more than {MAX_PIXELS} pixels; is it a radiograph?"
        )
