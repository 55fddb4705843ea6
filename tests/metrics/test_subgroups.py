"""Figures within groups: those of the group scored alone, and tables that fit nothing."""

import json
from functools import partial

import numpy as np
import pytest
from random_cases import random_case

from chestlib.data import Record, patient_groups
from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS
from chestlib.metrics import Measures, binary_scores, evaluate, grouped, read_groups, subgroup_scores, weighted_scores
from chestlib.metrics.intervals import patient_weights

HALF = dict.fromkeys(FINDINGS, 0.5)


def test_a_group_scores_as_if_it_stood_alone():
    truth, predictions = random_case(1, images=60)
    view = np.array(["AP", "PA", ""])[np.arange(60) % 3]
    told = subgroup_scores(truth, Measures(truth, predictions, HALF).means, {"view": view}, resamples=15, seed=2)
    told = json.loads(json.dumps(told, allow_nan=False))["view"]
    assert list(told) == ["AP", "PA"]
    weights = patient_weights(patient_groups(truth), 15, np.random.default_rng(2)).astype(int)
    for value, row in told.items():
        own = [r for r, v in zip(truth, view, strict=True) if v == value]
        alone = evaluate(own, {r.file_name: predictions[r.file_name] for r in own})
        assert row["figures"] == pytest.approx(
            {"AP50": alone["coco"]["AP50"], "froc_average": alone["froc"]["average"], "macro_f1": alone["macro"]["f1"]}
        )
        assert (row["images"], row["boxes"]) == (20, sum(len(r.labels) for r in own))
        assert row["patients"] == len({r.patient for r in own}) and row["diseased"] == sum(r.diseased for r in own)
        drawn = []
        for times in weights:
            copies = [
                (f"{c} {r.file_name}", r) for r, n in zip(truth, times, strict=True) if r in own for c in range(n)
            ]
            part = [Record(name, r.boxes, r.labels) for name, r in copies]
            drawn.append(evaluate(part, {n: predictions[r.file_name] for n, r in copies})["coco"]["AP50"])
        assert row["intervals"]["AP50"] == pytest.approx(np.quantile(drawn, [0.025, 0.975]).tolist())
    assert "AP" in grouped({"view": told}, ("AP50",))


def test_a_classifier_scores_by_group_too():
    rng = np.random.default_rng(0)
    truth = [Record(f"{i}.png", *([[[0, 0, 9, 9]], [1]] if i % 2 else [])) for i in range(120)]
    y, p = np.array([r.diseased for r in truth]), rng.random(120)
    sex = np.array(["F", "M"])[rng.integers(0, 2, 120)]
    told = subgroup_scores(truth, partial(weighted_scores, y, p, 0.5), {"sex": sex}, boxes=False)["sex"]
    for value, row in told.items():
        assert row["figures"] == pytest.approx(binary_scores(y[sex == value], p[sex == value], 0.5))
        assert not row["few"] and "intervals" not in row


def test_few_cases_are_marked():
    truth = [Record(f"{i}.png", *([[[0, 0, 9, 9]], [8]] if i % 2 else [])) for i in range(60)]
    site = np.array(["small"] * 12 + ["large"] * 48)
    told = subgroup_scores(truth, Measures(truth, {}, HALF).means, {"site": site})["site"]
    assert told["small"]["few"] and not told["large"]["few"]
    ill = np.array([str(r.diseased) for r in truth])
    apart = [
        subgroup_scores(truth, Measures(truth, {}, HALF).means, {"ill": ill}, boxes=b)["ill"] for b in (True, False)
    ]
    assert [rows["True"]["few"] for rows in apart] == [False, True], "no normal film is no matter for boxes"
    single = np.array(["one"] + ["many"] * 59)
    of = subgroup_scores(truth, Measures(truth, {}, HALF).means, {"n": single}, resamples=9)["n"]
    assert of["one"]["intervals"]["macro_f1"] is None and of["many"]["intervals"]["macro_f1"]
    text = grouped({"site": told}, ("AP50",))
    assert "small*" in text and "large " in text and "says little" in text


def table(tmp_path, text):
    (tmp_path / "groups.csv").write_text(text)
    return tmp_path / "groups.csv"


FILMS = [Record(f"{i:03}.png") for i in range(30)]


def test_tables_are_read_as_people_write_them(tmp_path):
    rows = "\n".join(f"films/{i:03}.png;{'FM'[i % 2]};{20 + i};{i} Main Street;same" for i in range(28))
    path = table(tmp_path, f"File_Name;Sex;Age;Address;Hospital\n{rows}\nother.png;F;3;x;y\n")
    groups, notes = read_groups(path, FILMS)
    assert list(groups) == ["sex", "age"] and groups["sex"][:2].tolist() == ["F", "M"] and groups["sex"][29] == ""
    thirds = [v for v in dict.fromkeys(groups["age"].tolist()) if v]
    assert thirds == ["20 to 29", "30 to 38", "39 to 47"] or len(thirds) == 3
    assert [sum(groups["age"] == v) for v in thirds] == pytest.approx([28 / 3] * 3, abs=1)
    assert notes[0] == "2 of 30 images are not in the table, and in no group"
    assert [note.split(":")[0] for note in notes[1:]] == ["address", "hospital"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file_name,view\nx.png,AP\ny.png,PA\n", "names none of the 30 images .*'x.png'"),
        ("file_name,view\n", "names none of the 30 images;"),
        ("image,view\n000.png,AP\n", "expected a CSV file with the columns file_name"),
        ("file_name,view\n000.png,AP\n000.png,PA\n", "000.png has two rows that differ"),
        ("file_name\n000.png\n", "no column groups the images"),
        ("file_name,view\n000.png,AP\n001.png,AP\n", "no column groups the images"),
    ],
)
def test_a_table_that_fits_nothing_is_one_line(tmp_path, text, says):
    with pytest.raises(ChestlibError, match=says) as error:
        read_groups(table(tmp_path, text), FILMS)
    assert "groups.csv" in str(error.value) and "\n" not in str(error.value)
