"""What a result is of: digests of annotations, images and split, compared whenever the result is used again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from chestlib.console import Progress
from chestlib.data.annotations import Record
from chestlib.data.cache import content_digests
from chestlib.data.splits import Split


class Identity(NamedTuple):
    """Digests of what a model learns from and is scored on, 16 hexadecimal digits each.

    Parameters
    ----------
    annotations : str
        Names, boxes, findings and patients of all parts.
    images : str
        Contents of the image files.
    split : str
        Which image lies in which part, in which order.
    test : str
        Names, boxes and findings of the test part: what its scores rest on.
    """

    annotations: str
    images: str
    split: str
    test: str

    def differing(self, was: Any) -> list[str]:
        """List in words what is not as `was`, the JSON form of another identity, says."""
        was = was if isinstance(was, dict) else {}
        words = {"annotations": "annotations", "images": "image contents", "split": "split"}
        return [word for key, word in words.items() if was.get(key) != getattr(self, key)]


def identify(split: Split, cache: Path, progress: Progress | None = None) -> Identity:
    """Identify the images of a split and what is said of them.

    Parameters
    ----------
    cache : Path
        Folder of the image cache, whose index knows the contents of files that have not changed.
    progress : callable, optional
        Called with files done and files in all.
    """
    parts = {"train": split.train, "val": split.val, "test": split.test}
    records = [record for part in parts.values() for record in part]
    paths = [record.path for record in records if record.path]  # a split holds those alone that are there
    contents = zip((r.file_name for r in records), content_digests(paths, cache, progress), strict=True)
    patients = sorted([r.file_name, r.patient] for r in records)
    return Identity(
        annotations=digest([annotations_digest(records), patients]),
        images=digest(sorted(contents)),
        split=digest([split.name, {part: [r.file_name for r in found] for part, found in parts.items()}]),
        test=annotations_digest(split.test),
    )


def annotations_digest(records: Iterable[Record]) -> str:
    """Digest names, boxes, findings and what was not looked for, whatever the order of the records."""
    said = ([r.file_name, r.boxes.tolist(), [r.names[i - 1] for i in r.labels], *_partly(r)] for r in records)
    return digest(sorted(said))


def _partly(record: Record) -> list[Any]:
    """List what partial labels add; nothing for a record that is annotated in full, as those of 0.1.0."""
    if record.annotated is None and (len(record.labels) or not record.diseased):
        return []
    looked = None if record.annotated is None else sorted(record.names[i - 1] for i in record.annotated)
    return [looked, record.diseased, record.normal]


def digest(value: Any) -> str:
    """Digest a JSON value, to 16 hexadecimal digits."""
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=8).hexdigest()
