"""RoIAlign that uses all threads of a CPU; torchvision's own keeps to one."""

from __future__ import annotations

import torch
from torch.nn import functional
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.poolers import LevelMapper


class RoIAlign(MultiScaleRoIAlign):
    """torchvision's RoIAlign (He et al., arXiv:1703.06870) for the levels from stride 4 or 8 to 32, fast on a CPU.

    torchvision's CPU kernel keeps to one thread. But a bin is only a weighted sum of 4 k^2 pixels (k x k samples of
    four neighbours each), and `embedding_bag` sums those with all threads, all regions and levels in one call. Other
    devices take torchvision's kernel. Where the finest level is missing, each region is pooled from a level higher.
    """

    def __init__(self, levels: list[str], output_size: int, sampling_ratio: int) -> None:
        self.finest = 6 - len(levels)
        super().__init__(levels, output_size, sampling_ratio, canonical_scale=224 >> (self.finest - 2))

    def forward(
        self, features: dict[str, torch.Tensor], boxes: list[torch.Tensor], image_shapes: list[tuple[int, int]]
    ) -> torch.Tensor:
        """Pool maps {name: (b, c, h, w)} and a list of b boxes (n, 4) into (sum of n, c, bins, bins)."""
        maps = [features[name] for name in self.featmap_names]
        if maps[0].device.type != "cpu":
            return super().forward(features, boxes, image_shapes)
        channels, bins, k = maps[0].shape[1], self.output_size[0], self.sampling_ratio
        pixels = torch.cat([level.permute(0, 2, 3, 1).reshape(-1, channels) for level in maps])
        if torch.is_grad_enabled():
            pixels = pixels.float()  # gradients add up there
        level = LevelMapper(self.finest, 5, self.canonical_scale)(boxes)
        sizes = torch.tensor([m.shape[-2:] for m in maps])
        areas = sizes.prod(1)
        height, width = sizes[level].unbind(1)
        image = torch.arange(len(boxes)).repeat_interleave(torch.tensor([len(b) for b in boxes]))
        first = (len(boxes) * (areas.cumsum(0) - areas))[level] + image * areas[level]
        x1, y1, x2, y2 = (torch.cat(boxes) / 2.0 ** (level + self.finest)[:, None]).unbind(1)
        rows, row_weights = _bilinear(y1, y2, height, bins, k)
        columns, column_weights = _bilinear(x1, x2, width, bins, k)
        index = (first[:, None, None] + rows * width[:, None, None])[:, :, None, :, None] + columns[:, None, :, None]
        weights = row_weights[:, :, None, :, None] * column_weights[:, None, :, None]
        pooled = functional.embedding_bag(
            index.flatten(3).flatten(0, 2), pixels, mode="sum",
            per_sample_weights=weights.flatten(3).flatten(0, 2).to(pixels.dtype),
        )  # fmt: skip
        return pooled.reshape(-1, bins, bins, channels).permute(0, 3, 1, 2)


def _bilinear(
    start: torch.Tensor, stop: torch.Tensor, length: torch.Tensor, bins: int, k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels that the k samples of each bin of start..stop read on one axis, and their weights, each (n, bins, 2 k)."""
    steps = (torch.arange(bins * k) + 0.5) / (bins * k)
    at = start[:, None] + (stop - start).clamp(min=1)[:, None] * steps
    last = length[:, None] - 1
    inside = (at >= -1) & (at <= last + 1)
    at = at.clamp(min=0).minimum(last)
    low = at.floor()
    weights = torch.stack([1 - (at - low), at - low], -1) * (inside / k)[..., None]
    pixels = torch.stack([low, (low + 1).minimum(last)], -1).long()
    return pixels.reshape(-1, bins, 2 * k), weights.reshape(-1, bins, 2 * k)
