"""Stage 2: Faster R-CNN (Ren et al., arXiv:1506.01497) with a feature pyramid says what and where.

Class 0 is the background, the findings are 1, 2, ... A normal image has a target of shape (0, 4). Grey images are
repeated to three channels here, at the door of the model, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn
from torch.nn import functional
from torchvision import models
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool
from torchvision.ops.misc import FrozenBatchNorm2d

from chestlib.data import Record
from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS
from chestlib.metrics import coco_scores
from chestlib.settings import DetectorSettings
from chestlib.train import lite
from chestlib.train.datasets import Target, looked_for
from chestlib.train.module import StageModule, first_numbers, predicting
from chestlib.train.partial import allow_partial
from chestlib.train.published import fitted
from chestlib.train.roi_align import RoIAlign
from chestlib.train.roi_heads import IndependentHeads, IndependentPredictor
from chestlib.train.square import SquareTransform

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

TRUNKS = {
    "resnet10": (BasicBlock, (1, 1, 1, 1)),
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet34": (BasicBlock, (3, 4, 6, 3)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
}
"""Block and number of blocks a layer: He et al., arXiv:1512.03385, table 1; resnet10 halves resnet18. Beside them there
is `efficientnet_lite0`, as :mod:`chestlib.train.lite` has it."""


CHEST = Path(__file__).parent / "chest.safetensors"
"""What `benchmarks/chest_weights.py` learnt from drawn films."""

ANEW = "roi_heads.box_predictor."
"""The one part that weights to start from leave out: other data has other findings."""

JUDGED = 300
"""Proposals that the box head judges in prediction, at most. More cost time and bring false boxes: of a quick run, 1000
gave AP .146, 300 .150 and 100 .151 on the phantom's 200 test films."""


class GreyFasterRCNN(FasterRCNN):
    """torchvision's Faster R-CNN for grey images (1, H, W) in [0, 1]."""

    def forward(self, images: Sequence[torch.Tensor], targets: list[Target] | None = None) -> Any:
        """Do as torchvision's does, with the one channel repeated to three."""
        return super().forward([image.expand(3, -1, -1) for image in images], targets)


class Trunk(ResNet):
    """torchvision's ResNet, of any width; 64 is the stock."""

    def __init__(self, kind: str, width: int, norm: Callable[[int], nn.Module]) -> None:
        self.width = width
        super().__init__(*TRUNKS[kind], norm_layer=norm)
        if width != 64:
            self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), norm(width)
            nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")

    def _make_layer(self, block: Any, planes: int, *args: Any, **kwargs: Any) -> nn.Sequential:
        if planes == 64:
            self.inplanes = self.width  # of the stem
        return super()._make_layer(block, planes * self.width // 64, *args, **kwargs)


class FrozenBatchNorm(FrozenBatchNorm2d):
    """A norm that does not learn, as one kernel; torchvision's turns bfloat16 features into float32."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise with the fixed statistics."""
        return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


def anchors(settings: DetectorSettings, image_size: int | None = None) -> list[tuple[float, float]]:
    """Width and height, in pixels of the resized image, of every anchor of `settings`."""
    side = image_size or settings.image_size
    return [
        (share * side / ratio**0.5, share * side * ratio**0.5)
        for share in settings.anchor_sizes
        for ratio in settings.anchor_ratios
    ]


def build(settings: DetectorSettings, pretrained: bool = True) -> GreyFasterRCNN:
    """Build the network of `settings`.

    Parameters
    ----------
    pretrained : bool
        False leaves out the download of weights, for a network whose checkpoint is loaded next.

    Raises
    ------
    ChestlibError
        For an unknown trunk or weights, COCO weights with other widths than the stock's, or published weights that
        cannot be had or do not fit.
    """
    each = 2 if len(settings.anchor_sizes) == 8 else 1
    sizes = [settings.anchor_sizes[at : at + each] for at in range(0, len(settings.anchor_sizes), each)]
    channels, levels = settings.fpn_channels, ["0", "1", "2", "3"][: len(sizes) - 1]
    backbone = _backbone(settings, levels, pretrained)
    model = GreyFasterRCNN(
        backbone,
        min_size=settings.image_size,
        max_size=settings.image_size,
        image_mean=lite.MEAN if settings.trunk == lite.NAME else IMAGENET_MEAN,
        image_std=lite.STD if settings.trunk == lite.NAME else IMAGENET_STD,
        rpn_anchor_generator=AnchorGenerator(
            tuple(tuple(share * settings.image_size for share in level) for level in sizes),
            (settings.anchor_ratios,) * len(sizes),
        ),
        rpn_pre_nms_top_n_train=2 * settings.proposals,
        rpn_pre_nms_top_n_test=2 * min(settings.proposals, JUDGED),
        rpn_post_nms_top_n_train=settings.proposals,
        rpn_post_nms_top_n_test=min(settings.proposals, JUDGED),
        box_roi_pool=RoIAlign(levels, output_size=7, sampling_ratio=2),
        box_head=TwoMLPHead(channels * 7 * 7, settings.head_units),
        box_predictor=FastRCNNPredictor(settings.head_units, len(settings.findings) + 1)
        if settings.heads == "exclusive"
        else IndependentPredictor(settings.head_units, len(settings.findings)),
        box_score_thresh=settings.score_floor,
        box_nms_thresh=settings.nms_iou,
        box_detections_per_img=settings.max_detections,
        box_batch_size_per_image=settings.regions,
    )
    model.transform.__class__ = SquareTransform
    for head in (model.rpn.head, model.roi_heads.box_predictor):
        head.register_forward_hook(_float32)
    if settings.heads == "exclusive":
        allow_partial(model)
    else:
        # Torchvision's model leaves no choice of them. Proposals name no finding: beside its boxes a film of partial
        # labels is background to them, else where all films are such they would propose everything.
        model.roi_heads.__class__ = IndependentHeads
    if pretrained and settings.weights == "coco":
        _download(model, models.detection.FasterRCNN_ResNet50_FPN_Weights.DEFAULT)
    if pretrained and settings.weights == "chest":
        model.load_state_dict(safetensors.torch.load_file(CHEST), strict=False)
    return model.to(memory_format=torch.channels_last)  # convolutions are faster so, and the features follow


def _backbone(settings: DetectorSettings, levels: list[str], pretrained: bool) -> BackboneWithFPN:
    """Build the trunk with its feature pyramid."""
    own, imagenet = settings.weights in ("none", "chest"), pretrained and settings.weights == "imagenet"
    # Published weights keep their statistics; those of COCO were trained with an eps of 0.
    norm = nn.BatchNorm2d if own and not settings.frozen else FrozenBatchNorm
    trunk: lite.Lite0 | Trunk
    if settings.trunk == lite.NAME:
        trunk, widths = lite.Lite0(partial(norm, eps=lite.EPS)), [*lite.WIDTHS]
        if imagenet:
            lite.load_imagenet(trunk)
    else:
        eps = 0.0 if settings.weights == "coco" else 1e-5
        trunk = Trunk(settings.trunk, settings.trunk_width, partial(norm, eps=eps))
        widths = [trunk.inplanes // 8 * 2**i for i in range(4)]
        if imagenet:
            _download(trunk, models.get_model_weights(settings.trunk).DEFAULT)
    names = [f"layer{i + 1}" for i in range(len(widths))]
    layers = dict(zip(names[-len(levels) :], levels, strict=True))
    for name, part in trunk.named_children():
        # The stem of a ResNet comes before its first layer.
        part.requires_grad_(settings.frozen == 0 or name in names[settings.frozen :])
    return BackboneWithFPN(trunk, layers, widths[-len(levels) :], settings.fpn_channels, LastLevelMaxPool())


def _float32(module: nn.Module, inputs: Any, outputs: Any) -> Any:
    """Scores and box offsets in float32: bfloat16 has eight bits, so a box near x = 700 would sit on a grid of 4 px."""
    if isinstance(outputs, torch.Tensor):
        return outputs.float()
    return type(outputs)(_float32(module, inputs, part) for part in outputs)


def _download(model: nn.Module, weights: Any) -> None:
    """Load published weights, all but the findings' predictor, which starts anew."""
    random = "or train from random weights with --set weights=none"
    try:
        state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except Exception as error:  # urllib, ssl and socket errors have no common ground below Exception
        place = Path(torch.hub.get_dir(), "checkpoints")
        raise ChestlibError(
            f"{weights.url}: cannot be had ({error}); put the file into {place} to use it offline, {random}"
        ) from None
    try:
        # Not only the names that the model has: torchvision knows the old names of a published file.
        kept = {name: value for name, value in fitted(state, model).items() if not name.startswith(ANEW)}
        left = [name for name in model.load_state_dict(kept, strict=False).missing_keys if not name.startswith(ANEW)]
    except RuntimeError as error:  # of other shapes
        left = [str(error).splitlines()[-1].strip()]
    if left:
        raise ChestlibError(f"{weights.url}: not the weights of this model ({left[0]}); remove the file, {random}")


class Detector(StageModule):
    """Faster R-CNN with its losses and its validation AP."""

    settings: DetectorSettings

    def __init__(self, settings: DetectorSettings, pretrained: bool = True) -> None:
        super().__init__(settings)
        with first_numbers(settings.seed):
            self.model = build(settings, pretrained)

    def forward(self, images: Sequence[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        """Detect, in pixels of the resized images."""
        return self.model(images)

    def training_step(self, batch: tuple, index: int) -> torch.Tensor:
        """Add up the four losses of a batch."""
        images, targets, names = batch
        losses = self.model(images, targets)
        loss = self.checked(sum(losses.values()), names)
        for name, value in {"loss": loss, **losses}.items():
            self.log(f"train_{name}", value, on_step=False, on_epoch=True, batch_size=len(images), sync_dist=True)
        return loss

    def validation_step(self, batch: tuple, index: int) -> None:
        """Log the loss of a batch, and keep its detections for the end of the epoch."""
        images, targets, names = batch
        self.log("val_loss", self._loss(images, targets), on_epoch=True, batch_size=len(images), sync_dist=True)
        for name, target, output in zip(names, targets, self.model(images), strict=True):
            names = self.settings.findings
            boxes, labels = target["boxes"].cpu().numpy(), target["labels"].cpu().numpy()
            truth = Record(name, boxes, labels, names=names, annotated=looked_for(target))
            self.seen[name] = truth, Detections.from_torchvision(output, names=names)

    def _loss(self, images: torch.Tensor, targets: list[Target]) -> torch.Tensor:
        """Compute the loss; torchvision does so in training mode alone, the norms keep to their running statistics."""
        self.model.train()
        for module in self.model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        loss = sum(self.model(images, targets).values())
        self.model.eval()
        return loss

    def on_validation_epoch_end(self) -> None:
        """Log the average precision over all validation images."""
        seen = self.all_seen()
        truth = [record for record, _ in seen.values()]
        scores = coco_scores(truth, {name: found for name, (_, found) in seen.items()})
        for name in ("AP", "AP50"):
            self.log(f"val_{name}", scores[name] or 0.0, sync_dist=True)


def detect(
    model: nn.Module, images: Sequence[torch.Tensor], sizes: Sequence[tuple[int, int]], mirror: bool = False
) -> list[Detections]:
    """Detect, in original pixels; device and precision as :func:`chestlib.train.module.predicting` says.

    Parameters
    ----------
    images : sequence of (1, S, S) float32
        In [0, 1], resized to the model's size.
    sizes : sequence of (width, height)
        Of the original images, pixels.
    mirror : bool
        Show the model the mirror images; what it says of them is mirrored back.

    Returns
    -------
    list of Detections
        With the findings of the model's settings; the ten for a bare network.
    """
    names = model.settings.findings if isinstance(model, Detector) else FINDINGS
    side = [(image.shape[-1], image.shape[-2]) for image in images]
    with predicting(model, images[0].device) as device:
        outputs = model([(image.flip(-1) if mirror else image).to(device) for image in images])
    for output, (width, _) in zip(outputs if mirror else (), side, strict=False):
        x1, y1, x2, y2 = output["boxes"].unbind(1)
        output["boxes"] = torch.stack([width - x2, y1, width - x1, y2], dim=1)
    return [
        Detections.from_torchvision(output, (size[0] / own[0], size[1] / own[1]), names)
        for output, size, own in zip(outputs, sizes, side, strict=True)
    ]
