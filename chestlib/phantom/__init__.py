"""The embedded data set: chest radiographs drawn by projection, with ten findings and their true boxes."""

from chestlib.phantom.radiograph import Visit, plan_visit, render, render_visit
from chestlib.phantom.writing import plan, traits, write

__all__ = ["Visit", "plan", "plan_visit", "render", "render_visit", "traits", "write"]
