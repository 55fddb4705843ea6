"""What comes before the network: images are square, and of its size already."""

from __future__ import annotations

import torch
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from chestlib.train.datasets import Target


class SquareTransform(GeneralizedRCNNTransform):
    """torchvision's, that leaves an image of the model's size alone; its own interpolates the same pixels again."""

    def resize(self, image: torch.Tensor, target: Target | None = None) -> tuple[torch.Tensor, Target | None]:
        """Resize an image and its boxes, where that changes something; training draws a number there, and keeps it."""
        if not self.training and image.shape[-2:] == (self.max_size, self.max_size):
            return image, target
        return super().resize(image, target)
