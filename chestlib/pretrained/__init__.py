"""The model that ships with chestlib."""

from chestlib.pretrained.guard import POSES, Guard, fit_guard, posed

__all__ = ["POSES", "Guard", "fit_guard", "posed"]
