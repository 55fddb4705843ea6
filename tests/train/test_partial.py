"""Partial labels: what nobody looked for teaches nothing, what was looked for teaches as ever."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from toy_runs import TINY

from chestlib.data import Record
from chestlib.train import Detector, XrayDataset

MASS, NODULE = 8, 9
BOX = [[8.0, 8, 40, 40]]


@pytest.fixture
def films(tmp_path: Path) -> XrayDataset:
    """Films of which a Mass, a Nodule or (without a box) a Mass is all that was looked for; a whole one."""
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))
    records = [
        Record("mass", BOX, [MASS], annotated=frozenset({MASS}), path=path),
        Record("nodule", BOX, [NODULE], annotated=frozenset({NODULE}), path=path),
        Record("none", annotated=frozenset({MASS}), path=path),
        Record("whole", BOX, [MASS], path=path),
    ]
    return XrayDataset(records, 64, tmp_path, boxes=True)


def losses(films: XrayDataset, *indices: int) -> tuple[Detector, dict[str, torch.Tensor]]:
    detector = Detector(replace(TINY["detector"], seed=1))
    images, targets, _ = zip(*(films[i] for i in indices), strict=True)
    torch.manual_seed(0)
    found = detector.train().model(list(images), [dict(target) for target in targets])
    sum(found.values()).backward()
    return detector, found


def test_a_target_says_what_is_known_and_what_has_no_box_anywhere_is_absent(films: XrayDataset) -> None:
    known = [target.get("known") for _, target, _ in (films[i] for i in range(4))]
    assert known[3] is None, "a film that is annotated in full is as it ever was"
    unknown = [(~row).nonzero().flatten().tolist() for row in known[:3]]
    assert unknown == [[NODULE], [MASS], [NODULE]]


@pytest.mark.parametrize(("index", "unknown", "looked"), [(0, NODULE, MASS), (1, MASS, NODULE), (2, NODULE, MASS)])
def test_no_gradient_reaches_what_nobody_looked_for(films: XrayDataset, index: int, unknown: int, looked: int) -> None:
    detector, found = losses(films, index)
    assert all(torch.isfinite(loss) for loss in found.values())
    gradient = detector.model.roi_heads.box_predictor.cls_score.weight.grad.abs().sum(1)
    assert gradient[unknown] == 0 and gradient[looked] > 0 and gradient[0] > 0 and gradient[1] > 0
    anchors, targets = [torch.tensor([[0.0, 0, 4, 4], [8, 8, 40, 40]])], [films[index][1]]
    labels, _ = detector.model.rpn.assign_targets_to_anchors(anchors, targets)
    assert labels[0].tolist() == ([-1, 1] if index < 2 else [-1, -1]), "no background where another finding may lie"


def test_films_of_a_batch_are_judged_each_by_its_own(films: XrayDataset) -> None:
    detector, found = losses(films, 0, 3)
    gradient = detector.model.roi_heads.box_predictor.cls_score.weight.grad.abs().sum(1)
    assert gradient[NODULE] > 0 and detector.model.roi_heads.known is None
    anchors = [torch.tensor([[0.0, 0, 4, 4], [8, 8, 40, 40]])]
    assert detector.model.rpn.assign_targets_to_anchors(anchors, [films[3][1]])[0][0].tolist() == [0, 1]
    assert all(torch.isfinite(loss) for loss in found.values())
