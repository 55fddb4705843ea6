"""Files that are read with one clear line for an error, and written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from chestlib.errors import ChestlibError

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".dcm", ".dicom"}
MAX_PIXELS = 2**26
"""Larger images (more than 8192 x 8192) are taken for decompression bombs and refused."""


def read_json(path: Path) -> Any:
    """Parse a JSON file; a missing or broken one is a ChestlibError of one clear line."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ChestlibError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ChestlibError(f"{path}: is a folder; expected a JSON file") from None
    except (ValueError, RecursionError) as error:
        raise ChestlibError(f"{path}: not readable as JSON ({error}); is the file whole?") from None
    except OSError as error:
        raise ChestlibError(f"{path}: cannot be read ({error.strerror})") from None


def read_json_lines(path: Path) -> list[Any]:
    """Parse a file of one JSON value a line; errors as in :func:`read_json`, with the line."""
    rows: list[Any] = []
    try:
        with open(path, encoding="utf-8-sig") as lines:
            for line in lines:
                rows.append(json.loads(line))
    except (ValueError, RecursionError) as error:
        raise ChestlibError(f"{path}: line {len(rows) + 1} is not JSON ({error}); is the file whole?") from None
    except OSError as error:
        raise ChestlibError(f"{path}: cannot be read ({error.strerror})") from None
    return rows


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
    return list(walking(folder, suffixes))


def walking(folder: Path, suffixes: Collection[str] = IMAGE_SUFFIXES) -> Iterator[Path]:
    """Yield what :func:`walk` lists, for who keeps no list: a million paths take 700 MB."""
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        yield from (Path(where, n) for n in sorted(names) if Path(n).suffix.lower() in suffixes and n[0] != ".")


def refuse_bomb(path: Path, width: int, height: int) -> None:
    """Raise a ChestlibError, before anything is decoded, for a size that no radiograph has."""
    if width * height > MAX_PIXELS:
        raise ChestlibError(
            f"{path}: refused, {width} x {height} is more than {MAX_PIXELS} pixels; is it a radiograph?"
        )
