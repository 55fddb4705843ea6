"""Faster R-CNN that is not taught what nobody looked for: a film's unknown findings enter no loss.

A target may hold "known" (findings + 1,) bool, the background first: which findings were looked for on the film. The
others are taken out of the softmax of its regions, and its anchors beside the boxes, where one of them may lie, teach
the region proposals nothing. Without "known" all is as torchvision has it.
"""

from __future__ import annotations

from typing import Any

import torch
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork

IGNORED = -1.0
"""Label of an anchor that teaches nothing; torchvision's."""


class PartialProposals(RegionProposalNetwork):
    """Region proposals without background on films whose findings are known in part."""

    def assign_targets_to_anchors(self, anchors: Any, targets: list[dict[str, torch.Tensor]]) -> Any:
        """Label the anchors: 1 on a box, 0 beside the boxes, -1 for what does not count."""
        labels, boxes = super().assign_targets_to_anchors(anchors, targets)
        labels = [
            label.masked_fill(label == 0, IGNORED) if "known" in target else label
            for label, target in zip(labels, targets, strict=True)
        ]
        return labels, boxes

    def compute_loss(self, objectness: Any, deltas: Any, labels: Any, targets: Any) -> Any:
        """Compute both losses; 0 where no anchor of the batch counts."""
        if all((label == IGNORED).all() for label in labels):
            return objectness.sum() * 0, deltas.sum() * 0
        return super().compute_loss(objectness, deltas, labels, targets)


class PartialHeads(RoIHeads):
    """Heads whose regions are judged among the findings that were looked for on their film."""

    known: torch.Tensor | None = None

    def select_training_samples(self, proposals: Any, targets: Any) -> Any:
        """Draw regions, and note for the predictor what is known of the film of each."""
        chosen = super().select_training_samples(proposals, targets)
        if any("known" in target for target in targets):
            all_known = torch.ones_like(next(target["known"] for target in targets if "known" in target))
            rows = [
                target.get("known", all_known).expand(len(labels), -1)
                for target, labels in zip(targets, chosen[2], strict=True)
            ]
            self.known = torch.cat(rows)
        return chosen

    def forget(self, module: Any, inputs: Any, outputs: Any) -> Any:
        """Take findings that nobody looked for out of the logits of the regions just drawn; a hook of the predictor."""
        known, self.known = self.known, None
        if known is None:
            return outputs
        logits, boxes = outputs
        return logits.masked_fill(~known, -torch.inf), boxes


def allow_partial(model: FasterRCNN) -> None:
    """Let a model learn from targets with "known"."""
    model.rpn.__class__, model.roi_heads.__class__ = PartialProposals, PartialHeads
    model.roi_heads.box_predictor.register_forward_hook(model.roi_heads.forget)
