"""Published weights of the whole detector, for a model that is not quite theirs."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import nn
from torchvision.models.detection import FasterRCNN


def fitted(state: Mapping[str, torch.Tensor], model: nn.Module) -> dict[str, torch.Tensor]:
    """Fit weights of a whole pyramid, strides 4 to 32, to a model that leaves out a map or has more anchors a place.

    Parameters
    ----------
    state : dict of str to tensor
        By the names of today or of torchvision before 0.13; with one anchor size a level.
    model : nn.Module
        A detector, or a trunk alone, whose weights stay as they are.
    """
    if not isinstance(model, FasterRCNN):
        return dict(state)
    left_out = 4 - len(model.backbone.fpn.inner_blocks)
    sizes = len(model.rpn.anchor_generator.sizes[0])
    result = {}
    for name, value in state.items():
        if found := re.match(r"(backbone\.fpn\.(?:inner|layer)_blocks\.)(\d)(.*)", name):
            begin, level, end = found.groups()
            if int(level) < left_out:
                continue
            name = f"{begin}{int(level) - left_out}{end}"
        elif name.startswith("rpn.head.cls_logits"):  # an output for each ratio: the sizes of a ratio come in a row
            value = value.repeat_interleave(sizes, 0)
        elif name.startswith("rpn.head.bbox_pred"):
            value = value.unflatten(0, (-1, 4)).repeat_interleave(sizes, 0).flatten(0, 1)
        result[name] = value
    return result
