"""Prediction by Dask: the same answers, no film lost with a worker, and one line where there is no cluster."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from distributed import LocalCluster

from chestlib.data import DataFolder
from chestlib.errors import ChestlibError
from chestlib.prediction import Summary, TwoStage, predict, read_answers, spread


def test_two_workers_say_the_same_and_one_that_dies_loses_nothing(
    model: TwoStage, small: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    films = Path("films")
    (tmp_path / films).mkdir()
    for record in small.test:
        shutil.copy2(record.path, tmp_path / films)
    (tmp_path / films / "broken.png").write_bytes(b"no image")
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50, local_directory=tmp_path
    ) as cluster:
        monkeypatch.chdir(tmp_path)  # the workers stand elsewhere
        predict([films], model, Path("alone"), batch=2)
        pids = [worker.pid for worker in cluster.workers.values()]

        def kill(done: int, total: int) -> None:
            if done == 8:
                os.kill(pids[0], signal.SIGKILL)

        done = predict([films], model, Path("out"), batch=2, dask=cluster.scheduler_address, progress=kill)
    assert (done.films, done.answered) == (25, 24)
    assert done.errors[0].startswith(f"{films / 'broken.png'}: not a PNG"), "a path is told as it was given"
    for one, two in zip(read_answers(Path("alone")), read_answers(Path("out")), strict=True):
        assert one.error == two.error
        assert (one.file, one.number, one.bytes, one.mtime_ns) == (two.file, two.number, two.bytes, two.mtime_ns)
        if not one.error:
            assert one.disease_probability == pytest.approx(two.disease_probability, abs=1e-5)
            assert one.detections.labels.tolist() == two.detections.labels.tolist()
            np.testing.assert_allclose(one.detections.scores, two.detections.scores, atol=2e-5)
            np.testing.assert_allclose(one.detections.boxes, two.detections.boxes, atol=0.02)
    assert predict([films], model, Path("out"), batch=2).answered == 24  # goes on here, with nothing to do


def test_what_is_missing_for_a_cluster_is_told(
    model: TwoStage, small: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread, "PATIENCE", 0.2)
    films = [small.test[0].path]
    for where, told in (
        ("tcp://127.0.0.1:9", "no scheduler there.*dask scheduler"),
        ("0", "no scheduler there"),
        ("x/y", "no scheduler there"),
    ):
        with pytest.raises(ChestlibError, match=f"--dask {where}: {told}"):
            predict(films, model, tmp_path / "out", dask=where)
    gc.collect()  # a client that found nothing, collected while a cluster starts, would block its start
    monkeypatch.setattr(spread, "PATIENCE", 2)  # this one answers, if not at once
    with LocalCluster(n_workers=0, processes=False, dashboard_address=None, silence_logs=50) as empty:
        address = empty.scheduler_address
        with pytest.raises(ChestlibError, match="has no workers; start some: dask worker"):
            predict(films, model, tmp_path / "out", dask=address)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ChestlibError, match=r"Dask is missing; pip install 'chestlib\[dask\]'"):
        predict(films, model, tmp_path / "out", dask="2")
    assert not (tmp_path / "out").exists()
    assert predict(films, model, tmp_path / "out") == Summary(1, 1, [])
