"""`chestlib.data` by its name in 0.1.0, for scripts that were written with it."""

from chestlib.data import DataFolder, open_data, summary

__all__ = ["DataFolder", "open_data", "summary"]
