"""The README's tables, written from the files in figures/ that hold their numbers.

    python benchmarks/readme.py

A test fails while the README tells another story.
"""

from __future__ import annotations

import json
import re
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
    for label, stage, key, interval in (
        ("stage 1: AUROC", "stage 1", "auroc", "auroc"),
        ("stage 1: recall", "stage 1", "recall", "recall"),
        ("stage 1: specificity", "stage 1", "specificity", "specificity"),
        ("stage 1: precision", "stage 1", "precision", "precision"),
        ("stage 1: recall at specificity .70, read off the test ROC", "stage 1", "recall on the curve", None),
        ("stage 2: AP50, mean over findings", "stage 2", "AP50", "AP50"),
        ("stage 2: recall at .2 false positives an image", "stage 2", "recall at 0.2", None),
        ("stage 2: FROC average (.05, .1, .2)", "stage 2", "FROC average", "froc_average"),
        ("stage 2: F1 of findings named, macro", "stage 2", "macro F1", "macro_f1"),
    ):
        cells = []
        for result in results:
            low_high = result[stage]["intervals"].get(interval)
            cells.append(f"{result[stage][key]:.3f}" + (" ({:.2f} to {:.2f})".format(*low_high) if low_high else ""))
        rows.append([label, *cells])
    for label, stage in (("seconds to tune and train stage 1", "stage 1"), ("seconds to train stage 2", "stage 2")):
        rows.append([label, *(str(r[stage]["seconds"]) for r in results)])
    return _table(("**synthetic** test part, quick profile", *(f"seed {r['seed']}" for r in results)), rows)


def _table(head: Any, rows: Any) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def render(text: str) -> str:
    """The README with every table as its file in figures/ says."""
    for mark, make, name in (("bugs", bugs, "07-silent-bugs.json"), ("quality", quality, "quality.json")):
        table = make(json.loads((TOP / "figures" / name).read_text()))
        text, found = re.subn(
            rf"(<!-- {mark} -->\n).*?(?=<!-- end -->)", lambda m, t=table: m[1] + t, text, flags=re.DOTALL
        )
        assert found == 1, f"README.md: the mark <!-- {mark} --> is missing"
    return text


def main() -> None:
    file = TOP / "README.md"
    file.write_text(render(file.read_text()))


if __name__ == "__main__":
    main()
