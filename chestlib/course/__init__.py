"""What a notebook begins with: the data, the profile, the runs, and the checks of its exercises."""

from chestlib.course import environment, expected
from chestlib.course.exercises import NotYet, check
from chestlib.course.lesson import (
    Course,
    begin,
    data_folder,
    home,
    lacking,
    notebooks,
    phantom,
    run_folder,
    runs_folder,
)
from chestlib.course.real import measured, nih_table, real_figures

__all__ = [
    "Course", "NotYet", "begin", "check", "data_folder", "environment", "expected", "home", "lacking", "measured",
    "nih_table", "notebooks", "phantom", "real_figures", "run_folder", "runs_folder",
]  # fmt: skip
