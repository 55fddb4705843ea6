"""What the network saves in prediction: images of its size as they are, and no more proposals than help."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from chestlib import settings
from chestlib.train import detector

CHOSEN = replace(settings.FULL.detector, weights="none", image_size=128, fpn_channels=8, head_units=16)


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return detector.build(CHOSEN).eval()


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("shape", [(128, 128), (96, 96), (128, 64)])
def test_images_reach_the_network_as_torchvision_has_them(
    model: torch.nn.Module, shape: tuple[int, int], training: bool
) -> None:
    theirs = GeneralizedRCNNTransform(128, 128, detector.IMAGENET_MEAN, detector.IMAGENET_STD)
    image = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))
    boxes = [{"boxes": torch.tensor([[5.0, 6.0, 40.0, 50.0]]), "labels": torch.tensor([1])}]
    results = []
    for transform in (theirs, model.transform):
        torch.manual_seed(0)
        seen, targets = transform.train(training)([image], boxes)
        results.append((seen.tensors, targets[0]["boxes"], torch.rand(1)))  # the same numbers come after it
    for expected, ours in zip(*results, strict=True):
        assert torch.equal(ours, expected)


def test_an_image_of_the_network_s_size_is_not_interpolated(
    model: torch.nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("interpolated")

    monkeypatch.setattr(torch.nn.functional, "interpolate", never)
    assert model.transform.eval()([torch.rand(3, 128, 128)])[0].tensors.shape == (1, 3, 128, 128)


def test_the_box_head_judges_300_proposals_at_most(model: torch.nn.Module) -> None:
    judged = []
    hook = model.roi_heads.box_head.register_forward_pre_hook(lambda _, inputs: judged.append(len(inputs[0])))
    with torch.inference_mode():
        model.eval()(torch.rand(1, 1, 128, 128))
    hook.remove()
    assert judged == [300]
