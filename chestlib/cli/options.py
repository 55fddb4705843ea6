"""What several commands share: the app, kinds of arguments and options, JSON on standard output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from chestlib import settings
from chestlib.errors import ChestlibError

app = typer.Typer(
    help="From a chest X-ray to findings and boxes: begin with `chestlib predict film.png`. **Not for clinical use.**",
    no_args_is_help=True, add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False,
)  # fmt: skip

Profile = Enum("Profile", {"quick": "quick", "laptop": "laptop", "full": "full"}, type=str)  # type: ignore[misc]
Format = Enum("Format", {n: n for n in ("coco", "yolo", "challenge", "chestx-det10")}, type=str)  # type: ignore[misc]
Others = Enum("Others", {"keep": "keep", "drop": "drop"}, type=str)  # type: ignore[misc]
Stage = Enum("Stage", {"classifier": "classifier", "detector": "detector"}, type=str)  # type: ignore[misc]
Source = Enum("Source", {"kaggle": "kaggle", "official": "official"}, type=str)  # type: ignore[misc]

DataDir = Annotated[Path, typer.Argument(metavar="DIR", help="Data folder (as `phantom` or `fetch` write it).")]
DataDirs = Annotated[
    list[Path], typer.Argument(metavar="DIR...", help="Data folder; several are one data set, split by patient.")
]
RunDir = Annotated[Path, typer.Option("--run", help="Folder that all of this run is written to.")]
ProfileOption = Annotated[
    Profile, typer.Option(help="`quick`: minutes. `laptop`: ResNet-50, a CPU over night. `full`: a GPU.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON alone on standard output.")]
SeedOption = Annotated[int, typer.Option(parser=settings.read_seed, metavar="N", help="Seed of all, below 2**32.")]
StorageOption = Annotated[
    str | None,
    typer.Option(metavar="FILE|URL", help="The study's file, or a database (postgresql://...); workers may share it."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Another value of a setting; may be repeated. They stand below."),
]


FindingsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Your own findings, a name a line; default: the data's findings.txt, or the ten."
    ),
]


OthersOption = Annotated[
    Others | None, typer.Option("--others", help="What becomes of other findings; without it they are an error.")
]
MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="NAME=FINDING,...",
        help="Findings of the data that are read as known ones, as `Infiltrate=Consolidation`; may be repeated.",
    ),
]
FrameOption = Annotated[
    int | None, typer.Option(min=1, help="Side in pixels of the square that boxes of CSV tables are measured in.")
]


def understood(
    findings: Path | None, others: Others | None, mapping: Sequence[str] | None, frame: int | None
) -> dict[str, Any]:
    """Give what is typed of findings and boxes as options of :func:`chestlib.data.open_data`."""
    from chestlib.data import read_findings

    merged: dict[str, str] = {}
    for pair in ",".join(mapping or ()).split(",") if mapping else ():
        name, equals, finding = (text.strip() for text in pair.partition("="))
        if not (name and equals and finding) or merged.setdefault(name, finding) != finding:
            raise ChestlibError(f"--map: {pair!r} is not NAME=FINDING, each name once")
    return {
        "findings": read_findings(findings) if findings else None,
        "others": others.value if others else None,
        "mapping": merged or None,
        "frame": frame,
    }


def figure(value: float | None, interval: Sequence[float | None] | None) -> str:
    """Write a figure with its 95 % interval, as far as there are both."""
    low, high = interval or (None, None)
    text = "not defined" if value is None else f"{value:.3f}"
    return text if low is None or high is None else f"{text} ({low:.2f} to {high:.2f})"


def show(value: Any) -> None:
    """Print JSON on standard output."""
    print(json.dumps(value, indent=1))
