"""The model that ships with the package: learnt from real films, used where no run is named, without a network."""

from chestlib.prediction.shipped.guard import POSES, Guard, fit_guard, posed
from chestlib.prediction.shipped.model import Answer, Pretrained, disease, features, load, log_odds, pack, tempered

__all__ = [
    "POSES", "Answer", "Guard", "Pretrained", "disease", "features", "fit_guard", "load", "log_odds", "pack", "posed",
    "tempered",
]  # fmt: skip
