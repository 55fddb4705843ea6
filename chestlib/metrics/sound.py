"""What is evaluated must be sound: a truth of proper boxes, each image once, and predictions for its images alone."""

from __future__ import annotations

import numpy as np

from chestlib.detections import proper
from chestlib.errors import ChestlibError
from chestlib.metrics.matching import Predictions, Truth, names_of, pooled


def require_sound(truth: Truth, predictions: Predictions) -> None:
    """Refuse a truth or predictions that cannot be evaluated; errors as of :func:`chestlib.metrics.evaluate`."""
    files = {r.file_name for r in truth}
    if not truth:
        raise ChestlibError("no images to evaluate; the truth is empty")
    if len(files) < len(truth):
        raise ChestlibError("an image is named twice in the truth; evaluate one part at a time")
    true = pooled(truth)
    names = names_of(truth)
    if other := [r.file_name for r in truth if r.names != names]:
        raise ChestlibError(f"{other[0]}: of other findings than {truth[0].file_name}; evaluate one data set at a time")
    if other := [name for name, found in predictions.items() if len(found) and found.names != names]:
        raise ChestlibError(f"{other[0]}: predicted with other findings than those of the truth ({', '.join(names)})")
    strange, wrong = (true.labels < 1) | (true.labels > len(names)), ~proper(true.boxes)
    if len(bad := np.flatnonzero(strange | wrong)):
        name, own = truth[true.image[bad[0]]].file_name, true.image == true.image[bad[0]]
        if strange[own].any():
            raise ChestlibError(f"{name}: a true box has a finding without a name; leave it out of the truth")
        box = true.boxes[own & wrong][0].tolist()
        raise ChestlibError(f"{name}: true box {box} is empty, swapped or not finite; mend the annotation file")
    if unknown := sorted(predictions.keys() - files):
        raise ChestlibError(f"{unknown[0]}: predicted, but not in the truth ({len(unknown)} such images)")


def require_same_images(a: Predictions, b: Predictions, called: tuple[str, str]) -> None:
    """Refuse two sets of predictions of which one is silent on an image that the other predicts."""
    if odd := sorted(a.keys() ^ b.keys()):
        who, other = called if odd[0] in a else called[::-1]
        raise ChestlibError(
            f"{odd[0]}: predicted by {who} and not by {other} ({len(odd)} such images); predict the same images by both"
        )
