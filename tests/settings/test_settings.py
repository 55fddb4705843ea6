"""Settings: there and back through JSON, and no model of any size out of a broken file."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chestlib.errors import ChestlibError
from chestlib.settings import PROFILES, ClassifierSettings, DetectorSettings, from_json, profile, to_json


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
    with pytest.raises(ChestlibError, match="'slow': unknown; use one of quick, full"):
        profile("slow")
