"""The layouts that data sets have on disk: which files are annotations of which part, and where their images are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from chestlib.data.annotations import Parts, Reading, Record
from chestlib.data.formats import challenge, coco, official, yolo
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
        records = official.read(path, reading) if path.exists() else []
        parts[part] = _Images(root / f"{part}_data").of(records, part)
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
    images = _Images(pictures)
    for file in files:
        named = re.search(r"(?<![a-z])(test|val)(id|idation)?(?![a-z])", file.relative_to(root).as_posix().lower())
        part = named[1] if named else "train"
        parts.setdefault(part, []).extend(images.of(coco.read(file, reading), part, file.parent))
    return {part: reading.unique(records) for part, records in parts.items()}


def _one_file(file: Path, reading: Reading) -> Found:
    """Read one part alone, with the images around it."""
    layout, read = ("coco", coco.read) if coco.is_coco(file) else ("chestx-det10", official.read)
    part = "test" if "test" in file.stem.lower() else "train"
    return file.parent, layout, {part: _Images(file.parent).of(read(file, reading), part, file.parent)}


def _with_images(parts: Parts, folder: Path) -> Parts:
    images = _Images(folder)
    return {part: images.of(records, part) for part, records in parts.items()}


class _Images:
    """The images at any depth below `folder`.

    One is found by the end of its path, case ignored: by as many steps as both have, and by no fewer than it takes to
    tell the record from the others of its part. Of several, those beside the annotations win, then those in a folder
    named after the part; if still several are left, the name is no longer a name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._paths = walk(folder)
        self._ends: dict[int, dict[str, list[Path]]] = {}

    def _ending(self, steps: int) -> dict[str, list[Path]]:
        """Index the images by that many last steps; once, so that time grows with their number and not its square."""
        if steps not in self._ends:
            ends = self._ends[steps] = {}
            for path in self._paths:
                own = path.relative_to(self.folder).parts
                if len(own) >= steps:
                    ends.setdefault(_end(own, steps), []).append(path)
        return self._ends[steps]

    def of(self, records: list[Record], part: str, annotations: Path | None = None) -> list[Record]:
        """Give each record its image."""
        wanted = [PurePosixPath(record.file_name).parts for record in records]
        found: dict[int, list[Path]] = {}
        for steps in range(max(map(len, wanted), default=0), 0, -1):
            asking = {i: _end(own, steps) for i, own in enumerate(wanted) if len(own) >= steps}
            times = Counter(asking.values())
            for i, end in asking.items():
                if i not in found and (len(wanted[i]) == steps or times[end] == 1) and end in self._ending(steps):
                    found[i] = self._ending(steps)[end]
            if len(found) == len(records):
                break
        return [replace(r, path=self._best(found.get(i, []), r, part, annotations)) for i, r in enumerate(records)]

    def _best(self, found: list[Path], record: Record, part: str, annotations: Path | None) -> Path | None:
        for prefer in (
            lambda p: p.parent == annotations,
            lambda p: any(step.lower().startswith(part) for step in p.relative_to(self.folder).parts[:-1]),
            lambda p: p.name == PurePosixPath(record.file_name).name,
        ):
            if len(found) > 1:
                found = list(filter(prefer, found)) or found
        if len(found) > 1:
            raise ChestlibError(f"{found[0]}: has the same name as {found[1]}; which one is {record.file_name}?")
        return found[0] if found else None


def _end(path: Sequence[str], steps: int) -> str:
    return "/".join(path[-steps:]).lower()
