"""chestlib: from a chest X-ray to findings, boxes and an honest report.

`chestlib.predict(images)` says what is on films; all else is in the packages below.
"""

from importlib import import_module
from typing import Any

__version__ = "0.2.0.dev0"


def __getattr__(name: str) -> Any:
    if name == "predict":  # imported when it is first asked for: torch takes seconds
        return import_module("chestlib.prediction.call").predict
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
