"""Where stage 1 looked: Grad-CAM, and the share of it that lies inside the true boxes.

Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
arXiv:1610.02391, equations 1 and 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # only cam() needs torch, and the chapters about data are open sooner without it
    import torch

    from chestlib.train import Classifier, SimpleCNN


def cam(model: Classifier | SimpleCNN, image: torch.Tensor, block: int = -1) -> np.ndarray:
    """Map what in the image speaks for disease, as seen by one block of the network.

    Parameters
    ----------
    model : Classifier or SimpleCNN
        In evaluation mode.
    image : (1, H, W) float32
        In [0, 1], at the model's size.
    block : int
        The last one knows most and sees coarsest: 14 x 14 cells at 224 pixels.

    Returns
    -------
    (H, W) float32
        In [0, 1], its maximum 1; all 0 where nothing speaks for disease.
    """
    import torch
    from torch.nn import functional

    from chestlib.train import Classifier

    network: SimpleCNN = model.model if isinstance(model, Classifier) else model
    kept: list[torch.Tensor] = []
    hook = network.blocks[block].register_forward_hook(lambda module, inputs, output: kept.append(output))
    try:
        with torch.enable_grad():
            logit = network(image[None])
    finally:
        hook.remove()
    (gradient,) = torch.autograd.grad(logit.sum(), kept)
    weights = gradient.mean((2, 3), keepdim=True)
    coarse = torch.relu((weights * kept[0]).sum(1, keepdim=True)).detach()
    fine = functional.interpolate(coarse, image.shape[1:], mode="bilinear", align_corners=False)[0, 0]
    return (fine / fine.max().clamp_min(torch.finfo(fine.dtype).tiny)).numpy()


def inside(boxes: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Which pixels have their centre in at least one box (n, 4), xyxy in the same pixels; (H, W) bool."""
    y, x = np.arange(shape[0])[:, None] + 0.5, np.arange(shape[1])[None] + 0.5
    mask = np.zeros(shape, bool)
    for x1, y1, x2, y2 in boxes:
        mask |= (x >= x1) & (x < x2) & (y >= y1) & (y < y2)
    return mask


def share_inside(cam: np.ndarray, boxes: np.ndarray) -> float:
    """Share of the map (H, W) that lies inside the union of the boxes; NaN for a map that is 0 everywhere.

    A map that knows nothing scores the boxes' share of the image: ``inside(boxes, cam.shape).mean()``.
    """
    total = float(cam.sum())
    return float(cam[inside(boxes, cam.shape)].sum()) / total if total > 0 else float("nan")
