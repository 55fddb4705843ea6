"""The embedded data set: chest radiographs drawn by projection, with ten findings and their true boxes."""

from chestlib.phantom.image import render
from chestlib.phantom.writing import write

__all__ = ["render", "write"]
