"""The ten findings of ChestX-Det10, or somebody's own: names, ids and the colours they have in every figure.

Source of names and order: Liu, Lian, Yu, "ChestX-Det10: Chest X-ray Dataset on Detection of Thoracic
Abnormalities", arXiv:2006.10550.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

FINDINGS: tuple[str, ...] = (
    "Atelectasis",
    "Calcification",
    "Consolidation",
    "Effusion",
    "Emphysema",
    "Fibrosis",
    "Fracture",
    "Mass",
    "Nodule",
    "Pneumothorax",
)
"""Alphabetical, as in the official annotation files."""

BACKGROUND = 0
N_CLASSES = len(FINDINGS) + 1
"""Classes of a detector of the ten: they and the background."""
ID: dict[str, int] = {name: i for i, name in enumerate(FINDINGS, start=1)}
"""Finding to id, 1..10."""

NAME: dict[int, str] = {i: name for name, i in ID.items()}
"""Id, 1..10, to finding."""

# Neighbours in hue differ in line style, so that no pair rests on colour alone (after Okabe and Ito, 2008).
COLOUR: dict[str, str] = {
    "Atelectasis": "#56b4e9",
    "Calcification": "#f0e442",
    "Consolidation": "#e69f00",
    "Effusion": "#3d8bff",
    "Emphysema": "#00b386",
    "Fibrosis": "#cc79a7",
    "Fracture": "#f4f4f4",
    "Mass": "#e4572e",
    "Nodule": "#ff9d8a",
    "Pneumothorax": "#a58bff",
}
LINE_STYLE: dict[str, str] = {
    name: "dashed" if name in {"Effusion", "Fibrosis", "Nodule", "Pneumothorax", "Calcification"} else "solid"
    for name in FINDINGS
}

_FREE = ("#56b4e9", "#e69f00", "#00b386", "#cc79a7", "#e4572e", "#3d8bff", "#f0e442", "#a58bff", "#ff9d8a", "#f4f4f4")
_LINES = ("solid", "dashed", "dotted")


def looks(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Give each finding its colour and line style: the ten have theirs, others take what is free, in order.

    Examples
    --------
    >>> looks(["Mass", "Scar"])
    {'Mass': ('#e4572e', 'solid'), 'Scar': ('#56b4e9', 'solid')}
    """
    own = {name: (COLOUR[name], LINE_STYLE[name]) for name in names if name in ID}
    taken = set(own.values())
    free = [look for look in ((colour, line) for line in _LINES for colour in _FREE) if look not in taken]
    others = (name for name in names if name not in ID)
    return {**dict.fromkeys(names, ("", "")), **own, **dict(zip(others, itertools.cycle(free)))}
