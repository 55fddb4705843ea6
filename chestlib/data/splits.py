"""Which image serves to train, to choose (val) and to judge (test): the official split and a patient-clean one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from chestlib.data.annotations import Record
from chestlib.data.patients import patient_groups
from chestlib.errors import ChestlibError
from chestlib.settings import SPECIFICITY_FLOOR

SMALLEST = 40
"""Training images below which a figure says little: the course then takes the phantom, a training tells it."""
VAL_SHARES = (0.15, 0.25, 0.35)
"""Of train, drawn for validation: the first by which it can choose; few films need more of them."""
LEAST = 8
"""Training images below which nothing is learnt."""


@dataclass(frozen=True, eq=False)
class Split:
    """Three lists of records whose images are present; a list may be empty.

    Parameters
    ----------
    name : str
        "official" or "patient-clean".
    seed : int
        Of the draw of the validation part.
    """

    name: str
    seed: int
    train: list[Record] = field(default_factory=list)
    val: list[Record] = field(default_factory=list)
    test: list[Record] = field(default_factory=list)

    def __repr__(self) -> str:
        sizes = f"{len(self.train)} train, {len(self.val)} val, {len(self.test)} test"
        return f"Split({self.name!r}, seed={self.seed}, {sizes})"

    def known(self, boxes: bool) -> Split:
        """Leave the images that teach and score a stage.

        Those known as normal or as diseased; for stage 2, `boxes`, those on which somebody looked for a finding.
        """
        parts = (
            [r for r in part if (r.annotated != frozenset() if boxes else r.normal or r.diseased)]
            for part in (self.train, self.val, self.test)
        )
        return Split(self.name, self.seed, *parts)

    def to_json(self) -> dict[str, Any]:
        """List the split by file names, to be saved with a run."""
        parts = {part: [record.file_name for record in getattr(self, part)] for part in ("train", "val", "test")}
        return {"name": self.name, "seed": self.seed, **parts}

    @classmethod
    def from_json(cls, state: dict[str, Any], train: Sequence[Record], test: Sequence[Record]) -> Split:
        """Make the same split again from the official parts of the same data.

        Raises
        ------
        ChestlibError
            If an image of the split is not among them.
        """
        parts = {}
        for part, records in (("train", train), ("val", train), ("test", test)):
            known = {record.file_name: record for record in _present(records)}
            if lost := [name for name in state[part] if name not in known]:
                gone = lost[0] in {record.file_name for record in records}
                where = "; its image is missing, complete the data" if gone else " but not in the data; other data?"
                raise ChestlibError(f"{lost[0]}: is in the split{where} ({len(lost)} images in all)")
            parts[part] = [known[name] for name in state[part]]
        return cls(state["name"], state["seed"], **parts)


def official(train: Sequence[Record], test: Sequence[Record], val_share: float = 0.15, seed: int = 0) -> Split:
    """Keep the data set's own parts, with validation drawn from train.

    Validation is drawn by patient where patients are known, else by image, and stratified by finding. Patients
    that train and test share stay shared: this is the split that published figures rest on, leak included.
    """
    drawn, rest = draw(_present(train), val_share, seed)
    return Split("official", seed, rest, drawn, _present(test))


def patient_clean(train: Sequence[Record], test: Sequence[Record], val_share: float = 0.15, seed: int = 0) -> Split:
    """Split as :func:`official`, but no patient is in two parts: patients of the test part are removed from train.

    Raises
    ------
    ChestlibError
        If the patient of an image is unknown.
    """
    unknown = [record.file_name for record in (*train, *test) if not record.patient]
    if unknown:
        raise ChestlibError(
            f"{unknown[0]}: patient unknown, as of {len(unknown)} images in all; a patient-clean split "
            "needs patients.csv (file_name,patient) beside the data"
        )
    tested = {record.patient for record in test}
    drawn, rest = draw([record for record in _present(train) if record.patient not in tested], val_share, seed)
    return Split("patient-clean", seed, rest, drawn, _present(test))


def default(train: Sequence[Record], test: Sequence[Record], seed: int = 0) -> Split:
    """Take the patient-clean split where every patient is known, else the official one."""
    known = all(record.patient for record in (*train, *test))
    make = patient_clean if known else official
    first, *larger = (partial(make, train, test, val_share=share, seed=seed) for share in VAL_SHARES)
    split = first()
    return split if _can_choose(split) else next(filter(_can_choose, (draw() for draw in larger)), split)


def _can_choose(split: Split) -> bool:
    """Tell whether val has what a threshold is chosen on, as far as there is enough in all."""
    diseased, normal = (sum(r.diseased is ill for r in split.val) for ill in (True, False))
    in_all = normal + sum(not record.diseased for record in split.train)
    return diseased >= 2 and normal >= min(normals_for(SPECIFICITY_FLOOR), in_all // 3)


class TooSmall(ChestlibError):
    """A part of the data is too small to train or to score."""


def normals_for(floor: float) -> int:
    """Count the normal images that a specificity floor needs: n of them show specificity in steps of 1/n."""
    return math.ceil(1 / (1 - floor) - 1e-9) if floor < 1 else 1


def require_trainable(
    split: Split, where: object, floor: float | None = SPECIFICITY_FLOOR, least: int = LEAST, missing: int = 0
) -> None:
    """Check that a training could teach and show something.

    Parameters
    ----------
    floor : float, optional
        The specificity that stage 1 must keep on val; None for stage 2, which needs no normal image.
    least : int
        Images to train on, at least.
    missing : int
        Images that are listed but not there: then they are what is to be had.

    Raises
    ------
    TooSmall
        With the counts: `least` images to train, two diseased ones in train and val and one in test; for stage 1 also
        two normal ones in train, as many in val as the floor needs, and one in test.
    """
    both = floor is not None
    split = split.known(boxes=not both)
    normals = max(2, normals_for(floor)) if floor is not None else 0
    for part, records, size, needed in (
        ("train", split.train, least, (2 * both, 2)),
        ("val", split.val, 1, (normals, 2)),
        ("test", split.test, 1, (int(both), 1)),
    ):
        diseased = sum(record.diseased if both else len(record.labels) > 0 for record in records)
        normal = len(records) - diseased
        if len(records) < size or normal < needed[0] or diseased < needed[1]:
            need = f"{size} images, " if size > sum(needed) else ""
            need += f"{needed[0]} normal and {needed[1]} diseased"
            verb = {"train": "train", "val": "choose thresholds on, drawn from train", "test": "score"}[part]
            raise TooSmall(
                f"{where}: {normal} normal and {diseased} diseased images are present for the {part} part, too few to "
                f"{verb} (at least {need}); {_remedy(normal < needed[0], missing)}"
            )


def _remedy(normal: bool, missing: int) -> str:
    if missing:
        return f"complete the data: {missing} images are missing (`chestlib fetch` gets those of ChestX-Det10)"
    if normal:
        return "stage 1 learns from both: add films without a finding, listed without a box; stage 2 needs none"
    return "add films with boxes"


def doubts(split: Split, boxes: bool) -> list[str]:
    """Say what a training on these images cannot teach or show; `boxes`: stage 2."""
    found = []
    if len(split.train) < SMALLEST:
        found.append(
            f"only {len(split.train)} images to train and {len(split.test)} to test: the figures say little, and their "
            "intervals are wide"
        )
    if boxes and not any(record.normal for record in split.train):
        found.append("no normal film to train on: expect false alarms on normal films")
    if boxes and not any(record.normal for record in split.test):
        found.append("no normal film in test: false alarms on normal films are not measured")
    names = split.train[0].names if split.train else ()
    held = {name for record in split.train for name in record.findings}
    if boxes and (absent := [name for name in names if name not in held]):
        found.append(f"no box to learn {', '.join(absent)} from")
    return found


def _present(records: Iterable[Record]) -> list[Record]:
    return [record for record in records if record.path is not None]


def draw(records: list[Record], share: float, seed: int) -> tuple[list[Record], list[Record]]:
    """Draw `share` of the records, whole patients only, with the findings in proportion: (drawn, rest).

    An image of unknown patient counts as a patient of its own.

    Iterative stratification: the rarest finding is dealt out first, each patient to the side that still lacks
    most of it. Source: Sechidis, Tsoumakas, Vlahavas, "On the Stratification of Multi-Label Data", ECML 2011.
    """
    groups: dict[str, list[int]] = {}
    for i, group in enumerate(patient_groups(records)):
        groups.setdefault(group, []).append(i)
    members = list(groups.values())
    np.random.default_rng(seed).shuffle(members)
    # One row a patient: images with each finding, normal images, those without a box that may not be, images in all.
    names = records[0].names if records else ()
    held = [(r, r.findings) for r in records]
    rest = [(r.normal, not own and not r.normal, True) for r, own in held]
    flags = np.array([[*(f in own for f in names), *last] for (_, own), last in zip(held, rest, strict=True)], int)
    counts = np.array([flags[m].sum(0) for m in members]).reshape(len(members), len(names) + 3)
    wanted = np.outer([share, 1 - share], counts.sum(0))

    left = np.ones(len(members), bool)
    drawn: set[int] = set()
    while left.any():
        remaining = counts[left].sum(0)[:-1]
        rarest = int(np.where(remaining > 0, remaining, np.iinfo(int).max).argmin())
        for i in np.flatnonzero(left & (counts[:, rarest] > 0)).tolist():
            side = 0 if tuple(wanted[0, [rarest, -1]]) > tuple(wanted[1, [rarest, -1]]) else 1
            wanted[side] -= counts[i]
            left[i] = False
            if side == 0:
                drawn.update(members[i])
    if not drawn and len(members) > 1 and share > 0:  # so few that each finding rounds to none
        drawn.update(members[0])
    return [r for i, r in enumerate(records) if i in drawn], [r for i, r in enumerate(records) if i not in drawn]
