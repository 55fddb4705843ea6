"""What is printed of the figures: plain text, every figure with its number of boxes and, if there is one, interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chestlib.metrics.presence import DEFAULT_THRESHOLD

COLUMNS = ("AP50", "recall", "precision", "f1", "accuracy")
"""Of the table."""
FEW_SIGN = "*"
FEW_TOLD = f"{FEW_SIGN} fewer than ten boxes: the figure says little, whatever it is"


def table(scores: Mapping[str, Any]) -> str:
    """Lay out what :func:`evaluate` returns as plain text; a dash stands for a finding that the truth lacks.

    Each figure stands over its 95 % interval, where resamples were asked for. A star marks fewer than ten boxes.
    """
    coco = {key: value for key, value in scores["coco"].items() if key != "per_finding"}
    lines = [
        *_findings(scores),
        "",
        f"images {scores['n_images']}, without a prediction {len(scores['without_prediction'])}",
        "COCO   " + ", ".join(f"{key} {number(value)}" for key, value in coco.items()),
        "       " + ", ".join(f"AR@{most} {number(value)}" for most, value in scores["average_recall"].items()),
        "FROC   " + ", ".join(f"{number(v)} at {rate}" for rate, v in scores["froc"]["recall_at"].items()),
        *_criteria(scores),
    ]
    if sizes := scores["sizes"]:
        told = (f"{size} {number(row['AP50'])} ({row['boxes']} boxes)" for size, row in sizes.items())
        lines.append("AP50 of boxes below 1 % of the film, to 5 %, above: " + ", ".join(told))
    errors = scores["errors"]
    lines += [
        "AP50 lost by  " + ", ".join(f"{kind} {number(value)}" for kind, value in errors["dAP"].items()),
        "false alarms  " + ", ".join(f"{kind} {n}" for kind, n in errors["false_alarms"].items()),
        "missed boxes  " + ", ".join(f"{cause} {n}" for cause, n in errors["misses"].items()),
    ]
    after = scores["reliability"].get("calibrated")
    before = f"D-ECE  {number(scores['reliability']['raw']['d_ece'])}"
    lines.append(before + (f", {number(after['d_ece'])} by the calibration of validation" if after else ""))
    if partly := scores.get("looked_for"):
        lines.append("looked for on " + ", ".join(f"{n} {name}" for name, n in partly.items()) + " images")
    if "thresholds_of" in scores:
        chosen = (
            f"those of {scores['thresholds_of']}"
            if scores["thresholds_of"]
            else f"{DEFAULT_THRESHOLD} for each finding"
        )
        lines.append(f"called by thresholds: {chosen}")
    for name, (low, high) in scores.get("intervals", {}).items():
        lines.append(f"95 %   {name} {number(low)} to {number(high)}")
    return "\n".join(lines)


def _findings(scores: Mapping[str, Any]) -> list[str]:
    """Lay out a row a finding: its boxes, its images, its figures; below it, their intervals."""
    per_finding, froc, counts = scores["per_finding"], scores["froc"], scores["counts"]
    width = max(map(len, per_finding)) + 1
    lines = [f"{'finding':{width}}{'boxes':>7}{'images':>7}{''.join(f'{c:>11}' for c in (*COLUMNS, 'FROC'))}"]
    for name, row in {**per_finding, "mean": scores["macro"]}.items():
        recalls = froc if name == "mean" else froc["per_finding"][name]
        cells = [*(row[c] for c in COLUMNS), recalls["average"] if recalls else None]
        n = counts.get(name, {"boxes": sum(c["boxes"] for c in counts.values()), "images": "", "few": False})
        label = name + FEW_SIGN * (n["few"] and n["boxes"] > 0)
        lines.append(f"{label:{width}}{n['boxes']:>7}{n['images']:>7}{''.join(f'{number(c):>11}' for c in cells)}")
        if between := scores.get("intervals_of_all"):
            own = (between[figure] for figure in (*COLUMNS, "froc"))
            spans = (span(of["mean"] if name == "mean" else of["per_finding"][name]) for of in own)
            lines.append(f"{'':{width + 14}}{''.join(f'{text:>11}' for text in spans)}")
    if any(n["few"] and n["boxes"] for n in counts.values()):
        lines.append(FEW_TOLD)
    return lines


def _criteria(scores: Mapping[str, Any]) -> list[str]:
    """Lay out a line a criterion of a hit."""
    between, lines = scores.get("intervals_of_all"), []
    for criterion, row in scores["criteria"].items():
        of = {"AP": "AP50", "froc_average": "froc"}
        if criterion != "0.5":
            of = {"AP": f"AP@{criterion}", "froc_average": f"froc@{criterion}"}
        told = [
            f"{name} {number(row[key])}" + (f" ({span(between[of[key]]['mean'])})" if between else "")
            for key, name in (("AP", "AP"), ("froc_average", "FROC"))
        ]
        what = "its middle in the true box" if criterion == "centre" else f"IoU {criterion}"
        lines.append(f"hit: {what:<27}" + ", ".join(told))
    return lines


def number(value: float | None) -> str:
    """Write a figure with three digits, a dash for none."""
    return "-" if value is None else f"{value:.3f}"


def span(ends: Sequence[float | None]) -> str:
    """Write an interval, short: `.12-.34`; a dash for none."""
    low, high = ends
    return "-" if low is None or high is None else f"{low:.2f}-{high:.2f}"
