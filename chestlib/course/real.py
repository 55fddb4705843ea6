"""What was measured beforehand, on real films above all, and what NIH's table says of films: chapters ask here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chestlib.course.lesson import home
from chestlib.data import DataFolder
from chestlib.errors import ChestlibError
from chestlib.files import read_json

if TYPE_CHECKING:
    import pandas as pd

TWINS = "nih-names"
"""Folder beside ChestX-Det10's annotations: the same, record for record, under NIH's file names."""

COLUMNS = {
    "Finding Labels": "labels", "Follow-up #": "visit", "Patient ID": "patient", "Patient Age": "age",
    "Patient Gender": "sex", "View Position": "view",
}  # fmt: skip


def measured(name: str) -> Any:
    """Return what a benchmark wrote as figures/`name`.json; ChestlibError if it is missing."""
    file = home() / "figures" / f"{name}.json"
    if not file.is_file():
        raise ChestlibError(f"{file}: not there; it comes with the project: run this in the project's folder")
    return read_json(file)


def real_figures(section: str | None = None) -> Any:
    """Return what was measured on real films, from figures/real.json; one section of it, if it is named.

    Each section says with which films, how many, which seed and which command; intervals are over patients.

    Raises
    ------
    ChestlibError
        If the file or the section is missing.
    """
    file, found = home() / "figures" / "real.json", measured("real")
    if section is not None and section not in found:
        raise ChestlibError(f"{file}: no section {section!r}; it has {', '.join(found)}")
    return found if section is None else found[section]


def nih_table(data: DataFolder) -> pd.DataFrame | None:
    """Look up what NIH's table says of each film of a data set, also of films that are not there.

    Parameters
    ----------
    data : DataFolder
        ChestX-Det10 with its `nih-names/` beside the annotations, or films under their NIH names.

    Returns
    -------
    DataFrame, optional
        A row a record, in the order of `data.records`: `labels` (mined from the report, `|` between them), `visit`,
        `patient`, `age` in years, `sex`, `view`; its index is the NIH name without a suffix. None where
        `Data_Entry_2017*.csv[.gz]` lies neither in the folder nor in one beside it, or lacks one of the films.
    """
    import pandas as pd

    root = data.root.resolve()
    places = [*root.glob("Data_Entry_2017*.csv*"), *root.parent.glob("*/Data_Entry_2017*.csv*")]
    if not places:
        return None
    table = pd.read_csv(places[0]).rename(columns=COLUMNS)
    table = table.set_index(table["Image Index"].str.partition(".")[0])[list(COLUMNS.values())]
    names = list(_nih_names(data))
    return table.loc[names].rename_axis("film") if set(names) <= set(table.index) else None


def _nih_names(data: DataFolder) -> Iterator[str]:
    """Each record's NIH name without a suffix; its own name where no other is known."""
    files = {record.origin[0] for record in data.records if record.origin}
    pairs = {file: file.parent / TWINS / file.name for file in files}
    twins = {file: read_json(twin) for file, twin in pairs.items() if twin.is_file()}
    for record in data.records:
        file, index = record.origin or (None, 0)
        yield Path(twins[file][index]["file_name"] if file in twins else record.file_name).stem
