"""What a notebook begins with: the data, the profile, the runs, the checks of its exercises, and its quiz."""

from chestlib.course import environment, expected, recorded
from chestlib.course.cards import Prediction, Quiz, is_quiz, predict, quiz, quiz_script
from chestlib.course.exercises import NotYet, check
from chestlib.course.kinds import Question, choice, match, number, order, questions
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
from chestlib.course.live import clean, read_notebook
from chestlib.course.real import measured, nih_table, real_figures

__all__ = [
    "Course", "NotYet", "Prediction", "Question", "Quiz", "begin", "check", "choice", "clean", "data_folder",
    "environment", "expected", "home", "is_quiz", "lacking", "match", "measured", "nih_table", "notebooks", "number",
    "order", "phantom", "predict", "questions", "quiz", "quiz_script", "read_notebook", "real_figures", "recorded",
    "run_folder", "runs_folder",
]  # fmt: skip
