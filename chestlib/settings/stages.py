"""The settings of both stages and of the study, and the profiles: values of them that fit a machine."""

from __future__ import annotations

from dataclasses import dataclass

from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS
from chestlib.settings.limits import check

SPECIFICITY_FLOOR = 0.70
"""Least specificity of an operating point: recall alone is best served by calling everyone diseased."""


CHEST = ("resnet10", 32, 8, 64, 256, 3)
"""Of the shipped weights to start from: trunk, its width, anchor sizes, pyramid channels, head units, anchor ratios."""


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """What both trainings have in common.

    Parameters
    ----------
    image_size : int
        Side of the square that the model sees, pixels.
    epochs, batch_size : int
    learning_rate, weight_decay : float
        Of AdamW; the rate warms up over `warmup` of all steps and then falls as a cosine.
    clip : float
        Gradients are shortened to this length.
    precision : str
        Lightning's name; `auto`: what :func:`chestlib.devices.precision` finds best.
    ema : float
        Decay of the averaged weights a step; 0 switches averaging off.
    workers : int
        Loader processes.
    validate_every : int
        Epochs between validations; fewer where they would leave out the last one.
    patience : int
        Validations without progress until the training stops early.
    """

    image_size: int
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup: float = 0.1
    clip: float = 5.0
    precision: str = "auto"
    ema: float = 0.0
    workers: int = 0
    validate_every: int = 1
    patience: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class ClassifierSettings(FitSettings):
    """Stage 1. `width`: channels of the first block, doubled by each of the `depth` blocks (at most 128).

    Training begins with images of `start_size` pixels, which cost less, and ends with those of `image_size`. `augment`
    in [0, 1] scales every random change of the training images; `specificity_floor` is what the operating point must
    keep while recall is maximised.
    """

    image_size: int = 224
    start_size: int = 112
    epochs: int = 20
    validate_every: int = 2
    batch_size: int = 16
    ema: float = 0.98
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    width: int = 16
    depth: int = 4
    dropout: float = 0.1
    augment: float = 0.5
    specificity_floor: float = SPECIFICITY_FLOOR

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("image_size", "start_size"):
            if (size := getattr(self, name)) < (least := 2 ** (self.depth + 1)):
                raise ChestlibError(
                    f"{name} is {size}; expected {least} or more, as each of {self.depth} blocks halves it"
                )


@dataclass(frozen=True, kw_only=True)
class DetectorSettings(FitSettings):
    """Stage 2: Faster R-CNN on a trunk with a feature pyramid.

    Parameters
    ----------
    trunk : str
        `resnet10`, `resnet18`, `resnet34`, `resnet50` or `efficientnet_lite0`.
    trunk_width : int
        Channels of a ResNet's first layer, doubled by each further one; 64 is the stock, which published weights fit.
    weights : str
        `none`, `chest` (learnt from drawn films, shipped with the package; for the widths of the quick profile),
        `imagenet` (trunk only) or `coco` (the whole detector; resnet50 with the stock widths).
    frozen : int
        How many of the trunk's four layers keep the weights that they start with; 0 lets all learn.
    fpn_channels, head_units : int
        256 and 1024 are torchvision's stock; fewer is faster.
    heads : str
        `exclusive`: a box has one finding, by a softmax, as in torchvision. `independent`: each finding is asked for by
        itself, and films teach only what somebody looked for.
    regions : int
        Regions sampled an image for the loss of the box head (stock: 512).
    proposals : int
        Region proposals kept after NMS, in prediction at most 300 (stock: 2000 in training, 1000 after).
    anchor_sizes, anchor_ratios : tuple of float
        Side lengths as shares of the image size, one a pyramid level at strides 4, 8, 16, 32 and 64; four leave out
        stride 4, half of the work, and so do eight, two a level. Height over width.
    score_floor, nms_iou, max_detections
        Limits on what is returned; with independent heads each finding has an equal share of `max_detections`.
    repeat_threshold : float
        Findings on a smaller share of the images are shown more often (repeat-factor sampling, LVIS,
        arXiv:1908.03195); 0 switches it off.
    augment : float
        In [0, 1]: scales every random change of the training images.
    findings : tuple of str
        What is found, in the order of the ids 1, 2, ...; a training takes it from its data.
    """

    image_size: int = 160
    epochs: int = 6
    validate_every: int = 3
    batch_size: int = 8
    learning_rate: float = 8e-4
    weight_decay: float = 0.05
    trunk: str = "resnet10"
    trunk_width: int = 64
    weights: str = "none"
    frozen: int = 0
    fpn_channels: int = 64
    head_units: int = 256
    heads: str = "exclusive"
    regions: int = 64
    proposals: int = 100
    anchor_sizes: tuple[float, ...] = (0.03, 0.07, 0.14, 0.27, 0.5)
    anchor_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    score_floor: float = 0.02
    nms_iou: float = 0.4
    max_detections: int = 50
    repeat_threshold: float = 0.2
    augment: float = 0.2
    findings: tuple[str, ...] = FINDINGS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_size < 64:
            raise ChestlibError(f"image_size is {self.image_size}; expected 64 or more for a feature pyramid")
        if len(self.anchor_sizes) not in (4, 5, 8):
            raise ChestlibError(
                f"anchor_sizes: {len(self.anchor_sizes)} given; need five, one a pyramid level, or four or eight"
            )
        if self.weights in ("imagenet", "coco") and self.trunk.startswith("resnet") and self.trunk_width != 64:
            raise ChestlibError(f"weights {self.weights!r}: need trunk_width 64, the width that they have")
        if self.weights == "imagenet" and self.trunk == "resnet10":
            raise ChestlibError("weights 'imagenet': there are none for resnet10; use another trunk")
        if self.weights == "none" and self.frozen:
            raise ChestlibError(f"frozen is {self.frozen}: random weights must learn; set frozen=0")
        widths = (self.fpn_channels, self.head_units, len(self.anchor_ratios))
        if self.weights == "chest" and (self.trunk, self.trunk_width, len(self.anchor_sizes), *widths) != CHEST:
            need = "{}, trunk_width {}, {} anchor_sizes, fpn_channels {}, head_units {} and {} anchor_ratios"
            raise ChestlibError(f"weights 'chest': need trunk {need.format(*CHEST)}; others begin with weights=none")
        stock = (self.trunk, self.heads, *widths) == ("resnet50", "exclusive", 256, 1024, 3)
        if self.weights == "coco" and not stock:
            raise ChestlibError(
                "weights 'coco': need trunk resnet50, heads exclusive, fpn_channels 256, head_units 1024 and "
                "3 anchor_ratios"
            )


@dataclass(frozen=True, kw_only=True)
class TuneSettings:
    """The Optuna study.

    Parameters
    ----------
    trials : int
    epochs : int
        Of a trial; after a quarter and after half of them it is ended if it lags behind.
    train_share : float
        Share of the training part that a trial sees.
    trial_size : int
        Side of the images of a trial, pixels; at most `image_size`.
    at_once : int
        Trials that may run together. A trial learns from those before them alone, so a study does not depend on who is
        faster.
    """

    trials: int = 12
    epochs: int = 4
    train_share: float = 1.0
    trial_size: int = 112
    at_once: int = 3

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One name for all that a run of the course needs; `phantom` counts are (train, test) images."""

    name: str
    phantom: tuple[int, int]
    classifier: ClassifierSettings = ClassifierSettings()
    detector: DetectorSettings = DetectorSettings()
    tune: TuneSettings = TuneSettings()
    resamples: int = 1000


EIGHT = (0.027, 0.04, 0.06, 0.09, 0.14, 0.21, 0.32, 0.48)
"""Anchor sizes, two a level: more of the small boxes have one that fits than with one a level, at the same cost."""

QUICK = Profile(
    name="quick",
    phantom=(1200, 200),
    detector=DetectorSettings(
        image_size=384,
        epochs=4,
        validate_every=2,
        trunk_width=32,
        weights="chest",
        anchor_sizes=EIGHT,
    ),
)
LAPTOP = Profile(
    name="laptop",
    phantom=(3000, 600),
    classifier=ClassifierSettings(epochs=40, width=32, depth=5, ema=0.998, patience=12),
    detector=DetectorSettings(
        image_size=384, epochs=12, batch_size=16, learning_rate=6e-4, trunk="resnet50",
        fpn_channels=128, head_units=512, regions=128, proposals=200, ema=0.995, validate_every=3, augment=0.3,
        anchor_sizes=EIGHT,
    ),
    tune=TuneSettings(trials=24, epochs=8),
)  # fmt: skip
FULL = Profile(
    name="full",
    phantom=(3000, 600),
    classifier=ClassifierSettings(
        start_size=224, epochs=40, validate_every=1, batch_size=32, width=32, depth=5, ema=0.998, workers=8, patience=12
    ),
    detector=DetectorSettings(
        image_size=800, epochs=24, learning_rate=2e-4, trunk="resnet50", weights="coco",
        fpn_channels=256, head_units=1024, regions=512, proposals=1000, ema=0.999, workers=8, validate_every=2,
        patience=4, max_detections=100, repeat_threshold=0.1, augment=0.5,
        anchor_sizes=EIGHT,
    ),
    tune=TuneSettings(trials=40, epochs=12, trial_size=224, at_once=8),
    resamples=2000,
)  # fmt: skip
PROFILES: dict[str, Profile] = {profile.name: profile for profile in (QUICK, LAPTOP, FULL)}


def profile(name: str) -> Profile:
    """Look a profile up by its name; ChestlibError for another."""
    try:
        return PROFILES[name]
    except KeyError:
        raise ChestlibError(f"profile {name!r}: unknown; use one of {', '.join(PROFILES)}") from None
