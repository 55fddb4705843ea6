"""What a result is of: whatever it depends on changes its identity, and nothing else does."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from chestlib.data import DataFolder, Split, identify, open_data, splits


def swap(split: Split, data: DataFolder) -> Split:
    return replace(split, val=[*split.val[1:], split.train[0]], train=[*split.train[1:], split.val[0]])


def move_box(split: Split, data: DataFolder) -> Split:
    at = next(i for i, record in enumerate(split.train) if record.diseased)
    moved = replace(split.train[at], boxes=split.train[at].boxes + 1)
    return replace(split, train=[*split.train[:at], moved, *split.train[at + 1 :]])


def rename_patient(split: Split, data: DataFolder) -> Split:
    return replace(split, train=[replace(split.train[0], patient="x"), *split.train[1:]])


def exchange_films(split: Split, data: DataFolder) -> Split:
    first, second, *rest = split.train
    return replace(split, train=[replace(first, path=second.path), replace(second, path=first.path), *rest])


def lose_a_film(split: Split, data: DataFolder) -> Split:
    return splits.default([replace(data.train[0], path=None), *data.train[1:]], data.test)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (swap, ["split"]),
        (move_box, ["annotations"]),
        (rename_patient, ["annotations"]),
        (exchange_films, ["image contents"]),
        (lose_a_film, ["annotations", "image contents", "split"]),
    ],
)
def test_it_tells_what_is_other(change, words: list[str], small: DataFolder, tmp_path: Path) -> None:
    split = splits.default(small.train, small.test)
    was = identify(split, tmp_path)._asdict()
    assert identify(change(split, small), tmp_path).differing(was) == words


def test_a_copy_elsewhere_is_the_same_data(small: DataFolder, tmp_path: Path) -> None:
    shutil.copytree(small.root, tmp_path / "renamed")
    copy = open_data(tmp_path / "renamed")
    here, there = (identify(splits.default(data.train, data.test), tmp_path / "cache") for data in (small, copy))
    assert here == there and here.differing(there._asdict()) == []
    assert here.differing(None) == ["annotations", "image contents", "split"]  # of 0.1.0, or edited
