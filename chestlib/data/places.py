"""Where images lie, and which part a path names: one answer for all formats, whatever system wrote the path."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from chestlib.data import images
from chestlib.data.annotations import Parts, Reading, Record
from chestlib.errors import ChestlibError

PART_WORDS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "tests", "testing", "eval", "evaluation"),
}
"""Whole words that name a part in a path; source: huggingface.co/docs/datasets/repository_structure."""
PART = {word: part for part, words in PART_WORDS.items() for word in words}

FOREIGN = re.compile(r"([a-z][a-z0-9+.-]*:)?/|[a-z]:", re.IGNORECASE)
"""Begins a path of another machine: a root, a drive, a share, an address."""


def part_of(steps: Iterable[str]) -> str:
    """Name the part that a path speaks of, in its last step that names just one; empty if none does."""
    for step in reversed(list(steps)):
        named = {PART[word] for word in re.findall("[a-z]+", step.lower()) if word in PART}
        if len(named) == 1:
            return named.pop()
    return ""


def slashes(name: str) -> str:
    """Write a path with slashes, whatever system it is of."""
    return str(PurePosixPath(name.replace("\\", "/"))) if name else name


def steps_of(path: str) -> list[str]:
    """List the steps of a path of any system, without drive, root, and steps up."""
    path = path.replace("\\", "/")
    path = path.partition("?d=")[2] or path  # Label Studio's address of a local file
    path = path.partition("?")[0] if "://" in path else path
    path = re.sub(r"^[a-z][a-z0-9+.-]*:", "", path, flags=re.IGNORECASE)
    return [step for step in path.split("/") if step not in ("", ".", "..")]


def local(names: Sequence[str]) -> list[str]:
    """Make paths below the data folder of what images are called on the machine that wrote the annotations.

    Paths of another machine lose the folders that all of them share.
    """
    given = [slashes(name) for name in names]
    foreign = [i for i, name in enumerate(given) if FOREIGN.match(name) or ".." in name.split("/")]
    for i, name in zip(foreign, unshared([names[i] for i in foreign]), strict=True):
        given[i] = name
    return given


def unshared(names: Sequence[str]) -> list[str]:
    """Leave off the folders that all of these paths share."""
    paths = [steps_of(name) for name in names]
    folders = [steps[:-1] for steps in paths]
    ends = zip(min(folders, default=[]), max(folders, default=[]), strict=False)
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))
    return ["/".join(steps[shared:]) for steps in paths]


def same(step: str) -> str:
    """Give what two spellings of a name have in common: case, blanks around it and Unicode's normal forms aside."""
    return unicodedata.normalize("NFC", step).strip().casefold()


def suffixless(name: str) -> str:
    """Take the file type off a path, its folders left on; the numbers of a DICOM UID are none."""
    return re.sub(r"(?<=[^/])\.[^./\d][^./]*$", "", name)


Key = tuple[str, ...]
Rule = Callable[[Sequence[str]], Key]
"""What is compared of the last steps of a path."""


def descend(folder: Path, steps: Iterable[str]) -> Path | None:
    """Go down from a folder by steps that may be spelled otherwise; None if one of them is not there."""
    for step in steps:
        inside = sorted(folder.iterdir()) if folder.is_dir() else []
        if not (found := [path for path in inside if same(path.name) == same(step)]):
            return None
        folder = found[0]
    return folder


def _spelled(steps: Sequence[str]) -> Key:
    return tuple(map(same, steps))


def _unquoted(steps: Sequence[str]) -> Key:
    """Undo the percent signs of an address."""
    return tuple(same(unquote(step)) for step in steps)


def _typeless(steps: Sequence[str]) -> Key:
    return (*_unquoted(steps[:-1]), suffixless(same(unquote(steps[-1]))))


class Places:
    """The images at any depth below `folder`.

    One is found where the format says that it lies; else by the end of its path, step by step, by as many steps as
    both have, and by no fewer than it takes to tell the record from the others of its part. Of several, those in the
    folders that the format names win, then those that no other record has, those in a folder named after the part,
    and those of the same spelling; if still several are left, the name is no longer a name. What is not found so may
    have another file type, if only one image there has its stem.

    Parameters
    ----------
    folder : Path
        Where to search.
    named : callable
        The folders that the format names for a part and a record, the best first.
    """

    def __init__(self, folder: Path, named: Callable[[str, Record], Sequence[Path]]) -> None:
        self.folder = folder
        self.named = named
        self._paths: list[tuple[Path, tuple[str, ...]]] | None = None
        self._ends: dict[tuple[Rule, int], dict[Key, list[Path]]] = {}

    def complete(self, parts: Parts, reading: Reading) -> Parts:
        """Give the records of all parts their images; those they have are kept."""
        parts = {part: [self._literal(part, r) for r in records] for part, records in parts.items()}
        for rule in (_spelled, _unquoted):
            parts = {part: self._searched(part, records, rule) for part, records in parts.items()}
        parts = self._apart(parts)
        return self._guessed(parts, reading)

    def _literal(self, part: str, record: Record) -> Record:
        if record.path is None:
            for folder in self.named(part, record):
                if os.path.isfile(path := folder / record.file_name):
                    return replace(record, path=path)
        return record

    def _searched(self, part: str, records: list[Record], rule: Rule) -> list[Record]:
        found = self._candidates(records, rule)
        had = {r.path for r in records} | {paths[0] for paths in found.values() if len(paths) == 1}
        return [replace(r, path=self._best(part, r, found[i], had)) if i in found else r for i, r in enumerate(records)]

    def _candidates(self, records: list[Record], rule: Rule) -> dict[int, list[Path]]:
        """Find the images that share the longest end with a record that has none."""
        if all(record.path for record in records):
            return {}
        ends = [rule(PurePosixPath(record.file_name).parts) for record in records]
        found: dict[int, list[Path]] = {}
        for count in range(max(map(len, ends)), 0, -1):
            times = Counter(end[-count:] for end in ends if len(end) >= count)
            there = self._ending(rule, count)
            for i, end in enumerate(ends):
                alone = times[end[-count:]] == 1 or (len(end) == count and rule is not _typeless)
                if records[i].path is None and i not in found and len(end) >= count and alone and end[-count:] in there:
                    found[i] = there[end[-count:]]
        return found

    def _ending(self, rule: Rule, count: int) -> dict[Key, list[Path]]:
        """Index the images by their last steps; once, so that time grows with their number and not its square."""
        if self._paths is None:
            self._paths = [(p, p.relative_to(self.folder).parts) for p in images.inside(self.folder)]
        if (rule, count) not in self._ends:
            ends = self._ends[rule, count] = {}
            for path, own in self._paths:
                if len(own) >= count:
                    ends.setdefault(rule(own[-count:]), []).append(path)
        return self._ends[rule, count]

    def _best(self, part: str, record: Record, found: list[Path], had: set[Path | None]) -> Path:
        if len(found) == 1:
            return found[0]
        preferred: list[Callable[[Path], bool]] = [
            *((lambda p, folder=folder: p.is_relative_to(folder)) for folder in self.named(part, record)),
            lambda p: p not in had,
            lambda p: self._part_of(p) == part,
            lambda p: p.name == PurePosixPath(record.file_name).name,
        ]
        for prefer in preferred:
            if len(found) > 1:
                found = list(filter(prefer, found)) or found
        if len(found) > 1:
            raise ChestlibError(f"{found[0]}: has the same name as {found[1]}; which one is {record.file_name}?")
        return found[0]

    def _part_of(self, path: Path) -> str:
        return part_of(Path(os.path.relpath(path, self.folder)).parts[:-1])

    def _apart(self, parts: Parts) -> Parts:
        """Take an image that two parts claim from the one in whose folder it does not lie."""
        times = Counter(path for records in parts.values() for path in {r.path for r in records if r.path})
        twice = {path: self._part_of(path) for path, n in times.items() if n > 1}
        return {
            part: [
                replace(r, path=None)
                if r.path in twice and twice[r.path] in parts.keys() - {part, part_of(r.file_name.split("/"))}
                else r
                for r in records
            ]
            for part, records in parts.items()
        }

    def _guessed(self, parts: Parts, reading: Reading) -> Parts:
        """Take an image of another file type where it is the only one of its stem."""
        taken = {record.path for records in parts.values() for record in records}
        guesses, doubts = [], []
        for part, records in parts.items():
            parts[part] = records = list(records)
            for i, paths in self._candidates(records, _typeless).items():
                paths = [path for path in paths if path not in taken]
                if len(paths) == 1:
                    taken.add(paths[0])
                    if suffixless(records[i].file_name) != records[i].file_name:  # else it says none
                        guesses.append(f"{paths[0].name} for {records[i].file_name}")
                    records[i] = replace(records[i], path=paths[0])
                elif paths:
                    doubts.append(f"{paths[0].name} or {paths[1].name} for {records[i].file_name}")
        if guesses:
            reading.tell(f"{len(guesses)} images found under another suffix: {guesses[0]}{_more(guesses)}")
        if doubts:
            reading.tell(f"{len(doubts)} images are missing, and several have their stem: {doubts[0]}{_more(doubts)}")
        return parts


def _more(items: Sequence[str]) -> str:
    return ", …" if items[1:] else ""
