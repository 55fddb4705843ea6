"""The model that ships: a detector on a frozen trunk, and linear heads that say of a film as a whole what is on it.

Both share one look of the trunk at the film. A finding of which few boxes taught the detector is placed well enough,
but how sure its boxes are says little of whether it is there at all; that, the heads know better, for a film needs no
boxes to teach them. So their answer tempers the scores of the boxes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors.torch
import torch

from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.files import read_json, sha256
from chestlib.prediction.shipped.guard import Guard
from chestlib.settings import DetectorSettings, from_json
from chestlib.train import Detector, detector, linear, predicting

FOLDER = Path(__file__).parent
CARD, WEIGHTS = FOLDER / "card.json", FOLDER / "model.safetensors"

MAPS = 3
"""Of the trunk that the heads and the guard see, the last: strides 8, 16, 32."""

TRUSTED = 20
"""Films of a finding with which its boxes and its head have an equal say."""

DETECTOR, GUARD = "detector.", "guard."
"""What the names of their tensors begin with."""


class Answer(NamedTuple):
    """What the model says of one film: disease in [0, 1], findings and boxes, and why it may all mean nothing."""

    disease: float
    detections: Detections
    doubt: str


def features(module: Detector, images: Sequence[torch.Tensor]) -> np.ndarray:
    """Look at films and at their mirror images with the detector's trunk.

    Parameters
    ----------
    images : sequence of (1, S, S) float32
        In [0, 1].

    Returns
    -------
    (n, 2, d) float32
        Means and maxima of the maps of the film, and of its mirror image: what the heads and the guard see.
    """
    both = torch.stack([side for image in images for side in (image, image.flip(-1))]).expand(-1, 3, -1, -1)
    with predicting(module, both.device) as device:
        maps = module.model.backbone.body(module.model.transform(list(both.to(device)))[0].tensors)
    return linear.pooled([*maps.values()][-MAPS:]).reshape(len(images), 2, -1).cpu().numpy()


def tempered(found: Detections, film: np.ndarray, taught: np.ndarray) -> Detections:
    """Temper the scores of boxes by what the heads say of the film: score^w p^(2 - 2 w), w = n / (n + TRUSTED).

    Parameters
    ----------
    film : (findings,) float
        p, the heads' answers in [0, 1].
    taught : (findings,) float
        n, the films whose boxes taught each finding.
    """
    of = found.labels - 1
    w = taught[of] / (taught[of] + TRUSTED)
    scores = np.power(found.scores, w) * np.power(film[of], 2 - 2 * w)
    return Detections(found.boxes, found.labels, np.clip(scores, 0, 1), found.names)


def log_odds(p: np.ndarray) -> np.ndarray:
    """Logit of scores in [0, 1], those of 0 and 1 drawn in a little."""
    inside = np.clip(p, 1e-4, 1 - 1e-4)
    answer: np.ndarray = np.log(inside / (1 - inside))
    return answer


def disease(head: np.ndarray, boxes: np.ndarray, joint: Mapping[str, float]) -> np.ndarray:
    """Join the logit of the disease head with the best tempered box of the film; (n,) in [0, 1].

    Parameters
    ----------
    head : (n,) float
        Logits.
    boxes : (n,) float
        Best scores in [0, 1], 0 where there is no box.
    joint : mapping
        "head", "boxes" and "offset": a logistic regression that was fitted on films that taught neither.
    """
    logit = joint["head"] * head + joint["boxes"] * log_odds(boxes) + joint["offset"]
    answer: np.ndarray = 1 / (1 + np.exp(-logit))
    return answer


class Pretrained:
    """The model that ships, ready to predict.

    Parameters
    ----------
    card : dict
        As :func:`load` reads it: what it was learnt from, with which settings, thresholds and figures.
    weights : dict of str to tensor
        As :func:`pack` makes them.
    """

    def __init__(self, card: dict[str, Any], weights: Mapping[str, torch.Tensor]) -> None:
        self.card = card
        self.detector = Detector(from_json(DetectorSettings, card["settings"], CARD), pretrained=False)
        own = {name: value.float() for name, value in weights.items()}
        self.detector.load_state_dict(_after(DETECTOR, own))
        self.detector.eval()
        self.slopes, self.offsets = own["heads.slopes"].numpy(), own["heads.offsets"].numpy()
        self.guard = Guard({name: value.numpy() for name, value in _after(GUARD, own).items()})
        names = self.detector.settings.findings
        self.taught = np.array([card["films"]["boxes"][name] for name in names], float)
        self.threshold = float(card["thresholds"]["disease"])
        self.thresholds = {name: float(card["thresholds"]["findings"][name]) for name in names}
        self.joint = {name: float(card["disease"][name]) for name in ("head", "boxes", "offset")}

    def __call__(self, images: Sequence[torch.Tensor], sizes: Sequence[tuple[int, int]]) -> list[Answer]:
        """Say what is on films.

        Parameters
        ----------
        images : sequence of (1, S, S) float32
            In [0, 1], resized to `card["settings"]["image_size"]`.
        sizes : sequence of (width, height)
            Of the original images, pixels.
        """
        seen, found = features(self.detector, images), detector.detect(self.detector, images, sizes)
        said = seen.mean(1) @ self.slopes + self.offsets
        films = 1 / (1 + np.exp(-said[:, 1:]))
        boxes = [tempered(boxes, film, self.taught) for boxes, film in zip(found, films, strict=True)]
        best = np.array([one.scores.max(initial=0) for one in boxes])
        present = disease(said[:, 0], best, self.joint)
        return [Answer(*row) for row in zip(present.tolist(), boxes, self.guard(seen[:, 0]), strict=True)]

    def told(self) -> str:
        """Say in one line what it is and what it reached."""
        films, reached = self.card["films"], self.card["reached"]
        own = reached["by these weights, on films of patients that taught them nothing"]
        return (
            f"its own model, learnt from {films['total']:,} real films. Its recipe, cross-validated on "
            f"{reached['films']}: disease AUROC {_figure(reached['auroc'])}, boxes AP50 {_figure(reached['AP50'])}; "
            f"these weights on {own['films']} films of other patients: AP50 {_figure(own['AP50'])}. "
            "Not for clinical use."
        )


def _figure(row: Mapping[str, Any]) -> str:
    low, high = row["interval"]
    return f"{row['value']:.2f} (95 %: {low:.2f} to {high:.2f})"


def _after(prefix: str, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def pack(
    module: Detector, slopes: np.ndarray, offsets: np.ndarray, guard: Mapping[str, np.ndarray]
) -> dict[str, torch.Tensor]:
    """Put all that the model is into one dict of tensors; the detector, which is most of it, in half precision."""
    weights = {
        DETECTOR + name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in module.state_dict().items()
    }
    arrays = {"heads.slopes": slopes, "heads.offsets": offsets, **{GUARD + name: a for name, a in guard.items()}}
    return weights | {name: torch.from_numpy(np.array(array, np.float32)) for name, array in arrays.items()}


@cache
def load() -> Pretrained:
    """Load the model that ships with this version; no network is needed.

    Raises
    ------
    ChestlibError
        If its files are not those that this version came with.
    """
    try:
        card = read_json(CARD)
        if sha256(WEIGHTS) == card["weights_sha256"]:
            model = Pretrained(card, safetensors.torch.load_file(WEIGHTS))
            model.told()
            return model
    except (ChestlibError, OSError, LookupError, TypeError, ValueError, RuntimeError):
        pass
    raise ChestlibError(f"{WEIGHTS}: not the model that this version ships with; install chestlib again")
