"""The tables of the README and the model cards, written from the files in figures/ that hold their numbers.

    python benchmarks/readme.py

A test fails while a page tells another story.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[1]


def bugs(ledger: list[dict[str, str]]) -> str:
    """The ledger of notebook 07."""
    rows = ((b["bug"], b["looks_like"], b["costs"], f"`{b['caught_by']}`") for b in ledger)
    return _table(("bug", "looks like", "costs", "caught by"), rows)


def quality(results: list[dict[str, Any]]) -> str:
    """What `benchmarks/quality.py` measured."""
    rows: list[list[str]] = [
        ["images to train, choose, test on", *(f"{r['train']}, {r['val']}, {r['test']}" for r in results)]
    ]
    chest, nothing = ("stage 2", "chest weights"), ("stage 2", "from nothing")
    for label, place, key, interval in (
        ("stage 1: AUROC", ("stage 1",), "auroc", "auroc"),
        ("stage 1: recall", ("stage 1",), "recall", "recall"),
        ("stage 1: specificity", ("stage 1",), "specificity", "specificity"),
        ("stage 1: precision", ("stage 1",), "precision", "precision"),
        ("stage 1: recall at specificity .70, read off the test ROC", ("stage 1",), "recall on the curve", None),
        ("stage 2: AP50, mean over findings", chest, "AP50", "AP50"),
        ("stage 2 from nothing, same budget: AP50", nothing, "AP50", "AP50"),
        ("stage 2: AP50 of Nodule", chest, "Nodule", None),
        ("stage 2: AP50 of Calcification", chest, "Calcification", None),
        ("stage 2: recall at .2 false positives an image", chest, "recall at 0.2", None),
        ("stage 2: FROC average (.05, .1, .2)", chest, "FROC average", "froc_average"),
        ("stage 2: F1 of findings named, macro", chest, "macro F1", "macro_f1"),
    ):
        cells = []
        for result in results:
            values = _at(result, place)
            low_high = values["intervals"].get(interval)
            cells.append(f"{values[key]:.3f}" + (" ({:.2f} to {:.2f})".format(*low_high) if low_high else ""))
        rows.append([label, *cells])
    for label, place in (
        ("seconds to tune and train stage 1", ("stage 1",)),
        ("seconds to train stage 2", chest),
    ):
        rows.append([label, *(str(_at(r, place)["seconds"]) for r in results)])
    return _table(("**synthetic** test part, quick profile", *(f"seed {r['seed']}" for r in results)), rows)


def _at(result: Any, place: tuple[str, ...]) -> Any:
    return reduce(getitem, place, result)


def drawn(results: list[dict[str, Any]]) -> str:
    """In brief, what the course reaches on drawings: from the worst to the best of the seeds."""
    rows = {"AUROC": ("stage 1", "auroc"), "recall": ("stage 1", "recall"), "specificity": ("stage 1", "specificity"),
            "boxes: AP50": ("stage 2", "chest weights", "AP50")}  # fmt: skip
    span = [[_at(r, place) for r in results] for place in rows.values()]
    head = ["drawings (**synthetic**)", *rows]
    of = f"{len(results)} seed{'s' * (len(results) > 1)}, {results[0]['test']} test images each"
    cells = (f"{min(v):.2f} to {max(v):.2f}" if len(v) > 1 else f"{v[0]:.2f}" for v in span)
    return _table(head, [[of, *cells]])


def shipped(real: dict[str, Any]) -> str:
    """In brief, what the model that ships reaches on real films."""
    disease, point, boxes = (
        real["stage 1"]["heads and boxes"],
        real["operating point"],
        real["stage 2"]["boxes and heads"],
    )
    cells = {
        "AUROC": _auroc(disease["216 films"]),
        "recall": _valued(point["recall"]),
        "specificity": _valued(point["specificity"]),
        "boxes: AP50": _of(boxes["AP50"], boxes["intervals"]["AP50"]),
        "findings: mean AUROC": _of(boxes["auroc"], boxes["intervals"]["auroc"]),
        "pointing game": _of(boxes["pointing"], boxes["intervals"]["pointing"]),
    }
    films = f"{boxes['films']} films of ChestX-Det10, {boxes['boxes']} boxes"
    return _table(["**real films**", *cells], [[films, *cells.values()]])


def weights(real: dict[str, Any]) -> str:
    """What the shipped weights themselves reach."""
    row = real["shipped"]
    cells = {
        "AP50": _valued(row["AP50"]),
        "findings: mean AUROC": _valued(row["auroc"]),
        "pointing game": _valued(row["pointing"]),
        "recall": f"{row['recall']:.2f}",
    }
    of = "films of patients of the official test part"
    films = f"{row['films']} {of}, {row['diseased']} diseased, {row['boxes']} boxes"
    return _table(["**real films**", *cells], [[films, *cells.values()]])


def disease(real: dict[str, Any]) -> str:
    """Stage 1 on real films, by group, beside what needs no model."""
    rules = {"heads and boxes": "the recipe", "view alone": "view alone"}
    places = real["stage 1"]["heads and boxes"]
    head = ["AUROC of disease", "films", "diseased", *rules.values()]
    return _table(
        head,
        [
            [place, str(row["n"]), str(row["diseased"]), *(_auroc(real["stage 1"][rule][place]) for rule in rules)]
            for place, row in places.items()
        ],
    )


def findings(real: dict[str, Any]) -> str:
    """Stage 2 on real films, finding by finding."""
    boxes = real["stage 2"]["boxes and heads"]
    rows = [
        [name, str(row["n"]), f"{row['auroc']:.2f}", f"{row['pointing']:.2f}", f"{boxes['AP50 per finding'][name]:.3f}"]
        for name, row in boxes["per_finding"].items()
    ]
    return _table(["finding", "films with it", "AUROC", "pointing game", "AP50"], rows)


def localised(real: dict[str, Any]) -> str:
    """NIH's boxes found, at seven overlaps."""
    rows = {name: row for name, row in real["localisation"].items() if name != "of"}
    at = [key for key in next(iter(rows.values())) if key != "n"]
    return _table(
        ["share of NIH's boxes", "boxes", *(f"IoU >= {t}" for t in at)],
        [[name, str(row["n"]), *(f"{row[t]:.2f}" for t in at)] for name, row in rows.items()],
    )


def published(found: dict[str, Any]) -> str:
    """What others report on the official test part, each with the place where it was read."""
    head = ["method", "year", "how", "findings: mean AUROC", "pointing game", "AP50", "AP", "read in"]
    rows = [
        [
            row["method"] + (f" ({_linked(row['paper'])})" if row["paper"] else ""), str(row["year"]), row["how"],
            *("" if row[key] is None else f"{row[key]:.3f}" for key in ("auroc", "pointing", "ap50", "ap")),
            _linked(row["source"]) if row["checked"] else "as reported to us; not looked up",
        ]
        for row in found["rows"]
    ]  # fmt: skip
    return _table(head, rows)


def ours(real: dict[str, Any]) -> str:
    """What stands beside it: the weights that ship, and the five folds, each on films of its own."""
    row, boxes = real["shipped"], real["stage 2"]["boxes and heads"]
    folds = [_of(boxes[key], boxes["intervals"][key]) for key in ("auroc", "pointing", "AP50")]
    head = ["ours, trained", "films", "findings: mean AUROC", "pointing game", "AP50"]
    test = f"{row['films']} of patients of the official test part"
    return _table(
        head,
        [
            ["the weights that ship", test, *(_valued(row[key]) for key in ("auroc", "pointing", "AP50"))],
            ["five folds by patient", f"{boxes['films']} of both parts", *folds],
        ],
    )


def peers(found: dict[str, Any]) -> str:
    """The same detections in other tools, with what `benchmarks/peers.py` found."""
    rows = [
        [f"{tool} {row['version']}", f"{row['AP50']:.6f}", f"{row['AP']:.6f}", f"{row.get('apart', 0):.0e}"]
        for tool, row in found.items()
        if "AP" in row
    ]
    size = "{images} films, {boxes} boxes, {detections} detections".format(**found["chestlib"])
    return _table([size, "AP50", "AP", "apart"], rows)


def peer_cases(found: dict[str, Any]) -> str:
    """The same on small cases."""
    cases = found["cases"]
    tools = list(next(iter(cases.values())))
    cells = ([f"{row['AP50']:.3f} {row['AP']:.3f}" for row in case.values()] for case in cases.values())
    return _table(["case", *tools], ([f"`{name}`", *row] for name, row in zip(cases, cells, strict=True)))


def _linked(source: str) -> str:
    source = re.sub(r"arXiv:(\d{4}\.\d{5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", source)
    return re.sub(r"(github\.com/[\w-]+/([\w-]+))", r"[\2](https://\1)", source)


def _auroc(row: dict[str, Any]) -> str:
    return _of(row["auroc"], row["interval"])


def _valued(row: dict[str, Any]) -> str:
    return _of(row["value"], row["interval"])


def _of(value: float, interval: list[float]) -> str:
    return f"{value:.2f} ({interval[0]:.2f} to {interval[1]:.2f})"


def _table(head: Any, rows: Any) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


PAGES: dict[str, dict[str, tuple[Callable[[Any], str], str]]] = {
    "README.md": {
        "shipped": (shipped, "real.json"),
        "drawn": (drawn, "quality.json"),
        "bugs": (bugs, "07-silent-bugs.json"),
        "quality": (quality, "quality.json"),
    },
    "docs/model-cards.md": {
        "weights": (weights, "real.json"),
        "disease": (disease, "real.json"),
        "findings": (findings, "real.json"),
        "localised": (localised, "real.json"),
        "published": (published, "published.json"),
        "ours": (ours, "real.json"),
    },
    "docs/peers.md": {"peers": (peers, "peers.json"), "cases": (peer_cases, "peers.json")},
}
"""A page's marks, and what makes the table between each of them and the next `<!-- end -->`, of which figures."""


def render(page: str) -> str:
    """Give a page with every table as its file in figures/ says."""
    text = (TOP / page).read_text()
    for mark, (make, name) in PAGES[page].items():
        table = make(json.loads((TOP / "figures" / name).read_text()))
        text, found = re.subn(
            rf"(<!-- {mark} -->\n).*?(?=<!-- end -->)", lambda m, t=table: m[1] + t, text, flags=re.DOTALL
        )
        assert found == 1, f"{page}: the mark <!-- {mark} --> is missing"
    return text


def main() -> None:
    for page in PAGES:
        text = render(page)
        (TOP / page).write_text(text)


if __name__ == "__main__":
    main()
