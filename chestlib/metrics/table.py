"""The result of an evaluation as plain text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COLUMNS = ("AP50", "recall", "precision", "f1", "accuracy")


def table(scores: Mapping[str, Any]) -> str:
    """Lay out what :func:`chestlib.metrics.evaluate` returns; a dash stands for a finding that the truth lacks."""
    per_finding, froc = scores["per_finding"], scores["froc"]
    width = max(map(len, per_finding))
    lines = [f"{'finding':{width}}{''.join(f'{c:>11}' for c in (*COLUMNS, 'FROC'))}"]
    for name, row in {**per_finding, "mean": scores["macro"]}.items():
        recalls = froc if name == "mean" else froc["per_finding"][name]
        cells = [*(row[c] for c in COLUMNS), recalls["average"] if recalls else None]
        lines.append(f"{name:{width}}{''.join(f'{_number(c):>11}' for c in cells)}")
    coco = {key: value for key, value in scores["coco"].items() if key != "per_finding"}
    lines += [
        "",
        f"images {scores['n_images']}, without a prediction {len(scores['without_prediction'])}",
        "COCO   " + ", ".join(f"{key} {_number(value)}" for key, value in coco.items()),
        "FROC   " + ", ".join(f"{_number(v)} at {rate}" for rate, v in froc["recall_at"].items()),
    ]
    for name, (low, high) in scores.get("intervals", {}).items():
        lines.append(f"95 %   {name} {_number(low)} to {_number(high)}")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
