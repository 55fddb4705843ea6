"""chestlib: from a chest X-ray to findings, boxes and an honest report.

`chestlib.predict(images)` says what is on films; all else is in the packages below.
"""

import logging
import os
from importlib import import_module
from typing import Any

__version__ = "0.2.0.dev0"

# Read when torch is loaded: how often a thread looks whether the others are done before it sleeps. By GNU's default of
# 300,000, threads on a core that somebody else needs, too, burn many times what they compute.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")

# Lightning counts operations, and torch says at its import that Triton is not there: so it shall be without a GPU.
logging.getLogger("torch.utils.flop_counter").setLevel(logging.ERROR)


def __getattr__(name: str) -> Any:
    if name == "predict":  # imported when it is first asked for: torch takes seconds
        return import_module("chestlib.prediction.call").predict
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
