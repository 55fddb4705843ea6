"""The command line, thin over the package: parse, call, print. Bad input is one line and exit status 2."""

from __future__ import annotations

import json
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from chestlib import devices, settings
from chestlib.console import answer_for, bar, complain, errors

app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False
)

Profile = Enum("Profile", {"quick": "quick", "full": "full"}, type=str)  # type: ignore[misc]
Format = Enum("Format", {n: n for n in ("coco", "yolo", "challenge", "chestx-det10")}, type=str)  # type: ignore[misc]
Others = Enum("Others", {"keep": "keep", "drop": "drop"}, type=str)  # type: ignore[misc]
Stage = Enum("Stage", {"classifier": "classifier", "detector": "detector"}, type=str)  # type: ignore[misc]
Source = Enum("Source", {"kaggle": "kaggle", "official": "official"}, type=str)  # type: ignore[misc]

DataDir = Annotated[Path, typer.Argument(metavar="DIR", help="Data folder (as `phantom` or `fetch` write it).")]
RunDir = Annotated[Path, typer.Option("--run", help="Run folder.")]
ProfileOption = Annotated[Profile, typer.Option(help="`quick`: two CPU cores. `full`: a GPU.")]
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


def main() -> None:
    """Run the `chestlib` command."""
    answer_for(app)


def show(value: Any) -> None:
    """Print JSON on standard output."""
    print(json.dumps(value, indent=1))


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
def check(folder: DataDir, as_json: JsonOption = False) -> None:
    """Count and check a data folder; exit status 2 when it has errors. `chestlib check data/phantom`."""
    from chestlib import data

    with bar("checking") as tell:
        report = data.check(folder, progress=tell)
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
    others: Annotated[
        Others | None, typer.Option(help="What becomes of findings beside the ten; without it they are an error.")
    ] = None,
) -> None:
    """Convert annotations. `chestlib convert data/phantom/train.json train-coco.json --to coco`."""
    from chestlib import data

    with bar("converting") as tell:
        done = data.convert(source, out, to.value, others=others.value if others else None, progress=tell)
    print(done)


@app.command(epilog=settings.listing("Settings", "tune", "classifier"))
def tune(
    folder: DataDir,
    run: RunDir,
    trials: Annotated[int | None, typer.Option(min=1, help="Finished trials the study shall hold.")] = None,
    storage: StorageOption = None,
    profile: ProfileOption = Profile.quick,
    seed: SeedOption = 0,
    sets: SetOption = None,
) -> None:
    """Tune stage 1 for recall under the specificity floor. `chestlib tune data/phantom --run runs/classifier`.

    What is set is not searched.
    """
    chosen, texts = settings.profile(profile.value), sets or []
    plan, base = replace(chosen.tune, trials=trials or chosen.tune.trials), replace(chosen.classifier, seed=seed)
    plan, base = settings.change(texts, plan, base)
    from chestlib import train as package
    from chestlib.data import open_data

    data, fixed = open_data(folder), {text.partition("=")[0] for text in texts} & {*package.SEARCHED}
    with bar("tuning") as tell:
        study = package.tune(data, package.Run(run), base, plan, fixed=fixed, storage=storage, progress=tell)
    failed = package.failures(study)
    trouble = f", {len(failed)} failed: {failed[-1]}" if failed else ""
    print(f"{run}: {package.ended(study)} trials{trouble}; best average precision, on val: {study.best_value:.3f}")


@app.command(
    no_args_is_help=True,
    epilog="\n\n".join(settings.listing(f"Settings of the {stage.value}", stage.value) for stage in Stage),
)
def train(
    stage: Annotated[Stage, typer.Argument(metavar="STAGE", help="`classifier` or `detector`.")],
    folder: DataDir,
    run: RunDir,
    profile: ProfileOption = Profile.quick,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a training that was stopped.")] = False,
    seed: SeedOption = 0,
    sets: SetOption = None,
    devices: Annotated[int, typer.Option(min=1, help="GPUs, or processes on a CPU, that share the training.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Machines that do, with the same command on each.")] = 1,
) -> None:
    """Train one of the two stages; stage 1 with the tuned settings if `tune` used this run folder.

    `chestlib train classifier data/phantom --run runs/classifier`, then
    `chestlib train detector data/phantom --run runs/detector`
    """
    from chestlib import train as package
    from chestlib.data import identify, open_data, splits

    plan, own = settings.profile(profile.value), package.Run(run)
    (chosen,) = settings.change(sets or [], replace(getattr(plan, stage.value), seed=seed))
    data = open_data(folder)
    split = splits.default(data.train, data.test, chosen.seed)
    with bar(f"training {stage.value}") as tell:
        if stage is Stage.classifier and own.tuned_file.is_file():
            (chosen,) = settings.change(sets or [], own.tuned(chosen, identify(split, own.cache)))
        options: dict[str, Any] = {"resume": resume, "devices": devices, "num_nodes": nodes, "progress": tell}
        package.train_stage(data, own, chosen, split=split, resamples=plan.resamples, **options)
    scores = own.read("test")["scores"]
    if stage is Stage.classifier:
        told = {"recall": scores["recall"], "specificity": scores["specificity"], "AUROC": scores["auroc"]}
    else:
        told = {"AP50": scores["coco"]["AP50"], "FROC average": scores["froc"]["average"]}
    figures = [f"{name} {'not defined' if value is None else f'{value:.3f}'}" for name, value in told.items()]
    print(f"{run}: on test {', '.join(figures)}")


@app.command()
def evaluate(
    truth: Annotated[Path, typer.Argument(help="Annotation file (official JSON), or a data folder: its test part.")],
    predictions: Annotated[Path, typer.Argument(help="A run's, `predict`'s, COCO's or the challenge's results.")],
    as_json: JsonOption = False,
    bootstrap: Annotated[int, typer.Option(min=0, help="Resamples, by patient, for 95 % intervals; 0: none.")] = 0,
) -> None:
    """Score detections. `chestlib evaluate data/phantom/test.json predictions.json --json`."""
    from chestlib import metrics
    from chestlib.data import open_data, read_annotations

    data = open_data(truth) if truth.is_dir() else read_annotations(truth)
    records, thresholds = data if isinstance(data, list) else data.test, None
    if (predictions / "settings.json").is_file():
        from chestlib.train import Run, scored_records

        run = Run(predictions).require("detector")
        records, thresholds = scored_records(run, data), run.finding_thresholds()
    found = metrics.read_predictions(predictions, [record.file_name for record in records])
    scores = metrics.evaluate(records, found, thresholds=thresholds, bootstrap=bootstrap)
    if absent := scores["without_prediction"]:
        errors.print(f"{predictions}: nothing on {len(absent)} images (as {absent[0]}); they count as no detections")
    if as_json:
        show(scores)
    else:
        print(metrics.table(scores))


@app.command()
def predict(
    paths: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="PNG, JPEG, DICOM files, or folders of them.")
    ],
    classifier: Annotated[Path, typer.Option(help="Run folder of stage 1.")],
    detector: Annotated[Path, typer.Option(help="Run folder of stage 2.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    cascade: Annotated[bool, typer.Option("--cascade", help="Stage 2 only where stage 1 says diseased.")] = False,
    overlays: Annotated[bool, typer.Option("--overlays", help="Draw a picture for each film, too.")] = False,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS|N", help="Spread over a Dask cluster, or over N workers here.")
    ] = None,
) -> None:
    """Find findings and boxes in your own X-rays; the same command goes on where it was stopped.

    `chestlib predict scans/ --classifier runs/classifier --detector runs/detector --out out`
    """
    from chestlib.data import images
    from chestlib.train import Run

    # What is wrong is told before torch is loaded.
    next(images.find(paths))
    stage1 = Run(classifier).require("classifier", checkpoint=True)
    stage2 = Run(detector).require("detector", checkpoint=True)
    from chestlib import predict as package

    model = package.TwoStage(stage1, stage2, cascade=cascade)
    with bar("predicting") as tell:
        done = package.predict(paths, model, out, overlays=overlays, dask=dask, progress=tell)
    for error in done.errors:
        complain(error)
    if done.answered:
        print(f"{out}: {done.answered} of {done.films} images predicted")
    if done.errors:
        raise typer.Exit(2)


@app.command()
def report(
    data: Annotated[Path | None, typer.Option(help="Data folder; default: the phantom.")] = None,
    profile: ProfileOption = Profile.quick,
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("report"),
) -> None:
    """Run the notebooks and write one offline page. `chestlib report --out report`."""
    from chestlib import course
    from chestlib import report as package

    with bar("") as tell:
        result = package.build(course.notebooks(), out, data=data, profile=profile.value, progress=tell)
    print(result)
    if result.failed:
        raise typer.Exit(1)


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


if __name__ == "__main__":
    main()
