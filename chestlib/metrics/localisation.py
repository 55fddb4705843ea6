"""What the literature on ChestX-Det10 reports: the AUROC of each finding, and whether its best box points at it.

Both follow the order of the scores alone, so detectors with another scale of scores can be compared. A detector must
answer with its faint boxes too: a finding without a box is told from one with the faintest by nothing but its absence.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chestlib.files import plain
from chestlib.metrics.binary import ranking
from chestlib.metrics.intervals import mean_present, ratio
from chestlib.metrics.matching import Predictions, Truth, looked_for, names_of, pooled, pooled_detections
from chestlib.metrics.presence import best_scores, present


def localisation_scores(truth: Truth, predictions: Predictions) -> dict[str, Any]:
    """Per-finding AUROC of the best box's score, and the pointing game.

    Returns
    -------
    dict
        {"auroc", "pointing", "per_finding": {finding: {"auroc", "pointing", "n"}}}: n images with the finding, and the
        means over findings; None for a finding that no image, for the AUROC also one that every image has.
    """
    everyone = np.ones((1, len(truth)))
    there, area, hit = (
        present(truth),
        finding_auroc(truth, predictions, everyone),
        pointing(truth, predictions, everyone),
    )
    per_finding = {
        name: {"auroc": area[0, i], "pointing": hit[0, i], "n": int(there[:, i].sum())}
        for i, name in enumerate(names_of(truth))
    }
    return dict(plain({"auroc": mean_present(area)[0], "pointing": mean_present(hit)[0], "per_finding": per_finding}))


def finding_auroc(truth: Truth, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each finding for every row of weights (r, images); (r, findings), NaN undefined.

    An image counts where somebody looked for the finding.
    """
    columns = []
    for there, score, looked in zip(
        present(truth).T, best_scores(truth, predictions).T, looked_for(truth).T, strict=True
    ):
        _, true, false = ranking(there, score, weights * looked)
        true, false = (np.pad(count, ((0, 0), (1, 0))) for count in (true, false))
        area = (np.diff(false) * (true[:, 1:] + true[:, :-1]) / 2).sum(1)
        columns.append(ratio(area, true[:, -1] * false[:, -1]))
    return np.stack(columns, 1)


def pointing(truth: Truth, predictions: Predictions, weights: np.ndarray) -> np.ndarray:
    """Share of the images with a finding where the middle of its best box lies in a true box of it, edges included.

    Parameters
    ----------
    weights : (r, images)

    Returns
    -------
    (r, findings)
        NaN for a finding that no image has. An image without a box of the finding is a miss.

    Source: Zhang et al., "Top-down neural attention by excitation backprop", IJCV 126 (2018), section 4.2, with the
    middle of a box in place of a map's maximum.
    """
    there, true, found = present(truth), pooled(truth), pooled_detections(truth, predictions)
    hit = np.zeros(there.shape, bool)
    # Best first within an image: the first of each image and finding is its best.
    _, first = np.unique(np.stack([found.image, found.labels], 1), axis=0, return_index=True)
    best = found[first]
    middles = (best.boxes[:, :2] + best.boxes[:, 2:]) / 2
    for image, label, middle in zip(best.image, best.labels, middles, strict=True):
        own = true.boxes[(true.image == image) & (true.labels == label)]
        hit[image, label - 1] = ((own[:, :2] <= middle) & (middle <= own[:, 2:])).all(1).any()
    return ratio(weights @ hit, weights @ there)
