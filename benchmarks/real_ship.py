"""Train the model that ships, on all films but those of patients of the official test part.

    python benchmarks/real.py && python benchmarks/real_ship.py [--films ../shared/real]

Writes model.safetensors and card.json of chestlib/prediction/shipped. How heads and boxes go together, and the
thresholds, come from the folds of real.py, from films of the same patients that taught neither; its figures stand in
the card.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
from real import choose, cross_validated, draw_folds, fit_joint, stage_2
from real_films import FILE, READ, TOLD, Film, films, official_test, options, save
from real_guard import learnt
from real_recipe import CACHE, DRAWN, FIRST, THEN, features, fit_detector, fit_heads, taught

import chestlib
from chestlib import devices, metrics
from chestlib.files import read_json, sha256, write_atomically, write_json
from chestlib.prediction import shipped
from chestlib.settings import to_json
from chestlib.train import Detector, XrayDataset, load_weights

FEW, NEVER = 10, 1.0
"""A finding that fewer readers' films taught has no threshold that a score reaches: its boxes are nearly all wrong."""

PLACE = Path(chestlib.__file__).parent / "prediction" / "shipped"

COMMAND = "python benchmarks/real.py && python benchmarks/real_ship.py"

SOURCE = (
    "NIH ChestX-ray14 (NIH Clinical Center, https://nihcc.app.box.com/v/ChestXray-NIHCC; Wang et al., CVPR 2017), free "
    "to use with attribution; boxes of ChestX-Det10 (Liu, Lian, Yu, arXiv:2006.10550). Trunk: EfficientNet-Lite0 of "
    "ImageNet (Tan and Le, arXiv:1905.11946; Apache-2.0)."
)


def card(kept: list[Film], joint: dict[str, float], thresholds: dict[str, Any]) -> dict[str, Any]:
    """Say what the model is: films, settings, thresholds, figures, licence."""
    figures = read_json(FILE)
    disease, boxes = figures["stage 1"]["heads and boxes"]["216 films"], figures["stage 2"]["boxes and heads"]
    archive = figures["stage 1"]["heads and boxes"]["NIH, archive A"]
    return {
        "name": f"chestlib {chestlib.__version__}, real films",
        "use": "Teaching and research. Not for clinical use.",
        "films": {
            "total": len(kept),
            "patients": len({film.record.patient for film in kept}),
            "readers' boxes (ChestX-Det10)": sum(film.source == READ for film in kept),
            "NIH": sum(film.source == TOLD for film in kept),
            "NIH's boxes": sum(film.source == TOLD and len(film.record.boxes) > 0 for film in kept),
            "left out": "films of patients of ChestX-Det10's official test part",
            "boxes": taught(kept),
            "before": "the boxes of 1,200 drawings (synthetic: chestlib phantom, seed 0)",
        },
        "reached": {
            "how": "the recipe, in five folds by patient: nothing of a film's patient taught the model that was asked",
            "films": disease["n"],
            "auroc": {"value": disease["auroc"], "interval": disease["interval"]},
            "AP50": {"value": boxes["AP50"], "interval": boxes["intervals"]["AP50"]},
            "auroc of findings, mean": {"value": boxes["auroc"], "interval": boxes["intervals"].get("auroc")},
            "pointing game, mean": {"value": boxes["pointing"], "interval": boxes["intervals"].get("pointing")},
            "auroc, NIH archive A": {"value": archive["auroc"], "interval": archive["interval"], "films": archive["n"]},
            "operating point": {k: v for k, v in figures["operating point"].items() if k != "of"},
        },
        "disease": joint,
        "thresholds": thresholds,
        "settings": to_json(THEN),
        "settings of the parts before": {"drawings": to_json(DRAWN), "NIH's boxes": to_json(FIRST)},
        "device": devices.name(),
        "command": COMMAND,
        "licence": f"MIT for the weights. {SOURCE}",
    }


def held_out(seen: Sequence[Film], model: shipped.Pretrained, resamples: int = 1000) -> dict[str, Any]:
    """Score the weights that ship on readers' films of patients that taught them nothing: of the official test part."""
    records = [film.record for film in seen]
    pictures = XrayDataset(records, THEN.image_size, CACHE, boxes=True)
    said = [model([pictures.image(i)], [size])[0] for i, size in enumerate(pictures.pixels.sizes)]
    found = [answer.detections for answer in said]
    boxes = stage_2(seen, found, resamples)
    called = np.array([answer.disease >= model.card["thresholds"]["disease"] for answer in said])
    names = ("AP50", "auroc", "pointing")
    return {
        "films": len(seen), "diseased": int(sum(film.diseased for film in seen)), "boxes": boxes["boxes"],
        **{name: {"value": boxes[name], "interval": boxes["intervals"][name]} for name in names},
        "recall": float(called[[film.diseased for film in seen]].mean()),
    }  # fmt: skip


def main() -> None:
    """Train and write."""
    parser = options(__doc__)
    args = parser.parse_args()
    seen, tested = films(args.films), official_test(args.films)
    mine = [i for i, film in enumerate(seen) if film.record.patient not in tested]
    kept, values = [seen[i] for i in mine], features(seen)[mine]
    slopes, offsets = fit_heads(kept, values)
    run = fit_detector("shipped", kept)
    said, _, joined = (part[mine] if isinstance(part, np.ndarray) else [part[i] for i in mine]
                       for part in cross_validated(seen, draw_folds(seen, 5)))  # fmt: skip
    best = np.array([boxes.scores.max(initial=0) for boxes in joined])
    joint = fit_joint(kept, said[:, 0], best)
    read = [i for i, film in enumerate(kept) if film.source == READ]
    found = {kept[i].record.file_name: joined[i] for i in read}
    thresholds = {
        "disease": choose(kept, shipped.disease(said[:, 0], best, joint)),
        "findings": metrics.choose_thresholds([kept[i].record for i in read], found),
    }
    thresholds["findings"] |= {name: NEVER for name, films_of in taught(kept).items() if films_of < FEW}
    module = Detector(THEN, pretrained=False)
    load_weights(module, run.best)
    x, poses, patients, _ = learnt(seen)
    own = ~np.isin(patients, list(tested))
    weights = shipped.pack(module, slopes, offsets, shipped.fit_guard(x[own], poses[own], patients[own]))
    write_atomically(PLACE / "model.safetensors", safetensors.torch.save(weights))
    about = card(kept, joint, thresholds)
    strange = [film for film in seen if film.source == READ and film.record.patient in tested]
    figures = held_out(strange, shipped.Pretrained(about, weights))
    about["reached"]["by these weights, on films of patients that taught them nothing"] = figures
    write_json(PLACE / "card.json", about | {"weights_sha256": sha256(PLACE / "model.safetensors")})
    of = {"data": "readers' films of patients of the official test part", "resamples": 1000, "command": COMMAND}
    save("shipped", figures | {"of": of})
    print(shipped.load().told())


if __name__ == "__main__":
    main()
