"""Commands for data: phantom, fetch, check, convert."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chestlib import devices
from chestlib.cli.options import (
    DataDir,
    FindingsOption,
    Format,
    FrameOption,
    JsonOption,
    MapOption,
    OthersOption,
    SeedOption,
    Source,
    app,
    show,
    understood,
)
from chestlib.console import bar


@app.command()
def phantom(
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    train: Annotated[int, typer.Option(min=1, help="Images of the train part.")] = 800,
    test: Annotated[int, typer.Option(min=1, help="Images of the test part.")] = 200,
    size: Annotated[int, typer.Option(min=64, max=4096, help="Side in pixels.")] = 1024,
    seed: SeedOption = 0,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0: one a core. The bytes are the same.")] = 0,
) -> None:
    """Draw the synthetic data set. `chestlib phantom data/phantom --train 800 --test 200`."""
    from chestlib import phantom as package

    with bar("drawing phantoms") as tell:
        package.write(out, train, test, size=size, seed=seed, workers=workers or devices.cores(), progress=tell)
    print(f"{out}: {train} train and {test} test images")


@app.command()
def fetch(
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    source: Annotated[Source, typer.Option(help="Where the images come from.")] = Source.kaggle,
    annotations_only: Annotated[bool, typer.Option("--annotations-only", help="Leave the images out.")] = False,
) -> None:
    """Download ChestX-Det10; a killed download goes on. `chestlib fetch data/chestx-det10`."""
    from chestlib import data

    with bar("downloading") as tell:
        data.fetch(out, source=source.value, annotations_only=annotations_only, progress=tell)
    print(f"{out}: done; `chestlib check {out}` looks it over")


@app.command()
def check(
    folder: DataDir,
    as_json: JsonOption = False,
    findings: FindingsOption = None,
    others: OthersOption = None,
    mapping: MapOption = None,
    frame: FrameOption = None,
) -> None:
    """Count and check a data folder; exit status 2 when it has errors. `chestlib check data/phantom`."""
    from chestlib import data

    with bar("checking") as tell:
        report = data.check(folder, progress=tell, **understood(findings, others, mapping, frame))
    if as_json:
        show(report.to_json())
    else:
        print(report)
    if not report.ok:
        raise typer.Exit(2)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="File or folder of annotations in any of the formats.")],
    out: Annotated[Path, typer.Argument(help="File or folder to write.")],
    to: Annotated[Format, typer.Option(help="Format to write.")],
    findings: FindingsOption = None,
    others: OthersOption = None,
    mapping: MapOption = None,
    frame: FrameOption = None,
) -> None:
    """Convert annotations. `chestlib convert data/phantom/train.json train-coco.json --to coco`."""
    from chestlib import data

    with bar("converting") as tell:
        done = data.convert(source, out, to.value, progress=tell, **understood(findings, others, mapping, frame))
    print(done)
