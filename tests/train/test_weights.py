"""Published weights: what is loaded, and that nothing takes their place without a word. The files are played here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import pytest
import torch
from torchvision.models import _api
from torchvision.models.detection import fasterrcnn_resnet50_fpn

from chestlib import settings
from chestlib.data import DataFolder
from chestlib.errors import ChestlibError
from chestlib.train import Run, detector, train_stage

COCO = replace(settings.FULL.detector, image_size=64, weights="coco")


def test_weights_that_cannot_be_had_stop_the_training(
    small: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(_api, "load_state_dict_from_url", offline)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    chosen = replace(settings.QUICK.detector, image_size=64, trunk="resnet18", weights="imagenet")
    with pytest.raises(ChestlibError) as caught:
        train_stage(small, Run(tmp_path / "run"), chosen)
    assert not (tmp_path / "run").exists()
    line = str(caught.value)
    assert line.startswith("https://download.pytorch.org/models/resnet18") and "no route to host" in line
    assert f"put the file into {tmp_path / 'home' / 'hub' / 'checkpoints'}" in line and "--set weights=none" in line


@pytest.fixture(scope="module")
def published() -> dict[str, torch.Tensor]:
    """Weights by the names that the published file has: those of torchvision before 0.13."""
    state = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None).state_dict()
    olds = [(".0.0.", "."), (".0.weight", ".weight"), (".0.bias", ".bias")]
    found = {}
    for name, value in state.items():
        if name.startswith("rpn.head.conv."):
            name = name.replace(*olds[0])
        elif name.startswith("backbone.fpn."):
            name = name.replace(*olds[1]).replace(*olds[2])
        if not name.endswith("num_batches_tracked"):  # frozen norms have none
            found[name] = value
    assert {"rpn.head.conv.weight", "backbone.fpn.inner_blocks.3.bias"} <= found.keys()
    return found


def answer(state: dict[str, torch.Tensor]) -> SimpleNamespace:
    return SimpleNamespace(url="https://somewhere/coco.pth", get_state_dict=lambda **_: dict(state))


def test_all_but_the_predictor_comes_from_the_published_weights(published: dict[str, torch.Tensor]) -> None:
    model = detector.build(COCO, pretrained=False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    detector._download(model, answer(published))
    after = model.state_dict()
    theirs = [value for name, value in published.items() if not name.startswith(detector.ANEW)]
    ours = [name for name in after if not name.startswith(detector.ANEW)]
    assert len(ours) == len(theirs)
    for name, value in zip(ours, theirs, strict=True):
        assert torch.equal(after[name], value), name
    assert all(torch.equal(after[name], before[name]) for name in after if name.startswith(detector.ANEW))


@pytest.mark.parametrize("how", ["nothing fits", "one is missing", "one has another shape"])
def test_weights_that_do_not_fit_are_told(published: dict[str, torch.Tensor], how: str) -> None:
    state, key = dict(published), "backbone.body.layer1.0.conv1.weight"
    if how == "nothing fits":
        state = {f"module.{name}": value for name, value in state.items()}
    elif how == "one is missing":
        del state[key]
    else:
        state[key] = torch.zeros(3)
    model = detector.build(COCO, pretrained=False)
    with pytest.raises(ChestlibError, match=r"coco\.pth: not the weights of this model \(.*--set weights=none"):
        detector._download(model, answer(state))
