"""Both stages from data to a finished run; resume, prediction, and the geometry between sizes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torchvision.ops import MultiScaleRoIAlign

from chestlib import metrics, settings
from chestlib.data import DataFolder, Record, open_data, splits
from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.files import plain
from chestlib.train import (
    Classifier,
    Run,
    XrayDataset,
    detector,
    load_classifier,
    load_detector,
    repeat_factors,
    scale_boxes,
    train_stage,
)
from chestlib.train.load import load_checkpoint, read_weights
from chestlib.train.trainer import EpochSampler

SMALL_CNN = replace(
    settings.QUICK.classifier, image_size=64, width=8, depth=3, epochs=3, batch_size=16, validate_every=1
)
SMALL_RCNN = settings.DetectorSettings(image_size=96, epochs=2, batch_size=4, fpn_channels=16, head_units=32, ema=0.9)


@pytest.fixture(scope="module")
def runs(small: DataFolder, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    folder = tmp_path_factory.mktemp("runs")
    first = train_stage(small, Run(folder / "classifier"), SMALL_CNN, resamples=50)
    return first, train_stage(small, Run(folder / "detector"), SMALL_RCNN, resamples=50)


def test_a_run_tells_all_that_comes_after_training(runs: tuple[Run, Run], small: DataFolder) -> None:
    for run in runs:
        assert run.finished
        assert run.last.is_file() and run.best.is_file()
        about = run.read("settings")
        assert about["data"]["synthetic"] and about["split"]["name"] == "patient-clean"
        assert list(run.metrics()["epoch"]) == list(range(about["settings"]["epochs"]))
        parts = splits.Split.from_json(run.read("split"), small.train, small.test)
        assert not {r.patient for r in parts.train + parts.val} & {r.patient for r in parts.test}
    scores = runs[0].read("test")["scores"]
    low, high = runs[0].read("test")["intervals"]["recall"]
    assert 0 <= low <= scores["recall"] <= high <= 1
    assert runs[1].read("test")["scores"]["n_images"] == len(small.test)
    found = {name: Detections.from_list(rows) for name, rows in runs[1].read("predictions")["test"].items()}
    assert set(found) == {record.file_name for record in small.test}
    again = metrics.evaluate(small.test, found, thresholds=runs[1].read("operating_point")["thresholds"])
    for key in ("coco", "froc", "per_finding"):
        assert runs[1].read("test")["scores"][key] == plain(again[key])


def test_a_finished_run_is_not_overwritten(runs: tuple[Run, Run], small: DataFolder) -> None:
    before = runs[0].best.read_bytes()
    with pytest.raises(ChestlibError, match="holds a run already"):
        train_stage(small, runs[0], SMALL_CNN)
    with pytest.raises(ChestlibError, match="other settings"):
        train_stage(small, runs[0], replace(SMALL_CNN, epochs=4), resume=True)
    assert runs[0].best.read_bytes() == before


class Killed(Exception):
    pass


@pytest.mark.parametrize("stage", ["classifier", "detector"])
def test_resume_after_a_kill_equals_the_uninterrupted_training(
    stage: str, runs: tuple[Run, Run], small: DataFolder, tmp_path: Path
) -> None:
    whole = runs[stage == "detector"]
    train = train_stage
    chosen = SMALL_CNN if stage == "classifier" else SMALL_RCNN

    def kill(done: int, total: int, note: str) -> None:
        if done > 0.6 * total:
            raise Killed

    with pytest.raises(Killed):
        train(small, Run(tmp_path / "run"), chosen, resamples=50, progress=kill)
    cut = Run(tmp_path / "run")
    assert not cut.finished and cut.last.is_file()
    train(small, cut, chosen, resamples=50, resume=True)
    np.testing.assert_allclose(cut.metrics().to_numpy(), whole.metrics().to_numpy(), atol=1e-6)
    assert cut.read("test")["scores"] == whole.read("test")["scores"]


@pytest.mark.parametrize("stage", ["classifier", "detector"])
@pytest.mark.parametrize("how", ["--devices", "--nodes"])
def test_two_processes_share_a_training(how: str, stage: str, small: DataFolder, tmp_path: Path) -> None:
    command = [sys.executable, Path(__file__).with_name("two_processes.py"), "train", stage, small.root, "--run", "run"]
    nodes: list[dict[str, str]] = [{}]
    if how == "--nodes":  # two processes as two nodes; Lightning starts none
        with socket.create_server(("127.0.0.2", 0)) as free:
            meet = {"MASTER_ADDR": "127.0.0.2", "MASTER_PORT": str(free.getsockname()[1])}
        nodes = [meet | {"NODE_RANK": rank} for rank in "01"]
    started = [
        subprocess.Popen([*command, how, "2"], cwd=tmp_path, env=os.environ | node, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for node in nodes
    ]  # fmt: skip
    said = [process.communicate(timeout=600) for process in started]
    assert [process.returncode for process in started] == [0] * len(nodes), said
    assert [out.count("on test") for out, _ in said] == [1, 0][: len(nodes)]  # what follows the training is done once
    run = Run(tmp_path / "run")
    about = run.read("settings")
    shares = [(tmp_path / f"shown-{rank}.txt").read_text().split() for rank in (0, 1)]
    epochs = about["settings"]["epochs"]
    assert len(shares[0]) == len(shares[1]) >= epochs * (about["split"]["train"] // 2 - 8)
    for epoch in range(epochs):
        shown = [name for share in shares for name in share[len(share) // epochs * epoch :][: len(share) // epochs]]
        assert len(set(shown)) >= len(shown) - 1  # no image twice; of an odd number one pads the other share
    # The validation figures are those of all images, not of one process's share.
    parts = splits.Split.from_json(run.read("split"), small.train, small.test)
    for rank in (0, 1):
        scored = (tmp_path / f"scored-{rank}.txt").read_text().split()
        assert sorted(scored) == sorted(record.file_name for record in parts.val)


def test_checkpoints_hold_no_code(runs: tuple[Run, Run], tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple:
            return (Path(tmp_path / "exploded").touch, ())

    for name in ("evil.ckpt", "evil.safetensors"):
        torch.save({"state_dict": Bomb()}, tmp_path / name)
    for whole in (runs[0].last, runs[0].best):
        (tmp_path / f"half{whole.suffix}").write_bytes(whole.read_bytes()[:5000])
    for suffix, read in ((".ckpt", load_checkpoint), (".safetensors", read_weights)):
        for name in (f"evil{suffix}", f"half{suffix}", f"none{suffix}"):
            with pytest.raises(ChestlibError, match=name):
                read(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


def test_a_loss_that_is_no_number_names_its_images(
    small: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Classifier, "forward", lambda self, image: self.model(image) * float("nan"))
    with pytest.raises(ChestlibError, match=r"\.png.*last good checkpoint"):
        train_stage(small, Run(tmp_path / "run"), SMALL_CNN)


def test_too_little_data_is_told_with_its_counts(small: DataFolder, tmp_path: Path) -> None:
    few = DataFolder(small.root, small.train[:9], small.test[:1], True)
    with pytest.raises(splits.TooSmall, match="add films"):
        train_stage(few, Run(tmp_path / "run"), SMALL_RCNN)
    assert not (tmp_path / "run").exists()


def test_resnet50_trains_on_normal_and_diseased_images() -> None:
    chosen = replace(settings.FULL.detector, weights="none", image_size=128, fpn_channels=32, head_units=64, regions=32)
    model = detector.build(chosen).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    pictures = torch.rand(2, 1, 128, 128, generator=torch.Generator().manual_seed(0))
    targets = [
        {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)},
        {"boxes": torch.tensor([[20.0, 30.0, 60.0, 90.0]]), "labels": torch.tensor([10])},
    ]
    for _ in range(2):
        losses = model(pictures, targets)
        assert all(torch.isfinite(loss) for loss in losses.values())
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    assert model.roi_heads.box_predictor.cls_score.out_features == 11


@pytest.mark.parametrize(("strides", "whole"), [((4, 8, 16, 32), 224), ((8, 16, 32), 112)])
def test_the_fast_roi_align_equals_torchvisions(strides: tuple[int, ...], whole: int) -> None:
    generator = torch.Generator().manual_seed(0)
    shapes, names = [(96, 128)] * 2, list("0123"[: len(strides)])
    maps = [torch.randn(2, 8, 96 // s, 128 // s, generator=generator) for s in strides]
    corners = torch.rand(2, 60, 2, 2, generator=generator) * torch.tensor([170.0, 130.0]) - 20  # some lie outside
    first = torch.cat([corners.amin(2), corners.amax(2)], 2)
    boxes = [first[0], first[1][:7]]
    results = []
    theirs = MultiScaleRoIAlign(names, output_size=7, sampling_ratio=2, canonical_scale=whole)
    for pool in (theirs, detector.RoIAlign(names, output_size=7, sampling_ratio=2)):
        leaves = [m.clone().requires_grad_() for m in maps]
        pooled = pool(dict(zip(names, leaves, strict=True)), boxes, shapes)
        (pooled * torch.arange(7.0)).square().sum().backward()
        results.append([pooled.detach(), *(leaf.grad for leaf in leaves)])
    for expected, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-3)
    assert results[1][0].abs().max() > 0.5


def test_boxes_move_with_the_image(small: DataFolder, tmp_path: Path) -> None:
    records = [record for record in small.train if record.diseased][:8]
    plain = XrayDataset(records, 64, tmp_path, boxes=True)
    for i, record in enumerate(records):
        image, target, name = plain[i]
        assert image.shape == (1, 64, 64) and image.min() >= 0 and image.max() <= 1 and name == record.file_name
        np.testing.assert_allclose(target["boxes"].numpy(), record.boxes * 64 / 256, rtol=1e-5)
    torch.manual_seed(0)
    moved = XrayDataset(records, 64, tmp_path, boxes=True, augment=1.0)
    for i in range(len(records)):
        _, target, _ = moved[i]
        assert target["boxes"].shape == (len(target["labels"]), 4)
        assert (target["boxes"][:, 2:] > target["boxes"][:, :2]).all() and (target["boxes"] <= 64).all()


@pytest.mark.parametrize(("width", "height"), [(120, 60), (50, 200)])
def test_a_box_lies_on_the_same_pixels_of_a_film_that_is_not_square(width: int, height: int, tmp_path: Path) -> None:
    x1, y1, x2, y2 = box = np.array([0.25, 0.5, 0.75, 0.875]) * [width, height, width, height]
    film = np.zeros((height, width), np.uint8)
    film[round(y1) : round(y2), round(x1) : round(x2)] = 255
    cv2.imwrite(str(tmp_path / "a.png"), film)
    record = Record("a.png", [box], [8], path=tmp_path / "a.png")
    image, target, _ = XrayDataset([record], 64, tmp_path, boxes=True)[0]
    np.testing.assert_allclose(target["boxes"], [[16, 32, 48, 56]], rtol=1e-5)
    bright = np.argwhere(image[0].numpy() > 0.9)
    assert np.abs([*bright.min(0), *(bright.max(0) + 1)] - np.array([32, 16, 56, 48])).max() <= 1


def test_a_normal_image_has_boxes_of_shape_0_4(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((80, 100), 128, np.uint8))
    for augment in (0.0, 1.0):
        _, target, _ = XrayDataset(
            [Record("a.png", path=tmp_path / "a.png")], 64, tmp_path, boxes=True, augment=augment
        )[0]
        assert target["boxes"].shape == (0, 4) and target["labels"].shape == (0,)


def test_rare_findings_are_shown_more_often() -> None:
    box = np.array([[0, 0, 1, 1]])
    records = [Record(str(i), box, np.array([3])) for i in range(98)] + [
        Record("rare", box, np.array([8])),
        Record("normal"),
    ]
    factors = repeat_factors(records, 0.09)
    assert factors[0] == factors[-1] == 1.0 and factors[98] == pytest.approx(3.0)
    epochs = iter(range(5))
    sampler = EpochSampler(0, lambda: next(epochs), factors)
    counts = np.zeros(100, int)
    for _ in range(5):
        order = [index for index, _ in sampler]
        assert len(order) == len(sampler) == 102
        counts += np.bincount(order, minlength=100)
    assert counts[98] >= 13 and counts[:98].min() >= 4


def test_scale_boxes_keeps_axes_apart() -> None:
    np.testing.assert_allclose(scale_boxes(np.array([[10, 20, 30, 40]]), (100, 200), (50, 50)), [[5, 5, 15, 10]])


def test_a_run_folder_is_checked_before_use(runs: tuple[Run, Run], tmp_path: Path) -> None:
    with pytest.raises(ChestlibError, match="no such run folder"):
        load_classifier(Run(tmp_path / "none"))
    with pytest.raises(ChestlibError, match="a detector run; expected a classifier run"):
        load_classifier(runs[1])
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "settings.json").write_text('{"kind": "classifier", "identity": {}}')
    with pytest.raises(ChestlibError, match=r"best\.safetensors: no checkpoint"):
        load_classifier(Run(tmp_path / "empty"))


@pytest.mark.parametrize(
    ("which", "changed"), [(1, {"anchor_sizes": [0.1, 0.2, 0.4]}), (0, {"image_size": 4}), (1, {"trunk": "resnet18"})]
)
def test_settings_that_fit_no_model_are_told(
    runs: tuple[Run, Run], tmp_path: Path, which: int, changed: dict[str, object]
) -> None:
    shutil.copytree(runs[which].path, tmp_path / "run")
    about = json.loads((tmp_path / "run" / "settings.json").read_text())
    about["settings"] |= changed
    (tmp_path / "run" / "settings.json").write_text(json.dumps(about))
    with pytest.raises(ChestlibError, match=r"(settings\.json|best\.safetensors): .*train (or tune )?again"):
        (load_classifier, load_detector)[which](Run(tmp_path / "run"))


def test_the_real_files_are_read_and_found_too_few(real: Path, real_missing: int) -> None:
    if real_missing < 3000:
        pytest.skip("the real images have been downloaded")
    data = open_data(real)
    assert (len(data.train), len(data.test), data.missing) == (3001, 542, real_missing)
    split = splits.default(data.train, data.test)
    assert split.name == "patient-clean"
    with pytest.raises(splits.TooSmall, match="chestlib fetch"):
        splits.require_trainable(split, data.root, missing=data.missing)
