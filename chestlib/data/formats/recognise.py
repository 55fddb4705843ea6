"""The layouts that data sets have on disk: which files are annotations of which part, and where their images are."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from chestlib.data.annotations import Parts, Reading, Record, read_official
from chestlib.data.formats import challenge, coco, yolo
from chestlib.data.patients import NIH_FOLDER
from chestlib.errors import ChestlibError
from chestlib.files import walk

PARTS = ("train", "test")

PHANTOM = "phantom.json"
UNFINISHED_PHANTOM = ".phantom-begun.json"
"""Lie beside the phantom's annotations when it is whole, and until then."""

UNFINISHED = ".fetch"
"""Work folder of a fetch."""

LEVELS = ("", "*/", "*/*/")
"""How deep a data set may lie in the folder that is named."""

Found = tuple[Path, str, Parts]


def find(folder: Path, reading: Reading) -> Found | None:
    """Find the data set in a folder, or the part in one file: its root, its format, its parts with their images."""
    readers = (_official, _yolo, _challenge, _coco) if folder.is_dir() else (_one_file,)
    return next(filter(None, (read(folder, reading) for read in readers)), None)


def _official(folder: Path, reading: Reading) -> Found | None:
    """Read `train.json`, `test.json` and the images at any depth of `train_data/` and `test_data/`."""
    for level in LEVELS:
        files = [path for part in PARTS for path in folder.glob(f"{level}{part}.json")]
        files = [path for path in files if path.parent == folder or path.parent.name not in (NIH_FOLDER, UNFINISHED)]
        roots = {path.parent for path in files if not coco.is_coco(path)}
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
    parts = {}
    for part in PARTS:
        path = root / f"{part}.json"
        found = {p.name: p for p in walk(root / f"{part}_data")}
        records = read_official(path, reading) if path.exists() else []
        parts[part] = [replace(record, path=found.get(record.file_name)) for record in records]
    return root, "chestx-det10", parts


def _yolo(folder: Path, reading: Reading) -> Found | None:
    files = (file for level in LEVELS for file in sorted(folder.glob(f"{level}*.y*ml")) if yolo.is_yolo(file))
    file = next(files, None)
    return (file.parent, "yolo", _with_images(yolo.read(file, reading), file.parent)) if file else None


def _challenge(folder: Path, reading: Reading) -> Found | None:
    if not challenge.is_challenge(folder):
        return None
    return folder, "challenge", _with_images(challenge.read(folder, reading), folder)


def _coco(folder: Path, reading: Reading) -> Found | None:
    """Read COCO files of any name in the folder, below it, or above it when the folder holds their images."""
    if files := [path for path in walk(folder, {".json"}) if coco.is_coco(path)]:
        return folder, "coco", _coco_parts(files, folder, folder, reading)
    for path in sorted(folder.parent.glob("*.json")):
        with suppress(ChestlibError):  # somebody else's file
            files += [path] if coco.is_coco(path) else []
    parts = _coco_parts(files, folder.parent, folder, reading)
    return (folder, "coco", parts) if any(r.path for records in parts.values() for r in records) else None


def _coco_parts(files: list[Path], root: Path, pictures: Path, reading: Reading) -> Parts:
    """Read each file as the part that its path below `root` names, train if none."""
    parts: Parts = {}
    for file in files:
        named = re.search(r"(?<![a-z])(test|val)(id|idation)?(?![a-z])", file.relative_to(root).as_posix().lower())
        part = named[1] if named else "train"
        found = _with_images({part: coco.read(file, reading)}, pictures, file.parent)[part]
        parts[part] = reading.unique([*parts.get(part, []), *found])
    return parts


def _one_file(file: Path, reading: Reading) -> Found:
    """Read one part alone, with the images around it."""
    layout, read = ("coco", coco.read) if coco.is_coco(file) else ("chestx-det10", read_official)
    part = "test" if "test" in file.stem.lower() else "train"
    return file.parent, layout, _with_images({part: read(file, reading)}, file.parent, file.parent)


def _with_images(parts: Parts, folder: Path, annotations: Path | None = None) -> Parts:
    """Find images at any depth below `folder` by the end of their path, case ignored.

    Of several, those beside the annotations win, then those in a folder named after the part; if still several
    are left, the name is no longer a name.
    """
    index: dict[str, list[Path]] = {}
    for path in walk(folder):
        index.setdefault(path.name.lower(), []).append(path)

    def find(record: Record, part: str) -> Path | None:
        wanted = PurePosixPath(record.file_name.lower())
        found = index.get(wanted.name, [])
        for prefer in (
            lambda p: p.relative_to(folder).as_posix().lower().endswith(str(wanted)),
            lambda p: p.parent == annotations,
            lambda p: any(step.lower().startswith(part) for step in p.relative_to(folder).parts[:-1]),
            lambda p: p.name == PurePosixPath(record.file_name).name,
        ):
            found = list(filter(prefer, found)) or found
        if len(found) > 1:
            raise ChestlibError(f"{found[0]}: has the same name as {found[1]}; which one is {record.file_name}?")
        return found[0] if found else None

    return {part: [replace(r, path=find(r, part)) for r in records] for part, records in parts.items()}
