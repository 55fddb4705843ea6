"""Grad-CAM: the map points at what raises the logit, and the share inside the boxes is counted by pixels."""

import numpy as np
import pytest
import torch

from chestlib.figures import gradcam
from chestlib.train import SimpleCNN


@pytest.fixture
def brightness() -> SimpleCNN:
    """A network whose every block passes the mean brightness on, and whose logit is the sum of the last map."""
    network = SimpleCNN(width=1, depth=2, dropout=0.0).eval()
    for name, value in network.named_parameters():
        centre = torch.zeros_like(value)
        if name.endswith("weight") and value.ndim == 4:
            centre[:, :, value.shape[2] // 2, value.shape[3] // 2] = 1.0
        torch.nn.init.ones_(value) if value.ndim == 2 else value.data.copy_(centre)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
    return network


def test_map_lies_on_the_bright_spot(brightness: SimpleCNN):
    image = torch.full((1, 32, 32), 0.4)  # below .5: nothing after the first ReLU
    image[0, 8:16, 16:24] = 1.0
    seen = gradcam.cam(brightness, image)
    assert seen.shape == (32, 32)
    assert seen.max() == 1.0
    assert gradcam.share_inside(seen, np.array([[16.0, 8.0, 24.0, 16.0]])) > 0.6
    assert gradcam.share_inside(seen, np.array([[0.0, 20.0, 12.0, 32.0]])) == 0.0


def test_map_is_zero_where_nothing_speaks_for_disease(brightness: SimpleCNN):
    seen = gradcam.cam(brightness, torch.zeros(1, 32, 32))
    assert not seen.any()
    assert np.isnan(gradcam.share_inside(seen, np.array([[0.0, 0.0, 4.0, 4.0]])))


def test_what_speaks_against_disease_is_not_counted(brightness: SimpleCNN):
    """The second channel sees the same spot and speaks louder against disease than the first for it, or it alone."""
    image = torch.full((1, 32, 32), 0.4)
    image[0, 8:16, 16:24] = 1.0
    assert brightness.head[1].weight.shape == (1, 4)  # the mean of each channel, then the maximum
    for head in ([1.0, -2.0] * 2, [0.0, -1.0] * 2, [-1.0, 0.0] * 2):
        brightness.head[1].weight.data.copy_(torch.tensor([head]))
        assert not gradcam.cam(brightness, image).any()
    brightness.head[1].weight.data.copy_(torch.tensor([[2.0, -1.0] * 2]))
    assert gradcam.cam(brightness, image).max() == 1.0


def test_no_hook_and_no_gradient_stays_behind(brightness: SimpleCNN):
    gradcam.cam(brightness, torch.rand(1, 32, 32))
    assert not brightness.blocks[-1]._forward_hooks
    assert all(p.grad is None for p in brightness.parameters())


def test_overlapping_boxes_count_once():
    even = np.ones((10, 10), np.float32)
    boxes = np.array([[0.0, 0.0, 5.0, 10.0], [3.0, 0.0, 6.0, 10.0]])
    assert gradcam.share_inside(even, boxes) == pytest.approx(0.6)
    assert gradcam.inside(boxes, even.shape).mean() == pytest.approx(0.6)
    assert gradcam.share_inside(even, np.zeros((0, 4))) == 0.0
