"""Several data sets as one: file names that stay apart, patients that stay together."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from chestlib.data import images
from chestlib.data.annotated import narrowed
from chestlib.data.annotations import Record
from chestlib.data.patients import nih_patient
from chestlib.data.places import unshared
from chestlib.errors import ChestlibError


def labels(folders: Sequence[Path]) -> list[str]:
    """Name each folder by the end of its path, as far as it takes to tell them apart."""
    paths = [os.path.realpath(folder) for folder in folders]
    if again := next((path for path, other in itertools.pairwise(sorted(paths)) if path == other), None):
        raise ChestlibError(f"{again}: is named twice; give each data folder once")
    return unshared(paths)


def labelled(records: Iterable[Record], label: str, names: tuple[str, ...], known: Iterable[int]) -> list[Record]:
    """Put a folder's label before file names, and leave as looked for what its own findings are; ids of files go."""
    known = frozenset(known)
    return [narrowed(replace(r, file_name=f"{label}/{r.file_name}", names=names, id=None), known) for r in records]


def clean(folders: Sequence[list[Record]]) -> tuple[list[list[Record]], int]:
    """Give films of one person one patient, whatever the folders call them, and count films that are in several.

    A patient of one name is one patient, and so is that of an NIH file name, and of files with the same bytes. Where
    the patient is unknown, each film is a patient of its own.
    """
    heads: dict[str, str] = {}

    def head(patient: str) -> str:
        while (other := heads.get(patient, patient)) != patient:
            patient = other
        return patient

    def own(record: Record) -> str:
        return record.patient or nih_patient(record.file_name) or record.file_name

    copies = _copies(folders)
    for record in itertools.chain(*folders):
        if named := nih_patient(record.file_name):
            heads[head(own(record))] = head(named)
    for first, *others in copies:
        for other in others:
            heads[head(own(other))] = head(own(first))
    return [[replace(r, patient=head(own(r))) for r in records] for records in folders], len(copies)


def _copies(folders: Sequence[list[Record]]) -> list[list[Record]]:
    """List the films whose bytes are in several folders; only files of one size are read."""
    sizes: dict[int, list[tuple[int, Record]]] = {}
    for i, records in enumerate(folders):
        for record in records:
            if record.path:
                sizes.setdefault(os.path.getsize(record.path), []).append((i, record))
    found: dict[str, list[Record]] = {}
    for alike in sizes.values():
        if len({i for i, _ in alike}) > 1:
            for _, record in alike:
                assert record.path
                found.setdefault(images.digest(images.contents(record.path)), []).append(record)
    return [several for several in found.values() if several[1:]]
