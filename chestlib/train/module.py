"""What both Lightning modules share: optimiser, schedule, random numbers, how a model predicts, and a stop on NaN."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from chestlib import devices
from chestlib.errors import ChestlibError
from chestlib.settings import FitSettings

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule
else:
    try:
        from lightning.pytorch import LightningModule
    except ModuleNotFoundError:  # without the extra `train`: a network that predicts, and is not trained

        class LightningModule(nn.Module):
            """What prediction asks of Lightning's."""

            @property
            def device(self) -> torch.device:
                """Where the weights are."""
                return next(self.parameters()).device


def warmup_cosine(step: int, total: int, warmup: float) -> float:
    """Factor on the learning rate: linear from 0 to 1 over `warmup` of all steps, then half a cosine to 0."""
    rise = max(1, round(warmup * total))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rise) / max(1, total - rise))))


def numbers_of(seed: int, epoch: int) -> int:
    """Make a seed for torch of a run's seed, 0 to 2**32 - 1, and an epoch; -1 is for the first weights."""
    # Not seed + epoch: seed 1 would repeat what seed 0 did an epoch earlier.
    return int(np.random.SeedSequence([seed, epoch + 1]).generate_state(1, np.uint64)[0])


@contextmanager
def first_numbers(seed: int) -> Iterator[None]:
    """Draw first weights from the seed alone, and give the caller's numbers back."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(numbers_of(seed, -1))  # torch.manual_seed would seed the GPUs too
        yield


@contextmanager
def own_numbers() -> Iterator[None]:
    """Give the caller's random numbers back, Python's, NumPy's and torch's, whatever is drawn and seeded meanwhile."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  # the caller's, not ours
    try:
        with torch.random.fork_rng(devices=[torch.cuda.current_device()] if torch.cuda.is_available() else []):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


@contextmanager
def predicting(model: nn.Module, device: torch.device) -> Iterator[torch.device]:
    """Predict as the training validated: on the module's device, in the precision of its settings.

    A bare network, as a notebook builds one, stays on `device`, that of the images, and computes in float32.

    Yields
    ------
    torch.device
        Where the images must be.
    """
    device = getattr(model, "device", device)
    settings = getattr(model, "settings", None)
    kind = devices.autocast(settings.precision) if settings else None
    with torch.inference_mode(), torch.autocast(device.type, kind, enabled=kind is not None):
        yield device


class StageModule(LightningModule):
    """AdamW with warm-up and cosine; one seed an epoch, so that a resumed training repeats the uninterrupted one."""

    def __init__(self, settings: FitSettings) -> None:
        super().__init__()
        self.settings = settings
        self.seen: dict[str, Any] = {}
        self.seconds = 0.0
        """Of training, what was resumed included."""

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
        torch.manual_seed(numbers_of(self.settings.seed, self.current_epoch))

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
            # Not where float16 gradients are scaled, nor on Apple's GPUs, which older versions of torch cannot fuse.
            fused=devices.precision(settings.precision) != "16-mixed" and devices.device() != "mps",
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
