"""Films answered: every answer is on disk once it is made, and a killed prediction goes on."""

from chestlib.prediction import shipped
from chestlib.prediction.answers import Prediction, read_answers
from chestlib.prediction.choice import predictor
from chestlib.prediction.model import Predictor, TwoStage
from chestlib.prediction.stream import Summary, ask, predict

__all__ = [
    "Prediction", "Predictor", "Summary", "TwoStage", "ask", "predict", "predictor", "read_answers", "shipped",
]  # fmt: skip
