"""Settings: there and back through JSON, and no model of any size out of a broken file."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from chestlib.errors import ChestlibError
from chestlib.settings import (
    PROFILES,
    ClassifierSettings,
    DetectorSettings,
    TuneSettings,
    change,
    from_json,
    listing,
    profile,
    to_json,
)  # fmt: skip


@pytest.mark.parametrize("name", PROFILES)
def test_settings_come_back_as_they_were(name: str) -> None:
    for settings in (profile(name).classifier, profile(name).detector):
        assert from_json(type(settings), json.loads(json.dumps(to_json(settings))), "a.json") == settings


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"colour": 1}, "not settings of a DetectorSettings"),
        ([], "not settings of a DetectorSettings"),
        (None, "not settings of a DetectorSettings"),
        ({"image_size": "160"}, "image_size is '160'"),
        ({"image_size": True}, "image_size is True"),
        ({"image_size": 160.0}, "image_size is 160.0"),
        ({"image_size": 0}, "image_size is 0"),
        ({"epochs": -1}, "epochs is -1"),
        ({"head_units": 2**16}, "head_units is 65536"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"learning_rate": -0.1}, "learning_rate is -0.1"),
        ({"trunk": 18}, "trunk is 18"),
        ({"anchor_sizes": []}, "anchor_sizes is ()"),
        ({"anchor_sizes": [0.1, 0.0]}, "anchor_sizes is (0.1, 0.0)"),
        ({"anchor_sizes": [0.1] * 9}, "anchor_sizes is (0.1, "),
        ({"anchor_sizes": 0.1}, "anchor_sizes is 0.1"),
    ],
)
def test_a_wrong_value_is_told_with_file_and_field(values: Any, says: str) -> None:
    with pytest.raises(ChestlibError) as error:
        from_json(DetectorSettings, values, "runs/a/settings.json")
    assert str(error.value).startswith("runs/a/settings.json: ") and says in str(error.value)


def test_what_is_left_out_is_as_usual_and_an_integer_may_stand_for_a_rate() -> None:
    assert from_json(ClassifierSettings, {}, "a.json") == ClassifierSettings()
    assert from_json(ClassifierSettings, {"ema": 0, "seed": 2**31}, "a.json").seed == 2**31
    assert from_json(DetectorSettings, {"anchor_ratios": [1, 2.0]}, "a.json").anchor_ratios == (1, 2.0)


def test_an_unknown_profile_is_told_the_known_ones() -> None:
    with pytest.raises(ChestlibError, match="'slow': unknown; use one of quick, laptop, full"):
        profile("slow")


def test_text_changes_the_first_settings_that_have_the_name() -> None:
    texts = ["epochs=3", "learning_rate=1e-4", "train_share=1", "precision=32-true", "width=7"]
    plan, stage = change(texts, TuneSettings(), ClassifierSettings())
    assert plan == TuneSettings(epochs=3, train_share=1.0)
    assert stage == ClassifierSettings(learning_rate=1e-4, precision="32-true", width=7)
    # What fits only together.
    coco = ["weights=coco", "trunk=resnet50", "fpn_channels=256", "head_units=1024", "anchor_ratios=0.5,1,3"]
    (stage,) = change(coco, DetectorSettings())
    assert (stage.weights, stage.anchor_ratios) == ("coco", (0.5, 1.0, 3.0))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("epoch=3", "no such setting; write name=value with one of image_size, epochs, "),
        ("epochs", "expected a whole number from 1 to 65535"),
        ("epochs=0", "epochs is 0; expected a whole number from 1 to 65535"),
        ("batch_size=8.0", "expected a whole number from 1 to 4096"),
        ("learning_rate=nan", "expected a number from 0 to 1"),
        ("ema=1.5", "expected a number from 0 to 1"),
        ("workers=-1", "expected a whole number from 0 to 256"),
        ("seed=4294967296", "expected a whole number from 0 to 4294967295"),
        ("precision=x", "expected one of auto, 32-true, "),
        ("trunk=vgg", "expected one of resnet10, "),
        ("image_size=32", "expected 64 or more"),
        ("anchor_ratios=1,b", "expected 1 to 8 numbers, written as 0.5,1,2, each from 0.01 to 100"),
        ("anchor_sizes=0.1", "need five"),
        ("weights=coco", "need trunk resnet50"),
        ("frozen=2", "random weights must learn"),
    ],
)
def test_what_does_not_fit_is_told_with_the_option_and_what_would(text: str, says: str) -> None:
    with pytest.raises(ChestlibError) as error:
        change([text], DetectorSettings())
    assert str(error.value).startswith(f"--set {text}: ") and says in str(error.value)


def test_a_model_of_which_no_pixel_is_left_is_refused() -> None:
    assert ClassifierSettings(image_size=32, depth=4)
    with pytest.raises(ChestlibError, match="image_size is 32; expected 64 or more"):
        ClassifierSettings(image_size=32, depth=5)


def test_the_list_tells_every_setting_with_its_defaults() -> None:
    lines = listing("Settings", "tune", "classifier").splitlines()
    assert {f"- `{field.name}`" for field in (*fields(TuneSettings), *fields(ClassifierSettings))} == {
        line.partition(":")[0] for line in lines[1:] if line
    }
    assert "- `epochs`: 4; laptop: 8; full: 12" in lines and "- `dropout`: 0.1" in lines
    detector = listing("Settings", "detector")
    assert "- `anchor_sizes`: 0.027,0.04,0.06,0.09,0.14,0.21,0.32,0.48\n" in detector
    assert "- `weights`: chest; laptop: none; full: coco" in detector
