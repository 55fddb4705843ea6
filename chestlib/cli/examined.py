"""What `evaluate` and `view` are given: a truth and what was predicted for it, in any of the forms that people have."""

from __future__ import annotations

from pathlib import Path

from chestlib.data import Record, open_data
from chestlib.metrics import Found, noted_thresholds, read_predictions
from chestlib.train import Run, scored_records

Examined = tuple[list[Record], Found, "dict[str, float] | None", "Path | None"]
"""Records, predictions, thresholds of the findings, and whose they are."""


def examined(truth: Path, predictions: Path, run: Path | None, names: tuple[str, ...] | None) -> Examined:
    """Read a truth and its predictions; the thresholds are those of the run that is given, or of the predictions' own.

    Parameters
    ----------
    truth : Path
        A data folder, of which the test part is meant, or one annotation file.
    predictions : Path
        A run, or whatever :func:`chestlib.metrics.read_predictions` reads.
    run : Path, optional
        A run folder of stage 2.
    names : tuple of str, optional
        The findings; default: those of the run, or of the data.
    """
    own, thresholds = (predictions / "settings.json").is_file(), None
    if source := predictions if own else run:
        thresholds = Run(source).require("detector").finding_thresholds()
    elif thresholds := noted_thresholds(predictions):
        source = predictions
    data = open_data(truth, findings=names or tuple(thresholds or ()), draw=truth.is_dir())
    records = data.test if truth.is_dir() else data.records
    if own:
        records = scored_records(Run(predictions), data if truth.is_dir() else records)
    return records, read_predictions(predictions, records, data.categories), thresholds or None, source
