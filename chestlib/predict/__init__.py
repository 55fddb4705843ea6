"""Both stages on image files: every answer is on disk once it is made, and a killed prediction goes on."""

from chestlib.predict.answers import Prediction, read_answers
from chestlib.predict.model import TwoStage
from chestlib.predict.stream import Summary, predict

__all__ = ["Prediction", "Summary", "TwoStage", "predict", "read_answers"]
