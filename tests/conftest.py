"""One small phantom and two small runs for all tests, made once whatever the number of processes; and the browser."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from chestlib import phantom
from chestlib.data import DataFolder, open_data

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from toy_runs import Shown

    from chestlib.train import Run

# Who is started in the background, as by a shell's &, inherits an ignored Ctrl-C, and so would its children.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Each process would measure for itself, and beside others they may disagree: here all compute in float32.
os.environ.setdefault("CHESTLIB_BF16_GAIN", "1")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all processes of this test run share."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@pytest.fixture(scope="session")
def small(shared: Path) -> DataFolder:
    """150 train and 24 test phantoms of 256 pixels."""
    place = Path(os.environ.get("CHESTLIB_TEST_DATA", shared))  # `make mutants` keeps them from test run to test run
    place.mkdir(exist_ok=True)
    folder = place / "phantom-small"
    with FileLock(place / "phantom-small.lock"):
        phantom.write(folder, 150, 24, size=256, seed=1, workers=2)
    return open_data(folder)


@pytest.fixture(scope="session")
def watched_runs(shared: Path, small: DataFolder) -> dict[str, tuple[Run, Shown]]:
    """A run of each stage on `small`, and what it was shown."""
    from toy_runs import RESAMPLES, TINY, Shown, watched

    from chestlib.train import Run, train_stage

    found, place = {}, Path(os.environ.get("CHESTLIB_TEST_RUNS", shared / "runs"))  # kept as the data are
    with FileLock(place.with_suffix(".lock")):
        for kind, chosen in TINY.items():
            run, note = Run(place / kind), place / f"{kind}-shown.json"
            if not run.finished:
                with watched() as shown:
                    train_stage(small, run, chosen, resamples=RESAMPLES)
                note.write_text(json.dumps({name: sorted(images) for name, images in asdict(shown).items()}))
            noted = json.loads(note.read_text())
            found[kind] = run, Shown(**{name: set(images) for name, images in noted.items()})
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium, one a file; without one its tests are skipped and say so."""
    from browser import chromium  # Playwright is slow to import, and most tests need none

    with chromium() as started:
        yield started


@pytest.fixture
def real() -> Path:
    """The partial download of the real data set, where there is one."""
    folder = Path(__file__).parents[2] / "shared" / "real" / "chestx-det10"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder


@pytest.fixture
def real_missing(real: Path) -> int:
    """How many of its 3,543 images have not been downloaded."""
    return 3543 - len(list(real.glob("*_data/*.png")))
