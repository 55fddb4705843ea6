"""The layouts that data sets have on disk: which files are annotations of which part, and where their images are."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

from chestlib.data import images
from chestlib.data.annotations import Reading, Record, read_official
from chestlib.data.formats import challenge, coco, yolo
from chestlib.data.patients import NIH_FOLDER
from chestlib.errors import ChestlibError
from chestlib.files import read_json, walk

PARTS = ("train", "test")

PHANTOM = "phantom.json"
UNFINISHED_PHANTOM = ".phantom-begun.json"
"""Lie beside the phantom's annotations when it is whole, and until then."""

UNFINISHED = ".fetch"
"""Work folder of a fetch."""

Found = tuple[Path, str, dict[str, list[Record]]]


def find(folder: Path, reading: Reading) -> Found | None:
    """The data set in a folder, or the part in one file: where it lies, its format, and its parts with their images.

    Raises
    ------
    ChestlibError
        If there are several, if what writes it was broken off, or a file of it is broken as a whole.
    """
    readers = (_read_official, _read_yolo, _read_challenge, _read_coco) if folder.is_dir() else (_read_file,)
    return next(filter(None, (read(folder, reading) for read in readers)), None)


def _read_official(folder: Path, reading: Reading) -> Found | None:
    """`train.json`, `test.json`, `train_data/`, `test_data/`; up to two levels down, images at any depth."""
    for level in ("", "*/", "*/*/"):
        files = [path for part in PARTS for path in folder.glob(f"{level}{part}.json")]
        files = [path for path in files if path.parent == folder or path.parent.name not in (NIH_FOLDER, UNFINISHED)]
        roots = {path.parent for path in files if not coco.is_coco(read_json(path))}
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


def _read_yolo(folder: Path, reading: Reading) -> Found | None:
    for level in ("", "*/", "*/*/"):
        for file in filter(yolo.is_yolo, sorted(folder.glob(f"{level}*.y*ml"))):
            parts = yolo.read(file, reading, images.size)
            return file.parent, "yolo", _with_images(parts, file.parent)
    return None


def _read_coco(folder: Path, reading: Reading) -> Found | None:
    """COCO files of any name in the folder, below it, or above it when the folder holds their images."""
    files = [path for path in walk(folder, {".json"}) if coco.is_coco(read_json(path))]
    if files:
        return folder, "coco", _coco_parts(files, folder, folder, reading)
    files = [path for path in sorted(folder.parent.glob("*.json")) if _is_coco_above(path)]
    parts = _coco_parts(files, folder.parent, folder, reading)
    return (folder, "coco", parts) if any(r.path for records in parts.values() for r in records) else None


def _coco_parts(files: list[Path], root: Path, pictures: Path, reading: Reading) -> dict[str, list[Record]]:
    """Each file is the part that its path below `root` names, train if none."""
    parts: dict[str, list[Record]] = {}
    for file in files:
        named = re.search(r"(?<![a-z])(test|val)(id|idation)?(?![a-z])", file.relative_to(root).as_posix().lower())
        part = named[1] if named else "train"
        found = _with_images({part: coco.read(file, reading)}, pictures, file.parent)[part]
        parts[part] = reading.unique([*parts.get(part, []), *found])
    return parts


def _is_coco_above(path: Path) -> bool:
    try:
        return coco.is_coco(read_json(path))
    except ChestlibError:  # somebody else's file
        return False


def _read_challenge(folder: Path, reading: Reading) -> Found | None:
    if not challenge.is_challenge(folder):
        return None
    return folder, "challenge", _with_images(challenge.read(folder, reading), folder)


def _read_file(file: Path, reading: Reading) -> Found:
    """One part alone, with the images around it."""
    is_coco = coco.is_coco(read_json(file))
    part = "test" if "test" in file.stem.lower() else "train"
    records = (coco.read if is_coco else read_official)(file, reading)
    parts = {"train": [], "test": [], **_with_images({part: records}, file.parent, file.parent)}
    return file.parent, "coco" if is_coco else "chestx-det10", parts


def _with_images(
    parts: dict[str, list[Record]], folder: Path, annotations: Path | None = None
) -> dict[str, list[Record]]:
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
