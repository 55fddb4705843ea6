"""Commands that say how good a model is: evaluate and compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chestlib.cli.options import (
    FindingsOption,
    FrameOption,
    JsonOption,
    MapOption,
    OthersOption,
    app,
    figure,
    show,
    understood,
)
from chestlib.console import tell
from chestlib.errors import ChestlibError

if TYPE_CHECKING:
    from chestlib.cli.examined import Classified

TruthArgument = Annotated[
    list[Path], typer.Argument(help="A data folder (or several): its test part; or one annotation file.")
]


@app.command()
def evaluate(
    truth: TruthArgument,
    predictions: Annotated[Path, typer.Argument(help="A RUN, `predict`'s OUT, or results of this or another tool.")],
    run: Annotated[Path | None, typer.Option(help="Run folder of stage 2 whose thresholds are used.")] = None,
    fuse: Annotated[
        list[Path] | None,
        typer.Option(metavar="B", help="Predictions of the same images, fused with those before; may be repeated."),
    ] = None,
    flip: Annotated[bool, typer.Option("--flip", help="Fuse what RUN says of the mirror images, too.")] = False,
    as_json: JsonOption = False,
    bootstrap: Annotated[int, typer.Option(min=0, help="Resamples, by patient, for 95 % intervals; 0: none.")] = 0,
    by: Annotated[
        Path | None, typer.Option(metavar="TABLE", help="CSV of file_name and columns: the figures of each group, too.")
    ] = None,
    coco: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what was scored as COCO results, with the truth's ids.")
    ] = None,
    findings: FindingsOption = None,
    others: OthersOption = None,
    mapping: MapOption = None,
    frame: FrameOption = None,
) -> None:
    """Score detections. `chestlib evaluate data/phantom/test.json predictions.json --json`.

    COCO results, and those of ultralytics, mmdetection and torchvision, are read as they are. A RUN of stage 1 is
    scored at its own threshold. What is fused is called by thresholds chosen on the validation part, if all are RUNs.
    """
    from chestlib import metrics
    from chestlib.cli.examined import by_group, classified, fused

    typed = understood(findings, others, mapping, frame)
    if said := classified(truth, predictions, **typed):
        if fuse or flip or coco:
            raise ChestlibError(f"{predictions}: a run of stage 1 has no boxes; leave --fuse, --flip and --coco out")
        _evaluate_stage_1(said, predictions, by, bootstrap, as_json)
        return
    several = [predictions, *(fuse or ())]
    records, found, thresholds, source, calibration = fused(truth, several, run, flip, **typed)
    if coco:
        metrics.write_coco(coco, records, found)
    scores = metrics.evaluate(records, found, thresholds=thresholds, calibration=calibration, bootstrap=bootstrap)
    if by:
        statistic = metrics.Measures(records, found, scores["thresholds"]).means
        scores["subgroups"] = by_group(by, records, statistic, bootstrap, boxes=True)
    scores["thresholds_of"] = source
    if fuse or flip:
        scores["fused"] = {"of": list(map(str, several)), "flip": flip, "iou": metrics.FUSED}
    if absent := scores["without_prediction"]:
        tell(predictions, [f"nothing on {len(absent)} images (as {absent[0]}); they count as no detections"])
    if as_json:
        show(scores)
    else:
        print(metrics.table(scores))
        if fuse or flip:
            mirrored = ", each with its answers to mirror images" if flip else ""
            print(f"fused, where boxes overlap by more than {metrics.FUSED}: {', '.join(map(str, several))}{mirrored}")
        if by:
            print("\n" + metrics.grouped(scores["subgroups"], ("AP50", "froc_average", "macro_f1")))


def _evaluate_stage_1(said: Classified, run: Path, by: Path | None, bootstrap: int, as_json: bool) -> None:
    from chestlib import metrics
    from chestlib.cli.examined import by_group, scored, worth

    scores = scored(said, bootstrap)
    if by:
        scores["subgroups"] = by_group(by, said.records, said.statistic(), bootstrap, boxes=False)
    if as_json:
        show(scores)
        return
    rows = scores["scores"].items()
    print("\n".join(f"{name:<18}{figure(value, scores['intervals'].get(name))}" for name, value in rows))
    print(f"called from {scores['threshold']:.3f} on, chosen by {run}; {scores['n_images']} images")
    print(worth(scores["decisions"]))
    if by:
        print("\n" + metrics.grouped(scores["subgroups"], ("recall", "specificity", "auroc"), boxes=False))


@app.command()
def compare(
    truth: TruthArgument,
    a: Annotated[Path, typer.Argument(help="A RUN, `predict`'s OUT, or results, as `evaluate` takes them.")],
    b: Annotated[Path, typer.Argument(help="Another of the same kind, on the same images.")],
    as_json: JsonOption = False,
    bootstrap: Annotated[int, typer.Option(min=0, help="Resamples, by patient; 0: differences alone.")] = 2000,
    findings: FindingsOption = None,
    others: OthersOption = None,
    mapping: MapOption = None,
    frame: FrameOption = None,
) -> None:
    """Tell whether B is better than A. `chestlib compare data/phantom runs/a runs/b`.

    Every difference comes with the 95 % interval of a paired bootstrap by patient, and the share of resamples in which
    it is above 0. Two RUNs of stage 1 are compared as classifiers.
    """
    from chestlib import metrics
    from chestlib.cli.examined import compared

    scores = compared(truth, a, b, bootstrap, **understood(findings, others, mapping, frame))
    if unknown := scores["without_patient"]:
        told = f"the patient of {unknown} of {scores['n_images']} images is unknown; each counts as one patient"
        tell(a, [f"{told}, so intervals are too narrow if some are of one"])
    if as_json:
        show(scores)
    else:
        print(f"A: {a}\nB: {b}")
        print(metrics.compared(scores))
