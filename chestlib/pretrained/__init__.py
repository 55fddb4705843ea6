"""The model that ships with the package: learnt from real films, used where no run is named, without a network."""

from chestlib.pretrained.model import Answer, Pretrained, disease, features, load, log_odds, pack, tempered

__all__ = ["Answer", "Pretrained", "disease", "features", "load", "log_odds", "pack", "tempered"]
