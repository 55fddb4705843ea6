"""Splits: whole patients, stratified, deterministic, and what they do with little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chestlib.data import Record, splits
from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS


def records(n: int, patients: int, prefix: str, seed: int = 0) -> list[Record]:
    """Images of a few patients each; finding i on a share of them that falls with i."""
    rng = np.random.default_rng(seed)
    out = []
    for i in range(n):
        labels = [c for c in range(1, 11) if rng.random() < 0.5 / c]
        boxes = [[1, 1, 9, 9]] * len(labels)
        out.append(Record(f"{prefix}{i}.png", boxes, labels, f"p{rng.integers(patients)}", Path(f"{prefix}{i}.png")))
    return out


def people(records):
    return {record.patient for record in records}


TRAIN, TEST = records(800, 300, "a"), records(150, 300, "b", seed=1)


def test_official_keeps_the_parts_and_draws_patients():
    split = splits.official(TRAIN, TEST)
    assert split.test == TEST and len(split.train) + len(split.val) == len(TRAIN)
    assert not people(split.train) & people(split.val)
    assert people(split.train) & people(split.test)  # the leak of the official parts stays visible
    assert repr(split) == f"Split('official', seed=0, {len(split.train)} train, {len(split.val)} val, 150 test)"


def test_patient_clean_shares_nobody():
    split = splits.patient_clean(TRAIN, TEST)
    assert not people(split.train) & people(split.test)
    assert not people(split.val) & people(split.test)
    assert not people(split.train) & people(split.val)
    assert split.test == TEST
    kept = [r for r in TRAIN if r.patient not in people(TEST)]
    assert sorted(r.file_name for r in split.train + split.val) == sorted(r.file_name for r in kept)


@pytest.mark.parametrize("make", [splits.official, splits.patient_clean])
def test_stratified_by_finding(make):
    split = make(TRAIN, TEST, val_share=0.2)
    everyone = split.train + split.val
    assert len(split.val) == pytest.approx(0.2 * len(everyone), abs=0.02 * len(everyone))
    for finding in (*FINDINGS, None):
        has = [finding in r.findings if finding else not r.diseased for r in everyone]
        drawn = sum(finding in r.findings if finding else not r.diseased for r in split.val)
        assert drawn == pytest.approx(0.2 * sum(has), abs=max(3, 0.03 * sum(has)))


def test_deterministic_and_seeded():
    names = [splits.official(TRAIN, TEST, seed=seed).to_json() for seed in (0, 0, 1)]
    assert names[0] == names[1] and names[0]["val"] != names[2]["val"]


def test_saved_and_found_again():
    split = splits.patient_clean(TRAIN, TEST)
    again = splits.Split.from_json(split.to_json(), TRAIN, TEST)
    assert again.to_json() == split.to_json() and again.val == split.val
    with pytest.raises(ChestlibError, match=r"b0\.png: is in the split but not in the data"):
        splits.Split.from_json(split.to_json(), TRAIN, TEST[1:])


def test_missing_images_take_no_part():
    absent = Record("gone.png", patient="p0")
    split = splits.official([*TRAIN, absent], [absent, *TEST])
    assert absent not in split.train + split.val + split.test


def test_unknown_patients():
    unknown = [Record(f"{i}.png", path=Path(f"{i}.png")) for i in range(40)]
    assert len(splits.official(unknown, []).val) == 6
    with pytest.raises(ChestlibError, match=r"0\.png: patient unknown, as of 40 images"):
        splits.patient_clean(unknown, [])


@pytest.mark.parametrize(("n", "val"), [(0, 0), (1, 0), (2, 1), (9, 1)])
def test_very_few_images(n, val):
    few = [Record(f"{i}.png", patient=str(i), path=Path(f"{i}.png")) for i in range(n)]
    split = splits.patient_clean(few, [])
    assert (len(split.train), len(split.val), len(split.test)) == (n - val, val, 0)


def part(normal: int, diseased: int) -> list[Record]:
    sick = [Record("a.png", [[1, 1, 9, 9]], [1])] * diseased
    return [Record("b.png")] * normal + sick


@pytest.mark.parametrize(
    ("val", "test", "floor", "told"),
    [
        ((4, 2), (1, 1), 0.7, None),
        (
            (3, 9),
            (1, 1),
            0.7,
            r"3 normal and 9 diseased .* val part, too few to choose .* train \(at least 4 normal and 2 dis",
        ),
        ((3, 9), (1, 1), 0.6, None),
        ((9, 9), (1, 1), 0.9, r"val part, too few to choose thresholds on, drawn from train \(at least 10 normal"),
        ((2, 2), (1, 1), 0.0, None),
        ((9, 9), (0, 5), 0.7, r"0 normal and 5 diseased .* test part"),
        ((9, 9), (5, 0), 0.7, r"5 normal and 0 diseased .* test part"),
        ((2, 2), (0, 1), None, None),  # stage 2 keeps no floor, and is scored on diseased images alone
        ((9, 9), (5, 0), None, r"5 normal and 0 diseased .* test part, too few to score \(at least 0 normal and 1 dis"),
    ],
)
def test_what_cannot_be_scored_is_told_before_any_training(val, test, floor, told):
    split = splits.Split("official", 0, part(20, 20), part(*val), part(*test))
    if told is None:
        splits.require_trainable(split, "data", floor)
        return
    with pytest.raises(splits.TooSmall, match=told):
        splits.require_trainable(split, "data", floor)
