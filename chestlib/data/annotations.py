"""Annotation records, and what one reading of them shares: names of findings, and what was wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from chestlib.data.boxes import side_in, sound
from chestlib.data.extent import Extent
from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS

LONGEST = 400
"""Characters of a problem: what a broken file holds may be quoted in it."""
DECIMALS = 3
"""Coordinates are written to a thousandth of a pixel, in every format."""
NO_NAME = re.compile("[\\\\\0\ud800-\udc7f\udd00-\udfff]")
"""Backslash, NUL and half characters, which no file name holds, but for those that stand for a byte (PEP 383)."""


@dataclass(frozen=True, eq=False)
class Record:
    """What is known of one radiograph.

    Parameters
    ----------
    file_name : str
        As in the annotation file; unique within a part.
    boxes : (n, 4) float32
        xyxy, pixels of the original image; (0, 4) for a normal image.
    labels : (n,) int64
        Finding ids, 1, 2, ...
    patient : str
        Empty when unknown.
    path : Path, optional
        The image; None while it is missing.
    size : (int, int), optional
        Width and height where the annotations say them.
    origin : (Path, int), optional
        The file it was read from and its index there.
    id : int or str, optional
        Its own id in that file, if it has ids (COCO): results of other tools refer to it.
    names : tuple of str
        The findings of the labels, 1, 2, ...; the ten where nothing else is said.
    annotated : frozenset of int, optional
        Ids of the findings that somebody looked for here, so that one without a box is absent; None: all.
    verdict : bool, optional
        What is said of the film as a whole: True diseased, False normal; None: no more than its boxes say.
    extent : Extent, optional
        Its width and height in mm, where a table says them.
    visit : int, optional
        The follow-up number: orders the films of a patient.

    Examples
    --------
    >>> Record("36199.png").boxes.shape  # a normal image
    (0, 4)
    >>> Record("36204.png", [[10, 20, 60, 90]], [10])
    Record('36204.png', 1 box, findings=['Pneumothorax'])
    """

    file_name: str
    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    patient: str = ""
    path: Path | None = None
    size: tuple[int, int] | None = None
    origin: tuple[Path, int] | None = None
    id: int | str | None = None
    names: tuple[str, ...] = FINDINGS
    annotated: frozenset[int] | None = None
    verdict: bool | None = None
    extent: Extent | None = None
    visit: int | None = None

    def __post_init__(self) -> None:
        boxes = np.asarray(self.boxes, np.float32)
        object.__setattr__(self, "boxes", boxes.reshape(0, 4) if boxes.size == 0 else boxes)
        object.__setattr__(self, "labels", np.asarray(self.labels, np.int64))
        if self.boxes.shape != (len(self.labels), 4):
            raise ChestlibError(
                f"{self.file_name}: expected boxes ({len(self.labels)}, 4), one a label; got {self.boxes.shape}"
            )

    @property
    def diseased(self) -> bool:
        """True when at least one finding is boxed, or the film is said to have one."""
        return len(self.labels) > 0 or self.verdict is True

    @property
    def normal(self) -> bool:
        """True when it is known to be without a finding; a film may be neither this nor diseased."""
        return not self.diseased and (self.verdict is False or self.annotated is None)

    @property
    def findings(self) -> tuple[str, ...]:
        """Those that are present, each once, in the order of their ids."""
        return tuple(self.names[i - 1] for i in sorted(set(self.labels.tolist())) if i <= len(self.names))

    def __repr__(self) -> str:
        boxes = f"{len(self.labels)} box{'es' * (len(self.labels) != 1)}"
        return f"Record({self.file_name!r}, {boxes}, findings={list(self.findings)})"


Parts = dict[str, list[Record]]
"""The records of "train", "val" and "test", as far as a data set has them."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with one record of one file.

    Parameters
    ----------
    severity : str
        "error", or "warning" for what training and scoring survive.
    file : str
        The annotation file or the image.
    record : int, optional
        Index in the file.
    message : str
        What is wrong, the image's name first where it has one.
    """

    severity: str
    file: str
    record: int | None
    message: str

    def __str__(self) -> str:
        where = self.file if self.record is None else f"{self.file}: record {self.record}"
        return f"{where}: {self.message}"


class Reading:
    """What one reading of annotations shares between files: names of findings, and what was wrong.

    Readers gather problems here and go on, so that a check tells all of them; :meth:`finish` raises the first.

    Parameters
    ----------
    others : str, optional
        What becomes of other findings: None makes each an error, "drop" counts them in `dropped`, "keep" adds them
        to `names`.
    findings : sequence of str
        The findings that are known, in the order of their ids 1, 2, ...
    mapping : mapping, optional
        Name of a finding in the files to the known one that it is read as.
    frame : int, optional
        Side of the square, in pixels, that boxes of tables are measured in.
    """

    def __init__(
        self,
        others: str | None = None,
        findings: Sequence[str] = FINDINGS,
        mapping: Mapping[str, str] | None = None,
        frame: int | None = None,
    ) -> None:
        if others not in (None, "drop", "keep"):
            raise ChestlibError(f"others: {others!r} is not a choice; take 'drop' or 'keep'")
        if frame is not None and not side_in(frame):
            raise ChestlibError(f"frame: {frame!r} is not the side of an image, in pixels")
        self.others = others
        self.frame = frame
        self.names: list[str] = list(findings)
        self.categories: dict[Path, dict[Any, str]] = {}
        """For each file its own category ids, to names of findings: results of other tools refer to them."""
        self._ids = {name.casefold(): i for i, name in enumerate(findings, start=1)}
        self._mapped = {name.casefold(): self._ids.get(to.casefold(), 0) for name, to in (mapping or {}).items()}
        if lost := [to for to in (mapping or {}).values() if to.casefold() not in self._ids]:
            raise ChestlibError(f"map: {lost[0]!r} is not among the findings; known are {', '.join(findings)}")
        self.merged = {name.casefold(): Counter({name: 0}) for name in mapping or {}}
        self.dropped: Counter[str] = Counter()
        self.problems: list[Problem] = []
        self.told: Counter[str] = Counter()

    def error(self, file: Path, record: int | None, message: str, severity: str = "error") -> None:
        """Note what is wrong."""
        message = message.encode("utf-8", "backslashreplace").decode()
        message = message if len(message) <= LONGEST else f"{message[:LONGEST]} …"
        self.problems.append(Problem(severity, str(file), record, message))

    def note(self, record: Record, message: str, severity: str = "error", image: Path | None = None) -> None:
        """Note what is wrong with a record, where it was read, or with its image."""
        assert record.origin, "every reader gives one"
        file, index = record.origin
        self.error(image or file, index, f"{record.file_name}: {message}", severity)

    def tell(self, note: str) -> None:
        """Tell what is good but unusual, or was decided; `{n}` in it is how often that was told."""
        self.told[note] += 1

    @property
    def notes(self) -> list[str]:
        """What was told, each once, what was read as another finding, and what was dropped."""
        known = "one of the ten" if self.names[: len(FINDINGS)] == [*FINDINGS] else "among the findings"
        dropped = [f"{n} boxes dropped: {name} is not {known}" for name, n in self.dropped.most_common()]
        merged = [
            f"{n or 'no'} boxes of {name} read as {self.names[self._mapped[key] - 1]}"
            for key, count in self.merged.items()
            for name, n in count.items()
        ]
        return [*(note.replace("{n}", str(n)) for note, n in self.told.items()), *merged, *dropped]

    def finish(self) -> None:
        """Raise the first error as ChestlibError, if there is one."""
        if self.problems:
            more = f" (and {len(self.problems) - 1} more; chestlib check lists them)" if self.problems[1:] else ""
            raise ChestlibError(f"{self.problems[0]}{more}")

    def known(self, name: str) -> int | None:
        """Look up the id that a finding is read as, its case ignored; None if it is not known."""
        return self._mapped.get(name.casefold()) or self._ids.get(name.casefold())

    def label(self, name: str) -> int | None:
        """Look up the id of a box's finding, and count it; None if it is not known and not kept."""
        known = self.known(name)
        if count := self.merged.get(name.casefold()):
            count.update(count.keys())
        if known is None and self.others == "keep":
            self.names.append(name)
            known = self._ids[name.casefold()] = len(self.names)
        if known is None and self.others == "drop":
            self.dropped[name] += 1
        return known

    def record(
        self,
        file: Path,
        index: int,
        file_name: Any,
        boxes: Iterable[tuple[Any, Any]],
        size: tuple[int, int] | None = None,
        own_id: int | str | None = None,
    ) -> Record | None:
        """Make a record of the boxes that are sound, and note every other one; None if it can't have a name.

        Parameters
        ----------
        boxes : iterable of (finding, box)
            Boxes are xyxy. Both are whatever the file had there.
        """
        if not isinstance(file_name, str) or not _is_below(file_name):
            self.error(file, index, f"file_name {file_name!r} is not the name of an image below the data folder")
            return None
        kept, labels, lost = [], [], 0
        for finding, box in boxes:
            numbers, fault = sound(box, size)
            label = self.label(finding) if isinstance(finding, str) else None
            if fault:
                self.error(file, index, f"{file_name}: {finding}: box {box} {fault}")
            elif label is not None:
                kept.append(numbers)
                labels.append(label)
            elif self.others != "drop":
                known = f"known are {', '.join(self.names)}; name your own in findings.txt"
                self.error(file, index, f"{file_name}: unknown finding {finding!r}; {known}")
            else:
                lost += 1
        arrays = np.array(kept, np.float32), np.array(labels, np.int64)
        verdict = True if lost and not labels else None
        if verdict:
            self.tell("{n} images hold no other box than those dropped: diseased, and not normal")
        return Record(file_name, *arrays, size=size, origin=(file, index), id=own_id, verdict=verdict)

    def unique(self, records: Iterable[Record | None]) -> list[Record]:
        """Keep the first record of each file name in a part, and note the others."""
        seen: dict[str, Record] = {}
        for record in records:
            if record and seen.setdefault(record.file_name, record) is not record:
                self.note(record, "is listed before; keep one record an image")
        return list(seen.values())


def _is_below(file_name: str) -> bool:
    path = PurePosixPath(file_name)
    return (
        path.name != ""
        and not path.is_absolute()
        and ".." not in path.parts
        and not NO_NAME.search(file_name)
        and all(len(step.encode()) <= 255 for step in path.parts)  # no file system has longer names
    )


def images_in(folder: str, records: Iterable[Record]) -> Iterator[tuple[str, Path]]:
    """Lay the images that are there into a folder of a new data set."""
    return ((f"{folder}/{record.file_name}", record.path) for record in records if record.path)


def number(value: float) -> int | float:
    """Round a coordinate to what files hold."""
    return int(value) if value == int(value) else round(value, DECIMALS)
