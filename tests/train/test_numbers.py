"""Random numbers and precision: the seed alone decides, the caller's numbers stay, prediction repeats validation."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback

from chestlib import devices, settings
from chestlib.data import DataFolder
from chestlib.errors import ChestlibError, Interrupted
from chestlib.train import Classifier, Detector, Run, XrayDataset, classifier, detector, load_classifier, train_stage
from chestlib.train.module import numbers_of
from chestlib.train.trainer import EpochSampler, _loaders

TINY = replace(settings.QUICK.classifier, image_size=32, width=8, depth=2, epochs=2, batch_size=32)
SMALL_RCNN = settings.DetectorSettings(image_size=64, fpn_channels=8, head_units=16, regions=16, proposals=40)


def draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002  # the global ones are meant


class Stop(Callback):
    """Interrupts a training before or after Lightning has taken the signals."""

    def __init__(self, hook: str) -> None:
        setattr(self, hook, self.stop)

    def stop(self, *_: object, **__: object) -> None:
        raise KeyboardInterrupt


@pytest.mark.parametrize("hook", ["setup", "on_train_batch_end"])
def test_an_interrupted_training_leaves_no_trace_in_the_process(small: DataFolder, tmp_path: Path, hook: str) -> None:
    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
    expected = draws()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted, match=r"run: interrupted; go on with --resume"):
        train_stage(small, Run(tmp_path / "run"), TINY, callbacks=[Stop(hook)])
    assert signal.getsignal(signal.SIGINT) is handler
    assert draws() == expected


def test_building_training_and_loading_draw_nothing_from_the_caller(small: DataFolder, tmp_path: Path) -> None:
    works: list[Callable[[], object]] = [
        lambda: Classifier(TINY),
        lambda: Detector(SMALL_RCNN),
        lambda: train_stage(small, Run(tmp_path / "run"), TINY, resamples=20),
        lambda: load_classifier(Run(tmp_path / "run")),
    ]
    for work in works:
        random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
        expected = draws()
        random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
        work()
        assert draws() == expected


def test_seeds_have_32_bits(small: DataFolder, tmp_path: Path) -> None:
    largest = 2**32 - 1
    run = train_stage(small, Run(tmp_path / "run"), replace(TINY, seed=largest), resamples=20)
    assert run.finished
    for wrong in (-1, 2**32):
        with pytest.raises(ChestlibError, match=rf"seed (is )?{wrong}[:;] expected a whole number from 0 to"):
            train_stage(small, Run(tmp_path / "other"), replace(TINY, seed=wrong))
    seeds = {numbers_of(seed, epoch) for seed in (0, 1, 10_007, largest) for epoch in range(-1, 50)}
    assert len(seeds) == 4 * 51


@pytest.mark.parametrize(("build", "chosen"), [(Classifier, TINY), (Detector, SMALL_RCNN)])
def test_another_seed_begins_with_other_weights(build: Callable, chosen: settings.FitSettings) -> None:
    def weights(seed: int) -> list[torch.Tensor]:
        return [p.detach() for p in build(replace(chosen, seed=seed)).parameters() if p.ndim > 1]

    one, again, other = weights(1), weights(1), weights(2)
    assert all(map(torch.equal, one, again)) and not any(map(torch.equal, one, other))


def test_another_seed_shows_other_images_first_and_augments_them_in_another_way() -> None:
    def epoch(seed: int, number: int) -> tuple:
        return tuple(zip(*EpochSampler(seed, lambda: number, np.ones(50)), strict=True))

    assert epoch(1, 0) == epoch(1, 0)
    for other in (epoch(2, 0), epoch(1, 1), epoch(2, 1)):
        assert all(one != two for one, two in zip(epoch(1, 0), other, strict=True))  # order, and augmentations


def test_the_number_of_loader_processes_changes_nothing(small: DataFolder, tmp_path: Path) -> None:
    histories = [
        train_stage(small, Run(tmp_path / f"{n}"), replace(TINY, workers=n), resamples=20).metrics() for n in (0, 2)
    ]
    assert histories[0].equals(histories[1])


def test_loaders_fit_the_machine(small: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = XrayDataset(small.train, 32, tmp_path, boxes=False)
    for device, workers in (("cuda", 2), ("cpu", 0)):
        monkeypatch.setattr(devices, "device", lambda device=device: device)
        for loader in _loaders(Classifier(replace(TINY, workers=workers)), part, part, None, np.ones(len(part))):
            assert loader.pin_memory is (device == "cuda") and loader.persistent_workers is (workers > 0)


def test_a_film_and_its_mirror_image_get_one_answer() -> None:
    image = torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    model = Classifier(TINY).eval()
    assert torch.allclose(model(image), model(image.flip(3)), atol=1e-5)
    assert not torch.allclose(model.model(image), model.model(image.flip(3)), atol=1e-5)


@pytest.mark.parametrize(("precision", "kind"), [("bf16-mixed", torch.bfloat16), ("32-true", torch.float32)])
def test_a_model_predicts_in_the_precision_of_its_settings(precision: str, kind: torch.dtype) -> None:
    seen = []
    images = torch.rand(64, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    one, two = (
        build(replace(chosen, precision=precision)).eval()
        for build, chosen in ((Classifier, TINY), (Detector, SMALL_RCNN))
    )
    for first in (one.model.blocks[0][1], two.model.backbone.body.conv1):
        first.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    probability = classifier.probabilities(one, images)
    detector.detect(two, list(images[:2]), [(64, 64)] * 2)
    assert seen == [kind, kind]
    assert len(set(probability.tolist())) > 60  # a logit of bfloat16 would put many images on one probability
