"""Settings of both stages. A profile is one value of them: `quick`: minutes; `laptop`: a night; `full`: a GPU."""

from chestlib.settings.stages import (
    FULL,
    PROFILES,
    QUICK,
    SPECIFICITY_FLOOR,
    ClassifierSettings,
    DetectorSettings,
    FitSettings,
    Profile,
    TuneSettings,
    profile,
)  # fmt: skip
from chestlib.settings.texts import change, from_json, listing, read_seed, to_json

__all__ = [
    "FULL", "PROFILES", "QUICK", "SPECIFICITY_FLOOR", "ClassifierSettings", "DetectorSettings", "FitSettings",
    "Profile", "TuneSettings", "change", "from_json", "listing", "profile", "read_seed", "to_json",
]  # fmt: skip
