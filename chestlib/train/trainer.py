"""One fit() for both models: a Lightning Trainer with checkpoints, exact resume, averaged weights and early stop."""

from __future__ import annotations

import csv
import io
import logging
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.plugins import TorchCheckpointIO
from torch.utils.data import DataLoader, Sampler

from chestlib import devices
from chestlib.console import Progress
from chestlib.errors import ChestlibError, Interrupted
from chestlib.files import first_process, write_atomically
from chestlib.settings import FitSettings
from chestlib.train.datasets import XrayDataset
from chestlib.train.load import load_checkpoint
from chestlib.train.module import StageModule, own_numbers
from chestlib.train.run import Run

RESUME = "go on with --resume (in Python: resume=True)"


class EpochSampler(Sampler[tuple[int, int]]):
    """A permutation of (index, seed of its augmentation) that depends on the run's seed and the epoch alone.

    So neither a resumed training nor another number of loader processes sees other images.

    Parameters
    ----------
    seed : int
    epoch : callable
        The epoch that is about to run; Lightning makes the first iterator after a resume before it tells the sampler.
    factors : (n,) float
        How often an image is shown; 1.3 shows it once, and in three of ten epochs twice.
    """

    def __init__(self, seed: int, epoch: Callable[[], int], factors: np.ndarray) -> None:
        self.seed = seed
        self.epoch = epoch
        self.factors = np.asarray(factors, float)
        self.length = round(float(self.factors.sum()))  # fixed: the schedule counts steps before the first epoch

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[tuple[int, int]]:
        rng = np.random.default_rng([self.seed, self.epoch()])
        # Systematic rounding: image i appears floor(f) or ceil(f) times, and the total is fixed.
        shares = np.concatenate([[0.0], np.cumsum(self.factors)]) * self.length / self.factors.sum()
        counts = np.diff(np.floor(shares + rng.random())).astype(int)
        order = rng.permutation(np.repeat(np.arange(len(counts)), counts))
        return iter(zip(order.tolist(), rng.integers(2**31, size=len(order)).tolist(), strict=True))


class History(Callback):
    """metrics.csv, one line an epoch. The rows travel in the checkpoint, so a resumed run keeps the earlier ones."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Add the figures of this epoch."""
        validated = (trainer.current_epoch + 1) % (trainer.check_val_every_n_epoch or 1) == 0
        row = {
            name: round(float(value), 6)
            for name, value in sorted(trainer.callback_metrics.items())
            if validated or not name.startswith("val_")
        }
        self.rows.append(
            {"epoch": trainer.current_epoch, "learning_rate": trainer.optimizers[0].param_groups[0]["lr"], **row}
        )
        if trainer.is_global_zero:
            text = io.StringIO()
            names = list(dict.fromkeys(name for row in self.rows for name in row))
            writer = csv.DictWriter(text, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)
            write_atomically(self.file, text.getvalue())

    def state_dict(self) -> dict[str, Any]:
        """Put the rows into the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take them out again."""
        self.rows = list(state["rows"])


class Best(ModelCheckpoint):
    """The weights of the best epoch, the averaged ones where weights are averaged.

    Not `save_weights_only`: Lightning would then leave out the callback that puts the averaged weights in.
    """

    FILE_EXTENSION = ".safetensors"

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the best score back, also in a run folder that was moved: Lightning keeps it by its path."""
        path = str(Path(self.dirpath or "", f"{self.filename}{self.FILE_EXTENSION}"))
        moved = {name: path for name in ("best_model_path", "kth_best_model_path") if state[name]}
        scores = dict.fromkeys(moved.values(), state["best_model_score"])
        super().load_state_dict({**state, **moved, "best_k_models": scores, "dirpath": self.dirpath})


class WholeFiles(TorchCheckpointIO):
    """Checkpoints written as all files are, of the best epoch the weights alone.

    Lightning writes them to the scratch disk and moves them: across disks that is a copy, half done after a kill.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint whole or not at all."""
        path = Path(path)
        if path.suffix == Best.FILE_EXTENSION:
            weights = checkpoint["state_dict"].items()
            write_atomically(path, safetensors.torch.save({name: weight.contiguous() for name, weight in weights}))
            return
        content = io.BytesIO()
        torch.save(checkpoint, content)
        write_atomically(path, content.getvalue())


class ProgressCallback(Callback):
    """Tells steps done, steps in all, and the epoch."""

    def __init__(self, tell: Progress) -> None:
        self.tell = tell

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, *_: Any) -> None:
        """Tell the step that was done."""
        if trainer.is_global_zero:
            total = int(trainer.estimated_stepping_batches)
            self.tell(trainer.global_step, total, f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}")


def fit(
    run: Run,
    module: StageModule,
    train: XrayDataset,
    val: XrayDataset,
    *,
    monitor: str,
    collate: Callable | None = None,
    factors: np.ndarray | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    callbacks: Sequence[Callback] = (),
    keep: bool = True,
    threads: int = 8,
    **trainer_options: Any,
) -> Trainer:
    """Train `module`, and write metrics.csv and checkpoints into `run`.

    Parameters
    ----------
    monitor : str
        The validation figure that chooses the best checkpoint; the larger the better, but for a loss.
    factors : (n,) float, optional
        How often each training image is shown an epoch.
    resume : bool
        Go on from checkpoints/last.ckpt when it is there: the result is that of an uninterrupted training. One that
        had ended, by its epochs or its patience, is not trained any further.
    keep, threads : bool, int
        False writes nothing (a trial of a study); at most so many threads on a CPU.
    trainer_options
        Anything for Lightning's Trainer. With `devices=4` (and `strategy="ddp"`, its default then) it starts this
        program three more times; those processes end with the training (SystemExit), so what follows is done once.

    Raises
    ------
    ChestlibError
        For a checkpoint that cannot be read, a loss that is not a number, or memory that ran out.
    Interrupted
        After SIGINT or SIGTERM; the next interrupt works as before.
    """
    settings = module.settings
    _quiet()
    devices.use_threads(threads)
    loaders = _loaders(module, train, val, collate, np.ones(len(train)) if factors is None else factors)
    hooks = [*callbacks, *_hooks(run, settings, monitor, progress, keep)]
    trainer = _trainer(run, settings, hooks, keep, trainer_options)
    checkpoint = run.last if resume and run.last.is_file() else None
    before = load_checkpoint(checkpoint) if checkpoint else {}  # a broken one is told before anything is touched
    for half in run.best.parent.glob(".*.part"):  # what a killed training was writing, as large as a checkpoint
        half.unlink(missing_ok=True)
    if before.get("should_stop") or before.get("epoch", -1) + 1 >= settings.epochs:
        module.seconds = float(before.get("seconds", 0.0))
    else:
        message = f"{run.path}: interrupted; {RESUME if keep else 'the same command goes on'}"
        with _interruptible(message), _enough_memory(run, settings), own_numbers():
            trainer.fit(module, *loaders, ckpt_path=checkpoint, weights_only=True)
    if trainer.world_size > 1 and not first_process():
        sys.exit()
    module.to(trainer.strategy.root_device)  # Lightning leaves it on the CPU
    return trainer


@contextmanager
def _enough_memory(run: Run, settings: FitSettings) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if not re.search("out of memory|can't allocate memory", str(error)):  # a GPU's words, a CPU's
            raise
        raise ChestlibError(
            f"{run.path}: the device ran out of memory; lower batch_size ({settings.batch_size}) or image_size "
            f"({settings.image_size})"
        ) from None


@contextmanager
def _interruptible(message: str) -> Iterator[None]:
    """Make one line of an interrupt; Lightning exits then, and leaves the signal ignored."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        raise Interrupted(message) from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


def _loaders(
    module: StageModule, train: XrayDataset, val: XrayDataset, collate: Callable | None, factors: np.ndarray
) -> tuple[DataLoader, DataLoader]:
    settings = module.settings
    sampler = EpochSampler(settings.seed, lambda: module.current_epoch, factors)
    options: dict[str, Any] = {
        "batch_size": settings.batch_size,
        "num_workers": settings.workers,
        "collate_fn": collate,
        "generator": torch.Generator(),  # a loader must not draw from the numbers that dropout is due
        "pin_memory": devices.device() == "cuda",
        "persistent_workers": settings.workers > 0,  # to start them anew each epoch takes seconds
    }
    whole = len(train) >= 2 * settings.batch_size
    return DataLoader(train, sampler=sampler, drop_last=whole, **options), DataLoader(val, **options)


def _hooks(run: Run, settings: FitSettings, monitor: str, progress: Progress | None, keep: bool) -> Iterator[Callback]:
    if progress:
        yield ProgressCallback(progress)
    if settings.ema:
        yield EMAWeightAveraging(decay=settings.ema)
    if keep:
        folder = run.path / "checkpoints"
        mode = "min" if monitor.endswith("loss") else "max"
        always: dict[str, Any] = {"save_on_train_epoch_end": True, "enable_version_counter": False}
        yield History(run.path / "metrics.csv")
        yield Best(folder, run.best.stem, monitor=monitor, mode=mode, **always)
        yield ModelCheckpoint(folder, run.last.stem, **always)  # after the best, whose state it holds; every epoch
        yield EarlyStopping(monitor, mode=mode, patience=settings.patience, check_on_train_epoch_end=False)


def _trainer(run: Run, settings: FitSettings, hooks: list[Callback], keep: bool, options: dict[str, Any]) -> Trainer:
    return Trainer(
        max_epochs=settings.epochs,
        precision=devices.precision(settings.precision),  # type: ignore[arg-type]  # one of the names it lists
        gradient_clip_val=settings.clip or None,
        # The last epoch is validated, or its weights could not be chosen.
        check_val_every_n_epoch=max(n for n in range(1, settings.validate_every + 1) if settings.epochs % n == 0),
        num_sanity_val_steps=0,
        callbacks=hooks,
        plugins=[WholeFiles()],
        logger=False,
        enable_checkpointing=keep,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=run.path,
        **{"accelerator": devices.device(), "devices": 1, **options},
    )


def _quiet() -> None:
    """Lightning's advice goes to nobody: what a user must know, chestlib says itself."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for text in (".*does not have many workers.*", ".*Checkpoint directory.*exists.*", ".*number of training batches.*",
                 ".*dirpath has changed.*", ".*isinstance.*LeafSpec.*", ".*`training_step` returned `None`.*",
                 ".*could not find the monitored key.*"):  # fmt: skip
        warnings.filterwarnings("ignore", text)
