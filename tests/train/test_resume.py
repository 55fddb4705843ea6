"""Resume means resume: what had ended is not trained any further, what was interrupted says how it goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging

from chestlib import settings
from chestlib.data import DataFolder
from chestlib.errors import ChestlibError
from chestlib.train import Run, classifier, load_classifier, train_stage
from chestlib.train.load import load_checkpoint, read_weights

TINY = replace(
    settings.QUICK.classifier, image_size=32, width=8, depth=2, epochs=3, batch_size=32, ema=0.9, validate_every=1
)


class Killed(Exception):
    pass


def kill_after(epochs: float) -> Callable[..., None]:
    """A progress that kills the training in an epoch."""

    def tell(done: int, total: int, note: str) -> None:
        if done > total * epochs / TINY.epochs:
            raise Killed

    return tell


@pytest.fixture
def recalls(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[float]], None]:
    """Says what the validations of a training find, one after the other."""

    def script(values: Sequence[float]) -> None:
        left: Iterator[float] = iter(values)
        real = classifier.validation_scores
        monkeypatch.setattr(
            classifier, "validation_scores", lambda *args: real(*args) | {"average_precision": next(left)}
        )

    return script


class Averages(Callback):
    """Keeps the averaged weights of every epoch."""

    def __init__(self) -> None:
        self.kept: list[dict[str, torch.Tensor]] = []

    def on_train_epoch_end(self, trainer: Trainer, *_: object) -> None:
        (ema,) = [callback for callback in trainer.callbacks if isinstance(callback, EMAWeightAveraging)]
        state = ema._average_model.module.state_dict()
        self.kept.append({name: value.clone() for name, value in state.items()})


@pytest.mark.parametrize("found", [[0.1, 0.3, 0.2], [0.1, 0.2, 0.3]], ids=["in the middle", "at the end"])
def test_the_best_checkpoint_is_the_averaged_weights_and_nothing_else(
    small: DataFolder, tmp_path: Path, recalls: Callable, found: list[float]
) -> None:
    recalls(found)
    averages = Averages()
    run = train_stage(small, Run(tmp_path / "run"), TINY, resamples=20, callbacks=[averages])
    weights, expected = read_weights(run.best), averages.kept[found.index(0.3)]
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in weights)
    current = load_checkpoint(run.last)["current_model_state"]
    assert any(not torch.equal(weights[name], current[name]) for name in weights)
    assert run.best.stat().st_size < 2 * sum(value.nbytes for value in weights.values()) < run.last.stat().st_size / 2
    state = load_classifier(run)[0].state_dict()
    assert all(torch.equal(weights[name], state[name]) for name in weights)


def test_a_training_that_stopped_early_is_not_trained_any_further(
    small: DataFolder, tmp_path: Path, recalls: Callable
) -> None:
    recalls([0.5, 0.4, 0.3, 0.2, 0.1])
    chosen = replace(TINY, epochs=9, patience=2)
    run = train_stage(small, Run(tmp_path / "run"), chosen, resamples=20)
    assert len(run.metrics()) == 3
    before = {file: file.read_bytes() for file in run.path.rglob("*") if file.is_file()}
    (run.path / "test.json").unlink()
    train_stage(small, run, chosen, resamples=20, resume=True)
    assert {file: file.read_bytes() for file in run.path.rglob("*") if file.is_file()} == before


def test_the_best_epoch_and_the_seconds_survive_a_kill_and_a_move(
    small: DataFolder, tmp_path: Path, recalls: Callable
) -> None:
    recalls([0.5, 0.2, 0.2, 0.2])
    with pytest.raises(Killed):
        train_stage(small, Run(tmp_path / "run"), TINY, resamples=20, progress=kill_after(1.5))
    run = Run((tmp_path / "run").rename(tmp_path / "elsewhere"))
    best, state = run.best.read_bytes(), load_checkpoint(run.last)
    assert 0 < state["seconds"] < 60
    torch.save(state | {"seconds": state["seconds"] + 1000}, run.last)
    train_stage(small, run, TINY, resamples=20, resume=True)
    assert run.best.read_bytes() == best and len(run.metrics()) == 3
    assert 1000 < run.read("test")["seconds_training"] < 1060


def test_a_second_training_of_a_run_is_refused(small: DataFolder, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with run.alone(), pytest.raises(ChestlibError, match="run: another process trains this run; wait for it"):
        train_stage(small, run, TINY)
    assert not run.path.exists()
    with pytest.raises(Killed):
        train_stage(small, run, TINY, progress=kill_after(0))
    train_stage(small, run, TINY, resamples=20, resume=True)  # the lock is free again


BEGIN = """
from dataclasses import replace
from chestlib import cli, settings
settings.PROFILES["quick"] = replace(settings.QUICK, resamples=20, classifier=replace(
    settings.QUICK.classifier, image_size=32, width=8, depth=2, epochs=2000, batch_size=32))
"""
SCORING = """
import time
from chestlib.train import classifier
settings.PROFILES["quick"] = replace(
    settings.PROFILES["quick"], classifier=replace(settings.PROFILES["quick"].classifier, epochs=1))
classifier.probabilities = lambda *_: time.sleep(60)
"""


def wait_for(file: Path, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while not file.exists():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.05)


@pytest.mark.parametrize("when", ["in training", "in scoring"])
def test_an_interrupt_is_one_line_with_the_hint(small: DataFolder, tmp_path: Path, when: str) -> None:
    code = BEGIN + (SCORING if when == "in scoring" else "") + "cli.main()"
    command = [sys.executable, "-c", code, "train", "classifier", small.root, "--run", "run"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    wait_for(tmp_path / "run" / "checkpoints" / "last.ckpt", process)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    said = [line for line in err.splitlines() if not line.startswith("training classifier")]  # what a bar says
    assert said == ["run: interrupted; go on with --resume (in Python: resume=True)"], err
    assert process.returncode == 130 and not out


def test_a_notebook_shows_an_interrupt_as_one_line_and_hears_the_next(small: DataFolder, tmp_path: Path) -> None:
    cells = f"""
import os, signal, threading, time
from pathlib import Path
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
def interrupt(ready):
    def wait():
        while not ready(): time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=wait, daemon=True).start()
shell.run_cell("from chestlib import settings\\nfrom chestlib.data import open_data")
shell.run_cell("from chestlib.train import Run, train_stage")
interrupt(lambda: Path("run/checkpoints/last.ckpt").exists())
shell.run_cell("train_stage(open_data({str(small.root)!r}), Run('run'), settings.PROFILES['quick'].classifier)")
start = time.monotonic()
interrupt(lambda: time.monotonic() > start + 0.3)
print("next", type(shell.run_cell("import time; time.sleep(30)").error_in_exec).__name__, flush=True)
"""
    ended = subprocess.run(
        [sys.executable, "-c", BEGIN + cells], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    lines = ended.stdout.splitlines()
    assert lines[0] == "run: interrupted; go on with --resume (in Python: resume=True)", ended
    assert lines[-1] == "next KeyboardInterrupt" and os.fspath(Path("train", "workflow.py")) not in ended.stdout
