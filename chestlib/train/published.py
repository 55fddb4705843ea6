"""Published weights of the whole detector, for a model that is not quite theirs."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import nn


def from_level(state: Mapping[str, torch.Tensor], model: nn.Module) -> dict[str, torch.Tensor]:
    """Rename the weights of a whole pyramid, strides 4 to 32, for a model that may leave out its finest map."""
    pyramid = getattr(getattr(model, "backbone", None), "fpn", None)
    left_out = 4 - len(pyramid.inner_blocks) if pyramid else 0
    renamed = {}
    for name, value in state.items():
        if found := re.match(r"(backbone\.fpn\.(?:inner|layer)_blocks\.)(\d)(.*)", name):
            begin, level, end = found.groups()
            if int(level) < left_out:
                continue
            name = f"{begin}{int(level) - left_out}{end}"
        renamed[name] = value
    return renamed
