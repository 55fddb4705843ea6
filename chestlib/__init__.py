"""chestlib: from a chest X-ray to findings, boxes and an honest report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    import numpy as np

    from chestlib.prediction import Prediction

__version__ = "0.2.0.dev0"


def predict(
    images: str | os.PathLike[str] | np.ndarray | Iterable[str | os.PathLike[str] | np.ndarray],
    *,
    classifier: str | os.PathLike[str] | None = None,
    detector: str | os.PathLike[str] | None = None,
    cascade: bool = False,
) -> list[Prediction]:
    """Say of chest X-rays whether there is disease, and what and where; not for clinical use.

    Parameters
    ----------
    images : path, array, or several of one kind
        Image files and folders of them; or grey arrays (H, W) or (1, H, W) in [0, 1].
    classifier, detector : path, optional
        Runs of stage 1 and stage 2; with neither, the model that ships with chestlib answers, and one line on standard
        error says what it is and what it reached on real films.
    cascade : bool
        Stage 2 only where stage 1 says diseased.

    Returns
    -------
    list of Prediction
        One a film: `disease_probability`, `disease_present`, `detections` in pixels of the film; `doubt` where the
        model says that it knows nothing of such a picture; `error` where a file cannot be read.

    Raises
    ------
    ChestlibError
        If no image is found, an array is of another shape or range, or a run cannot be used.

    Examples
    --------
    >>> said = chestlib.predict("film.png")[0]  # doctest: +SKIP
    >>> said.disease_present, said.detections.above(0.3).to_list()  # doctest: +SKIP
    """
    from chestlib.prediction.call import call

    return call(images, classifier, detector, cascade)
