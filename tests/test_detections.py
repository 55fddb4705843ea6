"""Detections: one form, sorted, checked, and the same after a way through a file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from chestlib.detections import Detections
from chestlib.errors import ChestlibError

BOX = [0.0, 0.0, 10.0, 20.0]


def test_the_best_comes_first_ties_stay_and_nothing_can_be_changed() -> None:
    found = Detections([BOX] * 42, [1, *([2, 3, 4, 5] * 10), 6], [0.1, *[0.5] * 40, 0.9])
    assert found.labels.tolist() == [6, *([2, 3, 4, 5] * 10), 1] and len(found) == 42
    assert (found.boxes.dtype, found.labels.dtype, found.scores.dtype) == (np.float32, np.int64, np.float32)
    with pytest.raises(ValueError, match="read-only"):
        found.scores[0] = 1
    assert Detections.empty().boxes.shape == (0, 4) and len(Detections([], [], [])) == 0


@pytest.mark.parametrize(
    ("boxes", "labels", "scores", "says"),
    [
        ([[5, 5, 5, 9]], [1], [0.5], "box [5.0, 5.0, 5.0, 9.0] is empty"),
        ([BOX, [5, 9, 6, 5]], [1, 1], [0.5, 0.5], "box [5.0, 9.0, 6.0, 5.0]"),
        ([[0, 0, np.inf, 9]], [1], [0.5], "not finite"),
        ([BOX], [0], [0.5], "finding ids are 1..10; got [0]"),
        ([BOX], [11], [0.5], "got [11]"),
        ([BOX], [1], [1.5], "scores lie in [0, 1]; got 1.5"),
        ([BOX], [1], [np.nan], "got nan"),
        ([BOX], [1, 2], [0.5], "got (1, 4), (2,), (1,)"),
        ([BOX[:3]], [1], [0.5], "got (1, 3), (1,), (1,)"),
    ],
)
def test_what_is_not_of_the_form_is_told(boxes: Any, labels: Any, scores: Any, says: str) -> None:
    with pytest.raises(ChestlibError) as error:
        Detections(boxes, labels, scores)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_each_finding_is_shown_from_its_own_threshold() -> None:
    found = Detections([BOX] * 4, [3, 3, 9, 9], [0.75, 0.25, 0.5, 0.125])
    assert found.for_display({"Nodule": 0.5}).labels.tolist() == [3, 9]  # others: from .5
    assert found.for_display({"Consolidation": 0.8, "Nodule": 0.1}).scores.tolist() == [0.5, 0.125]
    assert len(Detections.empty().for_display({})) == 0 and found.above(0.5).labels.tolist() == [3, 9]


def test_a_way_through_a_file_changes_nothing() -> None:
    found = Detections([[1, 2, 3.25, 4.5], BOX], [8, 10], [0.25, 0.75])
    again = Detections.from_list(found.to_list())
    for name in ("boxes", "labels", "scores"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    assert len(Detections.from_list([])) == 0


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ({"finding": "Tumour", "box": BOX, "score": 0.5}, "unknown 'Tumour'"),
        ({"finding": "Mass", "box": BOX}, "no or an unknown 'score'"),
        ({"finding": "Mass", "box": BOX[:3], "score": 0.5}, "not of the form finding, box, score"),
        ({"finding": "Mass", "box": BOX, "score": "high"}, "not of the form finding, box, score"),
        (3, "not of the form finding, box, score"),
    ],
)
def test_a_broken_item_is_told(item: Any, says: str) -> None:
    with pytest.raises(ChestlibError, match=says):
        Detections.from_list([item])


def test_a_detectors_boxes_come_back_in_pixels_of_the_original() -> None:
    output = {
        "boxes": torch.tensor([[1.0, 2, 3, 4], [8, 8, 8, 9]], requires_grad=True),
        "labels": torch.tensor([3, 4]),
        "scores": torch.tensor([0.5, 0.9], dtype=torch.bfloat16),
    }
    found = Detections.from_torchvision(output, (2.0, 10.0))
    assert found.boxes.tolist() == [[2, 20, 6, 40]] and found.labels.tolist() == [3]  # one had no area
