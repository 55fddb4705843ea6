"""What the annotations say without a film: reports beside readers, readers beside readers, and who was X-rayed how.

    python benchmarks/real_readers.py [--films ../shared/real] [--resamples 1000]

Writes the section "readers" of figures/real.json, from the annotation files of ChestX-Det10 (all 3,543 films), NIH's
table of labels mined from reports, and NIH's own boxes. It takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from real import auroc
from real_films import AS, READ, TOLD, options, save

from chestlib import course
from chestlib.data import Record, open_data, patient_groups
from chestlib.findings import FINDINGS
from chestlib.metrics import bootstrap_intervals, overlap

SEED = 0


def kappa(told: np.ndarray, read: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Cohen's kappa, recall and precision of `told` against `read`, both (n,) bool, for each row of weights (r, n)."""
    both, yes, true, n = (weights @ cell for cell in (told & read, told, read, np.ones(len(read))))
    agreed, chance = (n - yes - true + 2 * both) / n, (yes * true + (n - yes) * (n - true)) / n**2
    return {"kappa": (agreed - chance) / (1 - chance), "recall": both / true, "precision": both / yes}


def with_intervals(statistic: Callable, patients: Sequence[str], resamples: int) -> dict[str, Any]:
    """Tell each figure of a statistic, and its interval over patients."""
    values = statistic(np.ones((1, len(patients))))
    ranges = bootstrap_intervals(statistic, patients, resamples, SEED)
    return {
        name: {"value": rounded(value[0]), "interval": [rounded(end) for end in ranges[name]]}
        for name, value in values.items()
    }


def rounded(value: float) -> float:
    """Three decimals are more than the intervals allow."""
    return round(float(value), 3)


def agreement(records: Sequence[Record], labels: Sequence[str], patients: Sequence[str], n: int) -> dict[str, Any]:
    """What reports say of a finding against what readers boxed, film by film."""
    named = [set(text.split("|")) for text in labels]
    rows: dict[str, Any] = {}
    for finding in FINDINGS:
        told = np.array([finding in names for names in named])
        read = np.array([finding in record.findings for record in records])
        if told.any():  # NIH's labels know no calcification and no fracture
            scores = with_intervals(lambda w, told=told, read=read: kappa(told, read, w), patients, n)
            rows[finding] = {"films": int(read.sum()), **scores}
    return rows


def two_readings(root: Path, names: Sequence[str], records: Sequence[Record], n: int) -> dict[str, Any]:
    """Overlap of each of NIH's boxes with the best box of the same finding that ChestX-Det10's readers drew."""
    ours = dict(zip(names, records, strict=True))
    theirs = open_data(root / TOLD, others="drop", mapping=AS, draw=False).records
    pairs = [(r, ours[Path(r.file_name).stem]) for r in theirs if Path(r.file_name).stem in ours]
    found, patients = [], []
    for record, twin in pairs:
        if len(record.boxes):
            assert not record.path, "boxes of films that are not there are in pixels of 1024 x 1024, as ChestX-Det10's"
            same = record.labels[:, None] == twin.labels
            found += list((overlap(record.boxes, twin.boxes) * same).max(1, initial=0))
            patients += [twin.patient] * len(record.boxes)
    iou = np.array(found)
    hit = {"at least .5": iou >= 0.5, "at least .3": iou >= 0.3, "none at all": iou == 0}
    return {
        "films": len(pairs), "films with a shared finding": sum(len(r.boxes) > 0 for r, _ in pairs),
        "boxes of shared findings": len(iou), "median": rounded(np.median(iou)), "iou": sorted(map(rounded, iou)),
        **with_intervals(lambda w: {name: w @ h / w.sum(1) for name, h in hit.items()}, patients, n),
    }  # fmt: skip


def main() -> None:
    """Count, and write the figures."""
    parser = options(__doc__, "--resamples")
    args = parser.parse_args()
    data = open_data(args.films / READ)
    table, records, n = course.nih_table(data), data.records, args.resamples
    assert table is not None, f"{args.films}: NIH's table is not there"
    table["sick"] = np.where([record.diseased for record in records], "diseased", "normal")
    table["part"] = ["train"] * len(data.train) + ["test"] * len(data.test)
    patients, sick, ap = patient_groups(records), table["sick"] == "diseased", table["view"] == "AP"
    unboxed = table["labels"][~sick].str.split("|").explode().value_counts()
    people = {
        part: {
            "films": len(own), "under 18": int((own["age"] < 18).sum()), "sex": own["sex"].value_counts().to_dict(),
            "AP": own["view"].eq("AP").groupby(own["sick"]).mean().round(3).to_dict(),
            "median age": own.groupby("sick")["age"].median().to_dict(),
        }
        for part, own in table.groupby("part")
    }  # fmt: skip
    save("readers", {
        "agreement": agreement(records, table["labels"], patients, n),
        "two readings": two_readings(args.films, table.index, records, n),
        "without a box": {
            "films": int((~sick).sum()), "No Finding": int(unboxed.get("No Finding", 0)), "labels": unboxed.to_dict(),
        },
        "view alone": auroc(sick.to_numpy(), ap.to_numpy(float), patients, n), "parts": people,
        "of": {
            "data": "annotation files of ChestX-Det10, NIH's table and boxes; no film is needed", "films": len(records),
            "patients": len(set(patients)), "resamples": n, "seed": SEED, "intervals": "95 %, over patients",
            "command": "python benchmarks/real_readers.py",
        },
    })  # fmt: skip


if __name__ == "__main__":
    main()
