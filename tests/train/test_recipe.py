"""What a recipe says is what is done: anchors, regions, augmentation, early end, and the aim above the floor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from painted import CNN, RCNN, folder
from torch.utils.data import DataLoader

from chestlib import settings
from chestlib.data import Record
from chestlib.settings import ClassifierSettings, TuneSettings
from chestlib.train import Classifier, Run, XrayDataset, classifier, detector, load_classifier, train_stage, tune
from chestlib.train.trainer import EpochSampler
from chestlib.train.workflow import STAGES

SEARCHED = replace(settings.QUICK.classifier, image_size=32, width=8, depth=2, batch_size=8, seed=1)
UPRIGHT = replace(RCNN, image_size=320, anchor_ratios=(1.0, 3.0))

# --- stage 2: what the network is asked ---


def test_the_anchors_are_those_that_are_told() -> None:
    model = detector.build(UPRIGHT)
    own = torch.cat(model.rpn.anchor_generator.cell_anchors)
    sides = (own[:, 2:] - own[:, :2]).tolist()
    told = detector.anchors(UPRIGHT)
    assert [h / w for w, h in told] == pytest.approx([1.0, 3.0] * 5)
    assert [(w * h) ** 0.5 / 320 for w, h in told[::2]] == pytest.approx(UPRIGHT.anchor_sizes)
    np.testing.assert_allclose(sides, told, atol=1.01)  # torchvision rounds them to whole pixels


def test_images_keep_their_size_and_regions_their_number() -> None:
    model, seen = detector.build(RCNN), []
    model.backbone.register_forward_hook(lambda module, inputs, output: seen.append(tuple(inputs[0].shape)))
    model.roi_heads.box_head.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    images = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    targets = [{"boxes": torch.tensor([[8.0, 8, 30, 30]]), "labels": torch.tensor([3])} for _ in images]
    model.train()(list(images), targets)
    model.eval()(list(images))
    assert seen == [(2, 3, 64, 64), 2 * RCNN.regions, (2, 3, 64, 64), 2 * RCNN.proposals]
    assert 0.5 <= model.rpn.nms_thresh <= 0.8, "else one place fills all proposals"


@pytest.mark.parametrize("heads", ["exclusive", "independent"])
def test_what_lies_on_a_box_is_taught_its_finding_and_what_lies_beside_is_background(heads: str) -> None:
    model = detector.build(replace(RCNN, heads=heads))
    target = {"boxes": torch.tensor([[10.0, 10, 30, 30]]), "labels": torch.tensor([3])}
    places = torch.tensor([[10.0, 10, 30, 29], [10, 10, 30, 27], [10, 10, 28, 27], [40, 40, 60, 60], [28, 28, 48, 48]])
    said = model.rpn.assign_targets_to_anchors([places], [target])[0][0]
    assert said[[0, 1, 2, 3, 4]].tolist() == [1, 1, 1, 0, 0]
    _, labels = model.roi_heads.assign_targets_to_proposals([places], [target["boxes"]], [target["labels"]])
    assert labels[0].tolist() == [3, 3, 3, 0, 0]


@pytest.mark.parametrize("heads", ["exclusive", "independent"])
def test_a_grey_image_is_normalised_as_published_weights_want_it(heads: str) -> None:
    """Of ImageNet's means no grey is the mean of all three channels; in their deviations it lies within two."""
    model = detector.build(replace(RCNN, heads=heads))
    inside, _ = model.transform([torch.full((3, 64, 64), 0.45)])
    assert inside.tensors[0, :, 5, 5].tolist() == pytest.approx([-0.153, -0.027, 0.196], abs=0.01)


@pytest.mark.parametrize("heads", ["exclusive", "independent"])
def test_scores_of_findings_are_one_squashing_of_the_logits(heads: str) -> None:
    """A logit of 4 beside others of -6 is a score of at least .98, whatever the heads."""
    model = detector.build(replace(RCNN, heads=heads)).eval()
    last = model.roi_heads.box_predictor.cls_score
    torch.nn.init.zeros_(last.weight), torch.nn.init.constant_(last.bias, -6.0)
    with torch.no_grad():
        last.bias[2 if heads == "independent" else 3] = 4.0
    (found,) = model([torch.rand(1, 64, 64, generator=torch.Generator().manual_seed(0))])
    assert set(found["labels"].tolist()) == {3} and found["scores"].max() > 0.98


def test_norms_of_random_weights_learn() -> None:
    model = detector.build(RCNN)
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    norms = {name.removesuffix(".running_mean") for name, _ in model.named_buffers() if name.endswith(".running_mean")}
    assert norms and {f"{name}.{part}" for name in norms for part in ("weight", "bias")} <= learning


def test_scores_and_boxes_are_computed_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """In bfloat16 a box near x = 700 lies on a grid of 4 pixels."""
    model, seen = detector.build(RCNN).eval(), []

    def look(module: torch.nn.Module, inputs: Any, outputs: Any) -> None:
        seen.extend(part.dtype for group in outputs for part in (group if isinstance(group, list) else [group]))

    for head in (model.rpn.head, model.roi_heads.box_predictor):
        head.register_forward_hook(look)
    with torch.autocast("cpu", torch.bfloat16):
        model([torch.rand(1, 64, 64)])
    assert len(seen) > 4 and set(seen) == {torch.float32}


def test_the_settings_of_stage_1_reach_its_network() -> None:
    model = Classifier(replace(CNN, dropout=0.3, width=6, depth=2)).model
    (dropout,) = [part for part in model.modules() if isinstance(part, torch.nn.Dropout)]
    convolutions = [part.out_channels for part in model.modules() if isinstance(part, torch.nn.Conv2d)]
    assert dropout.p == 0.3 and convolutions == [6, 12, 12]


# --- augmentation ---


@pytest.fixture
def square(tmp_path: Path) -> Callable[..., XrayDataset]:
    """Makes a data set of one film, black with one white square left of the middle and above it."""

    def make(strength: float, boxes: bool = True, side: int = 12) -> XrayDataset:
        film, path = np.zeros((64, 64), np.uint8), tmp_path / f"{side}.png"
        film[14 : 18 + side, 18 : 18 + side] = 255
        cv2.imwrite(str(path), film)
        record = Record(path.name, [[18, 14, 18 + side, 18 + side]], [8], path=path)
        return XrayDataset([record], 64, tmp_path, boxes=boxes, augment=strength)

    return make


def covered(image: torch.Tensor) -> np.ndarray:
    """The box around what is bright."""
    rows, columns = np.nonzero(image[0].numpy() > 0.5 * float(image.max()))
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def test_boxes_and_labels_move_with_the_image(square: Callable[..., XrayDataset]) -> None:
    places = []
    for seed in range(40):
        image, target, _ = square(1.0)[0, seed]
        assert target["labels"].tolist() == [8]
        places.append(covered(image))
        np.testing.assert_allclose(target["boxes"][0], places[-1], atol=1.6)
    left, top = np.array(places)[:, :2].T
    assert 8 < sum(left > 30) < 32, "every second film is flipped"
    assert top.max() < 30, "none stands on its head"
    assert len(np.unique(left)) > 5 and len(np.unique(top)) > 5
    sides = np.array([b[2] - b[0] for b in places])
    assert sides.min() < 12 < sides.max()


@pytest.mark.parametrize("boxes", [True, False])
def test_the_strength_is_that_of_the_settings(square: Callable[..., XrayDataset], boxes: bool) -> None:
    """At strength 0 nothing changes; flips aside, a tenth of the strength moves less than all of it."""

    def moves(strength: float) -> np.ndarray:
        seen = [covered(square(strength, boxes)[0, seed][0]) for seed in range(40)]
        seen = [b if b[0] < 30 else np.array([64 - b[2], b[1], 64 - b[0], b[3]]) for b in seen]
        return np.ptp(seen, axis=0)

    assert torch.equal(square(0.0, boxes)[0, 1][0], square(0.0, boxes).image(0))
    assert (moves(0.1) <= 4).all() and (moves(1.0) >= 5).all()


def test_small_boxes_are_kept(square: Callable[..., XrayDataset]) -> None:
    assert all(square(0.5, side=4)[0, seed][1]["labels"].tolist() == [8] for seed in range(20))


@pytest.mark.parametrize("boxes", [True, False])
def test_films_become_brighter_and_darker_and_stay_films(square: Callable[..., XrayDataset], boxes: bool) -> None:
    data = square(1.0, boxes)
    white = [float(data[0, seed][0].max()) for seed in range(40)]
    assert min(white) > 0.35 and np.ptp(white) > 0.2 and max(white) <= 1


def test_each_showing_has_its_own_augmentation(square: Callable[..., XrayDataset]) -> None:
    data, epochs = square(0.5, False), iter((0, 1))
    sampler = EpochSampler(0, lambda: next(epochs), np.ones(50))
    one, two = [*sampler], [*sampler]
    assert len({seed for _, seed in one + two}) == 100
    pictures = [data[0, seed][0] for _, seed in one[:9]]
    assert len({picture.numpy().tobytes() for picture in pictures}) == 9
    assert torch.equal(data[0, one[0][1]][0], pictures[0]), "and the seed alone decides"


# --- when to stop, and what to choose ---


def test_patience_is_counted_in_validations_and_the_best_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, real = iter([0.2, 0.5, 0.4, 0.4, 0.4, 0.4]), classifier.validation_scores
    monkeypatch.setattr(classifier, "validation_scores", lambda *args: real(*args) | {"average_precision": next(found)})
    data, chosen = folder(tmp_path), replace(CNN, epochs=12, validate_every=2, patience=2)
    run = train_stage(data, Run(tmp_path / "run"), chosen, resamples=20)
    assert len(run.metrics()) == 2 * (2 + 2)
    films = XrayDataset(data.test, CNN.image_size, run.cache, boxes=False)
    again = classifier.probabilities(load_classifier(run)[0], torch.stack([films.image(i) for i in range(len(films))]))
    said = {row["file"]: row["disease_probability"] for row in run.read("predictions")["test"]}
    np.testing.assert_allclose(again, [said[r.file_name] for r in data.test], atol=1e-4)


def test_a_trial_that_lags_behind_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every later trial is worse than all before it, in each epoch and by whatever figure."""
    epochs: dict[str, list[int]] = {}

    def judged(self: Classifier) -> None:
        key = str(self.settings)
        epochs.setdefault(key, []).append(self.current_epoch)
        rank = list(epochs).index(key)
        for name in classifier.validation_scores(np.array([True, False]), np.array([0.6, 0.4]), 0.0):
            self.log(f"val_{name}", 0.9 / (1 + rank))
        self.log(classifier.MONITOR, 0.9 / (1 + rank))
        self.seen = {}

    monkeypatch.setattr(Classifier, "on_validation_epoch_end", judged)
    found = tune(folder(tmp_path), Run(tmp_path / "run"), SEARCHED, TuneSettings(trials=10, epochs=9, train_share=0.2))
    states = [trial.state.name for trial in found.trials]
    assert states[0] == "COMPLETE" and states.count("PRUNED") >= 3 and found.best_trial.number == 0
    shown = [len(seen) for seen in epochs.values()]
    assert sum(shown) < 0.8 * len(shown) * max(shown), "an ended trial is not trained any further"


@pytest.mark.filterwarnings("ignore:.*LeafSpec")
def test_an_epoch_is_judged_at_the_best_threshold_above_the_floor() -> None:
    """To find all four of the diseased, two of the four normal images would be called diseased, too."""
    judged = Classifier(replace(SEARCHED, specificity_floor=0.75))
    judged.model = torch.nn.Flatten(0)  # an image is one pixel here, and says its own logit
    logits = torch.tensor([-3.0, -2, 0, 1, -1, 2, 3, 4])
    batch = logits.view(-1, 1, 1, 1), torch.tensor([0.0] * 4 + [1.0] * 4), [*"abcdefgh"]
    trainer = Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    (told,) = trainer.validate(judged, DataLoader([batch], batch_size=None), verbose=False)
    assert (told["val_recall"], told["val_specificity"]) == (0.75, 1)


def test_the_threshold_keeps_the_floor_on_new_films() -> None:
    """Chosen at the floor itself, half of all choices miss it; the margin makes them few."""
    rng, floor, kept = np.random.default_rng(0), settings.SPECIFICITY_FLOOR, []
    choose = STAGES[ClassifierSettings].choose
    for _ in range(60):
        records = [Record(str(i), [[0, 0, 9, 9]] * (i < 130), [3] * (i < 130)) for i in range(170)]
        said = 1 / (1 + np.exp(-rng.normal(size=170)))
        threshold = choose(records, said, CNN)["threshold"]
        kept.append(NormalDist().cdf(np.log(threshold / (1 - threshold))) >= floor)
    assert np.mean(kept) > 0.72


def test_both_classes_weigh_the_same_in_the_loss(tmp_path: Path) -> None:
    records = folder(tmp_path).train[:90:2] + folder(tmp_path).train[1:30:2]  # 45 diseased, 15 normal
    weight = classifier.pos_weight(records)
    assert weight == pytest.approx(15 / 45)
    seen: list[Any] = []
    split = type("Split", (), {"train": records})
    module = STAGES[ClassifierSettings].build(CNN, split)
    for truth in (1.0, 0.0):
        seen.append(float(module.loss(torch.zeros(4), torch.full((4,), truth))))
    assert 45 * seen[0] == pytest.approx(15 * seen[1])
