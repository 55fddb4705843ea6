"""What both Lightning modules share: optimiser, learning-rate schedule, seeding by epoch, and a stop on NaN."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import LightningModule, seed_everything

from chestlib.errors import ChestlibError
from chestlib.settings import FitSettings


def warmup_cosine(step: int, total: int, warmup: float) -> float:
    """Factor on the learning rate: linear from 0 to 1 over `warmup` of all steps, then half a cosine to 0."""
    rise = max(1, round(warmup * total))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1, total - rise))))


class StageModule(LightningModule):
    """AdamW with warm-up and cosine; one seed an epoch, so that a resumed training repeats the uninterrupted one."""

    def __init__(self, settings: FitSettings) -> None:
        super().__init__()
        self.settings = settings
        self.seen: dict[str, Any] = {}
        self.seconds = 0.0
        """Of training, what was resumed included."""
        # The first weights belong to the seed too.
        seed_everything(settings.seed, workers=True, verbose=False)

    def on_fit_start(self) -> None:
        """Start the clock where the resumed training had stopped it."""
        self.start = time.monotonic() - self.seconds

    def on_train_epoch_end(self) -> None:
        """Read the clock; the checkpoint is written next."""
        self.seconds = time.monotonic() - self.start

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what resuming needs beside Lightning's own."""
        checkpoint["seconds"], checkpoint["should_stop"] = self.seconds, self.trainer.should_stop

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the seconds back."""
        self.seconds = float(checkpoint.get("seconds", 0.0))

    def on_train_epoch_start(self) -> None:
        """Seed the epoch."""
        # Dropout and region sampling depend on seed and epoch alone; the sampler sees to the images.
        seed_everything(self.settings.seed * 10_007 + self.current_epoch, workers=True, verbose=False)

    def all_seen(self) -> dict[str, Any]:
        """Gather what the validation steps of all processes put into `seen`, by file name, and forget it.

        By name, since Lightning fills up the share of a process with images that another one has too.
        """
        seen, self.seen = self.seen, {}
        if self.trainer.world_size > 1:
            shares: list[Any] = [None] * self.trainer.world_size
            torch.distributed.all_gather_object(shares, seen)
            seen = {name: found for share in shares for name, found in share.items()}
        return seen

    def configure_optimizers(self) -> Any:
        """Set up AdamW, decaying weights but no norms and biases, and its schedule."""
        settings = self.settings
        # Norms and biases are not decayed.
        decayed = [p for p in self.parameters() if p.requires_grad and p.ndim > 1]
        others = [p for p in self.parameters() if p.requires_grad and p.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}],
            lr=settings.learning_rate,
            fused=settings.precision != "16-mixed",
            betas=(0.9, 0.99),  # .999 remembers a thousand steps: as many as a quick training has
        )
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: warmup_cosine(step, total, settings.warmup)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: Any = None
    ) -> None:
        """Clip the norm of the gradient."""
        # Lightning refuses to clip for a fused optimizer: float16 gradients may be scaled. Ours is not fused then.
        if gradient_clip_val:
            torch.nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)

    def checked(self, loss: torch.Tensor, names: Sequence[str]) -> torch.Tensor:
        """Return the loss, after checking that it is a number."""
        if not torch.isfinite(loss):
            raise ChestlibError(
                f"{', '.join(names)}: the loss of this batch is {loss.item()}; the last good checkpoint is kept. "
                "Check these images and boxes, or lower the learning rate"
            )
        return loss
