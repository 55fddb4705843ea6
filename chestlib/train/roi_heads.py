"""A box head that asks of each finding by itself whether it is there.

Findings lie one upon the other, an effusion beneath a consolidation, so they do not exclude each other as the classes
of torchvision's softmax do. And only so can a film teach the findings that somebody looked for and leave the others be.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.ops import batched_nms, box_iou, clip_boxes_to_image, remove_small_boxes

RARE = -3.0
"""First logit of a finding: one region in twenty. With 0 the first steps would only unlearn a half."""

SMOOTH = 1 / 9
"""Where the box loss turns from square to straight, as torchvision has it."""


class IndependentPredictor(nn.Module):
    """One logit a finding, and one box for all of them: few films teach few boxes of a finding."""

    def __init__(self, units: int, findings: int) -> None:
        super().__init__()
        self.cls_score, self.bbox_pred = nn.Linear(units, findings), nn.Linear(units, 4)
        nn.init.constant_(self.cls_score.bias, RARE)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, units) to logits (n, findings) and box offsets (n, 4)."""
        return self.cls_score(x), self.bbox_pred(x)


class IndependentHeads(RoIHeads):
    """torchvision's, with sigmoids; labels 1, 2, ... are the columns 0, 1, ... of the logits.

    A target may hold `known`, (findings + 1,) bool, the background first: which findings somebody looked for on this
    film. What a region says of the others is neither right nor wrong. Without it all were looked for.
    """

    def forward(
        self, features: dict[str, torch.Tensor], proposals: list[torch.Tensor], shapes: list[tuple[int, int]],
        targets: list[dict[str, torch.Tensor]] | None = None,
    ) -> tuple[list[dict[str, torch.Tensor]], dict[str, torch.Tensor]]:  # fmt: skip
        """Do as torchvision's does."""
        if self.training:
            proposals, _, labels, offsets = self.select_training_samples(proposals, targets)
        logits, deltas = self.box_predictor(self.box_head(self.box_roi_pool(features, proposals, shapes)))
        if self.training:
            assert targets is not None
            return [], self._losses(logits, deltas, proposals, torch.cat(labels), torch.cat(offsets), targets)
        boxes = self.box_coder.decode(deltas, proposals)[:, 0]
        counts = [len(part) for part in proposals]
        parts = zip(boxes.split(counts), logits.sigmoid().split(counts), shapes, strict=True)
        return [self._found(*part) for part in parts], {}

    def _losses(
        self, logits: torch.Tensor, deltas: torch.Tensor, proposals: list[torch.Tensor], labels: torch.Tensor,
        offsets: torch.Tensor, targets: list[dict[str, torch.Tensor]],
    ) -> dict[str, torch.Tensor]:  # fmt: skip
        findings = logits.shape[1]
        truth = torch.cat([self._truth(*pair, findings) for pair in zip(proposals, targets, strict=True)])
        asked = torch.cat([
            target.get("known", truth.new_ones(findings + 1))[1:].to(truth).expand(len(part), -1)
            for part, target in zip(proposals, targets, strict=True)
        ])  # fmt: skip
        loss = functional.binary_cross_entropy_with_logits(logits, truth, asked, reduction="sum")
        on = labels > 0
        box = functional.smooth_l1_loss(deltas[on], offsets[on], beta=SMOOTH, reduction="sum")
        return {"loss_classifier": loss / len(logits), "loss_box_reg": box / len(logits)}

    def _truth(self, regions: torch.Tensor, target: dict[str, torch.Tensor], findings: int) -> torch.Tensor:
        """Tell which findings have a box that a region fits; (n, findings) float32."""
        fits = box_iou(regions, target["boxes"]) >= self.proposal_matcher.high_threshold
        of = functional.one_hot(target["labels"] - 1, findings)
        return (fits.float() @ of.float()).clamp(max=1)

    def _found(self, boxes: torch.Tensor, scores: torch.Tensor, shape: tuple[int, int]) -> dict[str, Any]:
        """Every finding's boxes, after its own suppression, best first; each has an equal share of `max_detections`.

        Else the boxes of common findings would leave none for the others, which are then never more than absent.
        """
        boxes = clip_boxes_to_image(boxes, shape)
        findings = scores.shape[1]
        region, finding = torch.where(scores > self.score_thresh)
        boxes, scores, labels = boxes[region], scores[region, finding], finding + 1
        keep = remove_small_boxes(boxes, 1e-2)
        keep = keep[batched_nms(boxes[keep], scores[keep], labels[keep], self.nms_thresh)]
        rank = functional.one_hot(labels[keep] - 1, findings).cumsum(0).gather(1, labels[keep, None] - 1)[:, 0]
        keep = keep[rank <= max(1, self.detections_per_img // findings)]
        return {"boxes": boxes[keep], "labels": labels[keep], "scores": scores[keep]}
