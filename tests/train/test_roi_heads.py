"""Findings asked for one by one: what a film teaches, and what it leaves be."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from chestlib import settings
from chestlib.train import detector

ALIKE = settings.DetectorSettings(image_size=64, heads="independent")
BOXES = torch.tensor([[8.0, 8, 40, 40], [8, 8, 40, 40], [30, 30, 60, 60]])
LABELS = torch.tensor([3, 4, 9])


@pytest.fixture
def model() -> detector.GreyFasterRCNN:
    torch.manual_seed(0)
    return detector.build(ALIKE)


def learn(model: detector.GreyFasterRCNN, **more: Any) -> torch.Tensor:
    """Which findings a film with these boxes teaches: the gradient of each one's last bias."""
    losses = model.train()([torch.rand(1, 64, 64)], [{"boxes": BOXES, "labels": LABELS, **more}])
    sum(losses.values()).backward()
    return model.roi_heads.box_predictor.cls_score.bias.grad


def test_a_film_teaches_every_finding_that_was_looked_for(model: detector.GreyFasterRCNN) -> None:
    assert learn(model).ne(0).all()


def test_a_film_teaches_nothing_else(model: detector.GreyFasterRCNN) -> None:
    known = torch.zeros(11, dtype=torch.bool)  # the background first
    known[[0, 4, 9]] = True
    assert torch.equal(learn(model, known=known).ne(0), known[1:])


def test_a_box_teaches_where_it_lies(model: detector.GreyFasterRCNN) -> None:
    losses = model.train()([torch.rand(1, 64, 64)], [{"boxes": BOXES, "labels": LABELS}])
    losses["loss_box_reg"].backward()
    assert losses["loss_box_reg"] > 0 and model.roi_heads.box_predictor.bbox_pred.weight.grad.abs().sum() > 0


def test_findings_that_share_a_place_are_both_true_there(model: detector.GreyFasterRCNN) -> None:
    regions = torch.cat([BOXES[:1], BOXES[2:], torch.tensor([[0.0, 50, 10, 60]])])
    truth = model.roi_heads._truth(regions, {"boxes": BOXES, "labels": LABELS}, 10)
    assert [torch.where(row)[0].add(1).tolist() for row in truth] == [[3, 4], [9], []]


def test_a_film_without_a_box_teaches_that_nothing_is_there(model: detector.GreyFasterRCNN) -> None:
    none = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    losses = model.train()([torch.rand(1, 64, 64)], [none])
    assert losses["loss_classifier"] > 0 and losses["loss_box_reg"] == 0
    sum(losses.values()).backward()
    assert (model.roi_heads.box_predictor.cls_score.bias.grad > 0).all()  # every logit is to fall


def test_one_region_may_have_two_findings(model: detector.GreyFasterRCNN) -> None:
    heads = model.roi_heads
    boxes, scores = torch.tensor([[8.0, 8, 40, 40], [9, 8, 40, 40]]), torch.full((2, 10), 0.001)
    scores[0, 3], scores[1, 3], scores[1, 2] = 0.9, 0.5, 0.7
    found = heads._found(boxes, scores, (64, 64))
    assert found["labels"].tolist() == [4, 3]  # the second box of finding 4 is suppressed
    assert found["scores"].tolist() == pytest.approx([0.9, 0.7])
    assert torch.equal(found["boxes"], boxes)


def test_a_common_finding_leaves_room_for_the_others(model: detector.GreyFasterRCNN) -> None:
    heads = model.roi_heads
    places = torch.arange(6.0)[:, None] * 10
    boxes = torch.cat([places, places, places + 8, places + 8], 1)
    scores = torch.full((6, 10), 0.001)
    scores[:, 3], scores[:, 8] = torch.tensor([0.9, 0.8, 0.7, 0.6, 0.5, 0.4]), 0.01
    heads.score_thresh, heads.detections_per_img = 0.005, 30
    found = heads._found(boxes, scores, (64, 64))
    assert found["labels"].tolist() == [4, 4, 4, 9, 9, 9]
    assert found["scores"].tolist() == pytest.approx([0.9, 0.8, 0.7, 0.01, 0.01, 0.01])


def test_it_detects_as_the_other_does(model: detector.GreyFasterRCNN) -> None:
    (found,) = detector.detect(model.eval(), [torch.rand(1, 64, 64)], [(640, 320)])
    assert found.boxes.shape[1] == 4 and ((found.labels >= 1) & (found.labels <= 10)).all()
