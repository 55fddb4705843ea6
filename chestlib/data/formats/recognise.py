"""The layouts that data sets have on disk: which files are annotations of which part, and where their images are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from chestlib.data.annotations import Parts, Reading, Record
from chestlib.data.formats import challenge, coco, official, tables, yolo
from chestlib.data.patients import NIH_FOLDER
from chestlib.data.places import Places, part_of
from chestlib.errors import ChestlibError
from chestlib.files import read_json, walk

PARTS = ("train", "test")
OFFICIAL = ("train", "test", "val")

PHANTOM = "phantom.json"
UNFINISHED_PHANTOM = ".phantom-begun.json"
"""Lie beside the phantom's annotations when it is whole, and until then."""

UNFINISHED = ".fetch"
"""Work folder of a fetch."""

LEVELS = ("", "*/", "*/*/")
"""How deep a data set may lie in the folder that is named."""

Found = tuple[Path, str, Parts]


def find(folder: Path, reading: Reading) -> Found | None:
    """Find the data set in a folder, or the part in one file: its root, its format, its parts with their images.

    Files that only might be meant, as those without a record, are taken when nothing else is found.
    """
    readers = (_official, _yolo, _coco, _challenge, _tables, _coco_above, _official_by_name, _empty_challenge)
    return (
        next(filter(None, (read(folder, reading) for read in readers)), None)
        if folder.is_dir()
        else _one_file(folder, reading)
    )


def _load(path: Path) -> Any:
    """Read a JSON file that may be somebody else's; None if it can't be read."""
    with suppress(ChestlibError):
        return read_json(path)
    return None


def _official(folder: Path, reading: Reading, by_name: bool = False) -> Found | None:
    """Read `train.json` and `test.json`, beside each other or each in a folder of its part.

    Their images lie in `train_data/` and `test_data/` at any depth, or elsewhere in the folder.
    """
    for level in LEVELS:
        files = [path for part in OFFICIAL for path in folder.glob(f"{level}{part}.json")]
        files = [path for path in files if path.parent == folder or path.parent.name not in (NIH_FOLDER, UNFINISHED)]
        roots = {
            _home(path, folder)
            for path in files
            if official.is_official(document := _load(path)) or (by_name and not coco.is_coco(document))
        }
        if len(roots) > 1:
            names = ", ".join(sorted(str(root.relative_to(folder)) for root in roots))
            raise ChestlibError(f"{folder}: holds several data sets ({names}); give one of them")
        if roots:
            break
    root = min(roots, default=folder)
    if (root / UNFINISHED).exists() and not all((root / f"{part}.json").exists() for part in PARTS):
        raise ChestlibError(f"{root}: a fetch was broken off; the same chestlib fetch goes on where it stopped")
    if (root / UNFINISHED_PHANTOM).exists() and not (root / PHANTOM).exists():
        raise ChestlibError(f"{root}: drawing the phantom was broken off; the same chestlib phantom finishes it")
    if not roots:
        return None
    paths = {part_of([path.stem]): path for path in files if _home(path, folder) == root}
    parts = {
        part: official.read(paths[part], reading) if part in paths else [] for part in {**dict.fromkeys(PARTS), **paths}
    }
    places = Places(folder, lambda part, r: (_origin(r).parent / f"{part}_data", root / f"{part}_data", root))
    return root, "chestx-det10", places.complete(parts, reading)


def _home(path: Path, folder: Path) -> Path:
    """Find the root of a data set whose parts may each lie in a folder of its own."""
    own = path.parent != folder and part_of([path.parent.name]) == part_of([path.stem])
    return path.parent.parent if own else path.parent


def _official_by_name(folder: Path, reading: Reading) -> Found | None:
    return _official(folder, reading, by_name=True)


def _origin(record: Record) -> Path:
    assert record.origin, "every reader gives one"
    return record.origin[0]


def _yolo(folder: Path, reading: Reading) -> Found | None:
    files = (file for level in LEVELS for file in sorted(folder.glob(f"{level}*.y*ml")) if yolo.is_yolo(file))
    file = next(files, None)
    if not file:
        return None
    return file.parent, "yolo", Places(file.parent, lambda *_: ()).complete(yolo.read(file, reading), reading)


def _challenge(folder: Path, reading: Reading, empty: bool = False) -> Found | None:
    if not challenge.is_challenge(folder, empty):
        return None
    return folder, "challenge", Places(folder, lambda *_: ()).complete(challenge.read(folder, reading), reading)


def _empty_challenge(folder: Path, reading: Reading) -> Found | None:
    return _challenge(folder, reading, empty=True)


def _coco(folder: Path, reading: Reading) -> Found | None:
    """Read COCO files of any name in the folder or below it."""
    parts = _coco_parts(walk(folder, {".json"}), folder, folder, reading)
    return (folder, "coco", parts) if parts else None


def _coco_above(folder: Path, reading: Reading) -> Found | None:
    """Read COCO files above the folder when it holds their images."""
    parts = _coco_parts(sorted(folder.parent.glob("*.json")), folder.parent, folder, reading)
    held = any(r.path and folder in r.path.parents for records in parts.values() for r in records)
    return (folder, "coco", parts) if held else None


def _coco_parts(files: Iterable[Path], root: Path, pictures: Path, reading: Reading) -> Parts:
    """Read each file as the part that its path below `root` names, train if none."""
    parts: Parts = {}
    read: dict[str, list[Path]] = {}
    for file in files:
        if coco.is_coco(document := _load(file)):
            part = part_of(file.relative_to(root).with_suffix("").parts) or "train"
            read.setdefault(part, []).append(file)
            parts.setdefault(part, []).extend(coco.read(file, document, reading))
    for part, several in read.items():
        if several[1:]:
            names = ", ".join(file.relative_to(root).as_posix() for file in several)
            reading.tell(f"{len(several)} annotation files read as one {part} part: {names}")
    parts = Places(pictures, lambda _, r: (_origin(r).parent, pictures)).complete(parts, reading)
    return {part: reading.unique(records) for part, records in parts.items()}


def _tables(folder: Path, reading: Reading) -> Found | None:
    """Read the CSV tables that lie beside each other; their images lie anywhere in the folder."""
    roots = [folder]
    for _ in LEVELS:
        for root in roots:
            if files := tables.find(root):
                return root, tables.layout(files), _placed(files, folder, reading)
        roots = [path for root in roots for path in _folders(root)]
    return None


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return sorted(Path(entry) for entry in entries if entry.is_dir() and entry.name[0] not in "._")


def _placed(files: Sequence[Path], folder: Path, reading: Reading) -> Parts:
    places = Places(folder, lambda _, r: (_origin(r).parent / "images", _origin(r).parent))
    return tables.fitted(places.complete(tables.read(files, folder, reading), reading))


def _one_file(file: Path, reading: Reading) -> Found:
    """Read one part alone, with the images around it."""
    part = part_of([file.stem]) or "train"
    if tables.kind_of(file):
        return file.parent, tables.layout([file]), _placed([file], file.parent, reading)
    document = read_json(file)
    layout, records = (
        ("coco", coco.read(file, document, reading))
        if coco.is_coco(document)
        else ("chestx-det10", official.read(file, reading))
    )
    places = Places(file.parent, lambda part, _: (file.parent, file.parent / f"{part}_data"))
    return file.parent, layout, places.complete({part: records}, reading)


def passed_over(folder: Path) -> str:
    """Say of a file that might be meant why it is none, for a folder without a data set."""
    for path in walk(folder, {".json"}) if folder.is_dir() else []:
        try:
            kind = type(read_json(path)).__name__
        except ChestlibError as error:
            return f" (looked at {error})"
        return f" (looked at {path}: a {kind}, and neither COCO nor records)"
    return ""
