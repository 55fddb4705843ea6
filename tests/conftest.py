"""One small phantom for all tests, drawn once whatever the number of test processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from filelock import FileLock

from chestlib import phantom
from chestlib.data import DataFolder, open_data

# Who is started in the background, as by a shell's &, inherits an ignored Ctrl-C, and so would its children.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture
def real() -> Path:
    """The partial download of the real data set, where there is one."""
    folder = Path(__file__).parents[2] / "shared" / "real" / "chestx-det10"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder
