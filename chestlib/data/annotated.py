"""`annotated.csv` (file_name, annotated, diseased): which findings were looked for, and what is known without a box.

annotated holds names with | between them, * for all, nothing for none; diseased is yes, no, or nothing where it is not
known. The file_name * stands for all images that are not listed. Without the file every finding was looked for.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from chestlib.data.annotations import Reading, Record
from chestlib.data.places import same, slashes
from chestlib.files import read_table, write_atomically

ANNOTATED = "annotated.csv"
COLUMNS = ("file_name", "annotated", "diseased")
ALL = "*"
VERDICTS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False, "": None}

Said = tuple[frozenset[int] | None, bool | None]


def read(path: Path, reading: Reading) -> dict[str, Said]:
    """Read file name to ids of the findings that were looked for (None: all), and the verdict; faults are noted."""
    said: dict[str, Said] = {}
    for i, (name, findings, diseased) in enumerate(read_table(path, COLUMNS)):
        names = [] if findings == ALL else [one for one in map(str.strip, findings.split("|")) if one]
        if diseased.casefold() not in VERDICTS:
            reading.error(path, i, f"{name}: diseased is {diseased!r}; write yes, no or nothing")
        if (other := [one for one in names if not reading.known(one)]) and not reading.others:
            reading.error(path, i, f"{name}: unknown finding {other[0]!r}; known are {', '.join(reading.names)}")
        ids = frozenset(known for one in names if (known := reading.known(one)))
        said[same(slashes(name))] = None if findings == ALL else ids, VERDICTS.get(diseased.casefold())
    return said


def complete(record: Record, said: dict[str, Said]) -> Record:
    """Give a record what is said of it; the findings of its boxes were looked for in any case."""
    annotated, verdict = said.get(same(record.file_name), said.get(ALL, (record.annotated, record.verdict)))
    return narrowed(replace(record, annotated=annotated, verdict=verdict), range(1, len(record.names) + 1))


def narrowed(record: Record, known: Iterable[int]) -> Record:
    """Leave of the findings looked for those that are known to this data set; all of them are None."""
    looked = frozenset(known) if record.annotated is None else record.annotated & frozenset(known)
    looked |= frozenset(record.labels.tolist())
    whole = looked >= frozenset(range(1, len(record.names) + 1)) or (record.normal and record.verdict is False)
    return replace(record, annotated=None if whole else looked)


def note(records: Iterable[Record]) -> list[str]:
    """Tell how far the images are annotated, unless they all are in full."""
    records = list(records)
    partly = [record for record in records if record.annotated is not None]
    if not partly:
        return []
    unknown = sum(not (record.normal or record.diseased) for record in records)
    none = sum(not record.annotated for record in partly)
    return [
        f"partial labels: on {len(partly) - none} of {len(records)} images some findings were looked for, on {none} "
        f"none; {unknown} are known neither as diseased nor as normal"
    ]


def write(records: Iterable[Record], folder: Path) -> None:
    """Write the file, unless all that it would say is what boxes say."""
    rows = [
        (r.file_name, ALL if r.annotated is None else "|".join(r.names[i - 1] for i in sorted(r.annotated)),
         "yes" if r.diseased else "no" if r.normal else "")
        for r in records
        if r.annotated is not None or (r.diseased and not len(r.labels))
    ]  # fmt: skip
    if rows:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
        write_atomically(folder / ANNOTATED, text.getvalue())
