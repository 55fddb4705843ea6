"""Commands for what is trained: predict, view, report; course, and env."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chestlib.cli.options import (
    FindingsOption,
    FrameOption,
    JsonOption,
    MapOption,
    OthersOption,
    Profile,
    ProfileOption,
    app,
    show,
    understood,
)
from chestlib.console import bar, complain, tell
from chestlib.detections import Detections
from chestlib.errors import ChestlibError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chestlib.prediction import Prediction


@app.command()
def predict(
    paths: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="PNG, JPEG, DICOM files, or folders of them.")
    ],
    detector: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="RUN",
            help="Run folder of stage 2; without a run the model that ships answers. Of several the answers are fused.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write; without it the answers are printed.")] = None,
    classifier: Annotated[
        Path | None, typer.Option(help="Run folder of stage 1; without it stage 2 works alone.")
    ] = None,
    cascade: Annotated[bool, typer.Option("--cascade", help="Stage 2 only where stage 1 says diseased.")] = False,
    flip: Annotated[
        bool, typer.Option("--flip", help="Stage 2 sees the mirror image, too; it takes twice the time.")
    ] = False,
    overlays: Annotated[bool, typer.Option("--overlays", help="Draw a picture for each film, too.")] = False,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS|N", help="Spread over a Dask cluster, or over N workers here.")
    ] = None,
) -> None:
    """Find findings and boxes in your own X-rays; with --out, the same command goes on where it was stopped.

    `chestlib predict film.png`; `chestlib predict scans/ --classifier runs/c --detector runs/d --out out`
    """
    from chestlib.data import images
    from chestlib.train import Run

    # What is wrong is told before torch is loaded.
    next(images.find(paths))
    if not out and (overlays or dask):
        raise ChestlibError("--overlays and --dask write files; name a folder for them with --out")
    named = [(classifier, "classifier")] if classifier else []
    for run, kind in (*named, *((run, "detector") for run in detector or ())):
        Run(run).require(kind, checkpoint=True)
    from chestlib import prediction

    model = prediction.predictor(classifier, detector, cascade, flip)
    tell("chestlib", model.told())
    if not out:
        _print(prediction.ask(paths, model), model.threshold, model.thresholds)
        return
    with bar("predicting") as progress:
        done = prediction.predict(paths, model, out, overlays=overlays, dask=dask, progress=progress)
    for error in done.errors:
        complain(error)
    for doubt in done.doubts:
        complain(doubt)
    if done.answered:
        print(f"{out}: {done.answered} of {done.films} images predicted")
    if done.errors:
        raise typer.Exit(2)


def _print(answers: Iterable[Prediction], threshold: float | None, thresholds: dict[str, float]) -> None:
    """Print a line a film, and one for each box that reaches its threshold, as they come."""
    failed = False
    for said in answers:
        if said.error:
            failed = True
            complain(said.error)
            continue
        called = "" if said.disease_present is None else "diseased" if said.disease_present else "normal"
        disease = f" {called}, disease {said.disease_probability:.2f}, called from {threshold:.2f} on" if called else ""
        print(f"{said.file}:{disease}", flush=True)
        if said.doubt:
            complain(f"{said.file}: {said.doubt}")
        shown = (said.detections or Detections.empty()).for_display(thresholds)
        for box, label, score in zip(shown.boxes, shown.labels, shown.scores, strict=True):
            x1, y1, x2, y2 = box.round().astype(int)
            print(f"  {shown.names[label - 1]:<13} {score:.2f}  x {x1} to {x2}, y {y1} to {y2}")
    if failed:
        raise typer.Exit(2)


@app.command()
def view(
    source: Annotated[Path, typer.Argument(help="A data folder, or the OUT of `chestlib predict`.")],
    predictions: Annotated[
        Path | None, typer.Argument(help="Predictions for the data's test part, as `evaluate` takes them.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("view.html"),
    first: Annotated[int, typer.Option(min=1, help="Films that the page holds, at most.")] = 100,
    findings: FindingsOption = None,
    others: OthersOption = None,
    mapping: MapOption = None,
    frame: FrameOption = None,
) -> None:
    """Look at films and boxes in a browser: one page that needs no network. `chestlib view out --out view.html`."""
    from chestlib.cli.examined import examined
    from chestlib.data import open_data
    from chestlib.metrics import noted_thresholds
    from chestlib.viewer import BoxViewer

    typed = understood(findings, others, mapping, frame)
    films: list[Any]
    found: list[Any] | None = None
    thresholds = noted_thresholds(predictions or source)
    if (source / "predictions.jsonl").is_file() and not predictions:
        from chestlib.prediction import read_answers

        said = [answer for answer in read_answers(source) if not answer.error]
        films, found = [Path(answer.file) for answer in said], [answer.detections for answer in said]
        for answer in said:
            tell(answer.file, [answer.doubt] if answer.doubt else [])
    elif predictions:
        records, answers, chosen, _ = examined(source, predictions, None, **typed)
        films, found, thresholds = records, [answers.get(record.file_name) for record in records], chosen or {}
    else:
        films = open_data(source, draw=False, **typed).records
    there = [i for i, film in enumerate(films) if (path := getattr(film, "path", film)) and path.is_file()]
    if not there:
        raise ChestlibError(f"{source}: no film to show; are its {len(films)} images where they were?")
    if len(there) < len(films):
        tell(source, [f"{len(films) - len(there)} images are missing and left out"])
    if len(there) > first:
        tell(out, [f"the first {first} of {len(there)} films; --first N takes more"])
    there = there[:first]
    # What each finding's own threshold leaves, one slider could not show.
    boxes = found and [found[i] and found[i].for_display(thresholds) if thresholds else found[i] for i in there]
    shown = BoxViewer([films[i] for i in there], detections=boxes, threshold=0 if thresholds else 0.5)
    print(f"{shown.to_html(out)}: {len(there)} films")


@app.command()
def report(
    data: Annotated[Path | None, typer.Option(help="Data folder; default: the phantom.")] = None,
    profile: ProfileOption = Profile.quick,
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("report"),
    split: Annotated[bool, typer.Option("--split", help="One page a chapter; index.html leads to them.")] = False,
    pdf: Annotated[bool, typer.Option("--pdf", help="Print report.pdf, too; needs Chromium or Chrome.")] = False,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Run nothing: take the last report's outputs, else the notebooks' own.")
    ] = False,
) -> None:
    """Run the notebooks and write one offline page, or one a chapter, or a PDF. `chestlib report --out report`."""
    from chestlib import course
    from chestlib import report as package

    with bar("") as progress:
        result = package.build(
            course.notebooks(),
            out,
            data=data,
            profile=profile.value,
            progress=progress,
            split=split,
            pdf=pdf,
            as_is=as_is,
        )
    print(result)
    if result.failed:
        raise typer.Exit(1)


course_app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")
app.add_typer(course_app, name="course", help="The chapters, for who teaches with them: `chestlib course clean`.")


@course_app.callback()
def course() -> None:
    """Let `clean` be a command of its own, though it is the only one."""


@course_app.command()
def clean(
    out: Annotated[Path, typer.Argument(help="Folder to write.")] = Path("live"),
    replace: Annotated[bool, typer.Option("--replace", help="Write over notebooks that are there.")] = False,
) -> None:
    """Write the chapters for live coding, without prose and outputs. `chestlib course clean live`.

    Code, headings, questions and exercises stay.
    """
    from chestlib import course as package

    print(package.clean(package.notebooks(), out, replace))


@app.command()
def env(as_json: JsonOption = False) -> None:
    """Show versions, device, threads, memory, folders. `chestlib env`."""
    from chestlib.course import environment

    rows = environment.rows()
    if as_json:
        show([row._asdict() for row in rows])
    else:
        for row in rows:
            print(f"[{'OK' if row.ok else 'FAIL'}]".ljust(7), f"{row.name:<14}", row.value)
    if not all(row.ok for row in rows):
        raise typer.Exit(2)
