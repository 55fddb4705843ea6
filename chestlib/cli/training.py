"""Commands that make models: tune and train."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from chestlib import settings
from chestlib.cli.options import (
    DataDirs,
    FindingsOption,
    FrameOption,
    MapOption,
    OthersOption,
    Profile,
    ProfileOption,
    RunDir,
    SeedOption,
    SetOption,
    Stage,
    StorageOption,
    app,
    figure,
    understood,
)  # fmt: skip
from chestlib.console import bar, tell


@app.command(epilog=settings.listing("Settings", "tune", "classifier"))
def tune(
    folders: DataDirs,
    run: RunDir,
    trials: Annotated[int | None, typer.Option(min=1, help="Finished trials the study shall hold.")] = None,
    storage: StorageOption = None,
    profile: ProfileOption = Profile.quick,
    seed: SeedOption = 0,
    sets: SetOption = None,
    findings: FindingsOption = None,
    others: OthersOption = None,
    mapping: MapOption = None,
    frame: FrameOption = None,
) -> None:
    """Tune stage 1 for recall under the specificity floor. `chestlib tune data/phantom --run runs/classifier`.

    What is set is not searched.
    """
    chosen, texts = settings.profile(profile.value), sets or []
    plan, base = replace(chosen.tune, trials=trials or chosen.tune.trials), replace(chosen.classifier, seed=seed)
    plan, base = settings.change(texts, plan, base)
    from chestlib import train as package
    from chestlib.data import open_data

    data = open_data(folders, **understood(findings, others, mapping, frame))
    tell(data.root, data.notes)
    fixed = {text.partition("=")[0] for text in texts} & {*package.SEARCHED}
    with bar("tuning") as progress:
        options: dict[str, Any] = {"fixed": fixed, "storage": storage, "progress": progress, "processes": None}
        study = package.tune(data, package.Run(run), base, plan, **options)
    failed = package.failures(study)
    trouble = f", {len(failed)} failed: {failed[-1]}" if failed else ""
    print(f"{run}: {package.ended(study)} trials{trouble}; best average precision, on val: {study.best_value:.3f}")


@app.command(
    no_args_is_help=True,
    epilog="\n\n".join(settings.listing(f"Settings of the {stage.value}", stage.value) for stage in Stage),
)
def train(
    stage: Annotated[Stage, typer.Argument(metavar="STAGE", help="`classifier` or `detector`.")],
    folders: DataDirs,
    run: RunDir,
    profile: ProfileOption = Profile.quick,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a training that was stopped.")] = False,
    seed: SeedOption = 0,
    sets: SetOption = None,
    split_of: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Take the parts of that run, so that both can be fused.")
    ] = None,
    devices: Annotated[int, typer.Option(min=1, help="GPUs, or processes on a CPU, that share the training.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Machines that do, with the same command on each.")] = 1,
    findings: FindingsOption = None,
    others: OthersOption = None,
    mapping: MapOption = None,
    frame: FrameOption = None,
) -> None:
    """Train one of the two stages; stage 1 with the tuned settings if `tune` used this run folder.

    `chestlib train classifier data/phantom --run runs/classifier`, then
    `chestlib train detector data/phantom --run runs/detector`
    """
    from chestlib import train as package
    from chestlib.data import identify, open_data, splits

    plan, own = settings.profile(profile.value), package.Run(run)
    (chosen,) = settings.change(sets or [], replace(getattr(plan, stage.value), seed=seed))
    data = open_data(folders, **understood(findings, others, mapping, frame))
    boxes = stage is Stage.detector
    if split_of:
        split = splits.Split.from_json(package.Run(split_of).read("split"), data.train, data.test)
    else:
        split = splits.default(data.train, data.test, chosen.seed).known(boxes)
    tell(data.root, [*data.notes, *splits.doubts(split, boxes)])
    with bar(f"training {stage.value}") as progress:
        if stage is Stage.classifier and own.tuned_file.is_file():
            (chosen,) = settings.change(sets or [], own.tuned(chosen, identify(split, own.cache)))
        options: dict[str, Any] = {"resume": resume, "devices": devices, "num_nodes": nodes, "progress": progress}
        package.train_stage(data, own, chosen, split=split, resamples=plan.resamples, **options)
    print(f"{run}: on test {', '.join(_figures(own.read('test'), stage))}")


def _figures(test: dict[str, Any], stage: Stage) -> list[str]:
    """Tell the first figures of a run with their 95 % intervals."""
    scores = test["scores"]
    if stage is Stage.classifier:
        values = {"recall": scores["recall"], "specificity": scores["specificity"], "AUROC": scores["auroc"]}
        between = dict(zip(values, map(test["intervals"].get, ("recall", "specificity", "auroc")), strict=True))
    else:
        values = {"AP50": scores["coco"]["AP50"], "FROC average": scores["froc"]["average"]}
        between = dict(zip(values, map(scores["intervals"].get, ("AP50", "froc_average")), strict=True))
    return [f"{name} {figure(value, between[name])}" for name, value in values.items()]
