"""What a reader drew before the truth was shown: the form it travels in, and as detections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chestlib.detections import Detections
from chestlib.errors import ChestlibError


def require_readable(images: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a study that no reader could be scored on: every image needs a name of its own and a truth.

    Raises
    ------
    ChestlibError
    """
    ((common, times),) = Counter(image["name"] for image in images).most_common(1)
    if times > 1:
        raise ChestlibError(f"{common}: {times} images of this name; a reader's boxes are kept by name, give `names`")
    if unknown := next((image["name"] for image in images if image["truth"] is None), None):
        raise ChestlibError(f"{unknown}: no truth to score a reader against; give `truth`, or leave `read` out")


def committed(
    images: Sequence[Mapping[str, Any]], reading: Mapping[str, Any], names: tuple[str, ...]
) -> dict[str, Detections]:
    """Give the films that the reader has committed, in their order.

    Parameters
    ----------
    images : sequence of dict
        Of the study.
    reading : dict
        Place of the image to {"boxes": [[x1, y1, x2, y2, finding, how sure], ...], "done": bool}.
    names : tuple of str
        The findings.

    Returns
    -------
    dict
        File name to detections.
    """
    read: dict[str, Detections] = {}
    for i, image in enumerate(images):
        film = reading.get(str(i)) or {}
        if film.get("done"):
            rows = np.array(film["boxes"], float).reshape(-1, 6)
            read[image["name"]] = Detections(rows[:, :4], rows[:, 4], rows[:, 5], names)
    return read


def cut(reading: Mapping[str, Any], first: int, count: int) -> dict[str, Any]:
    """Keep the readings of some images, with their places among these."""
    return {str(i): reading[str(i + first)] for i in range(count) if str(i + first) in reading}
