"""What a machine offers: cores within a container's share, the precision that pays; GPUs are only played here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from chestlib import devices
from chestlib.errors import ChestlibError


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 6),
        ({"cpu.max": "max 100000\n"}, 6),
        ({"cpu.max": "250000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "900000 100000\n"}, 6),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 6),
    ],
)
def test_cores_are_those_that_a_container_grants(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: dict[str, str], expected: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(devices, "CGROUP", tmp_path)
    monkeypatch.setattr(os, "process_cpu_count", lambda: 6, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    assert devices.cores() == expected
    before = torch.get_num_threads()
    assert devices.use_threads(4) == min(4, expected)
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("gpu", "asked", "expected"),
    [
        ("H100", "auto", "bf16-mixed"), ("T4", "auto", "16-mixed"), ("P100", "auto", "32-true"),
        ("mps", "auto", "32-true"), ("T4", "32-true", "32-true"), ("T4", "16-mixed", "16-mixed"),
        ("mps", "16-mixed", "32-true"), ("", "16-mixed", "32-true"), ("", "bf16-mixed", "bf16-mixed"),
    ],
)  # fmt: skip
def test_the_precision_is_what_the_device_is_fast_in(
    monkeypatch: pytest.MonkeyPatch, gpu: str, asked: str, expected: str
) -> None:
    capability = {"H100": (9, 0), "T4": (7, 5), "P100": (6, 0)}.get(gpu)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: capability is not None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: gpu == "H100")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: gpu == "mps")
    assert devices.device() == ("cuda" if capability else gpu or "cpu")
    assert devices.precision(asked) == expected
    kinds = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16, "32-true": None}
    assert devices.autocast(asked) == kinds[expected]


@pytest.mark.parametrize(("gain", "expected"), [(1.9, "bf16-mixed"), (0.8, "32-true"), (None, "32-true")])
def test_a_processor_computes_in_what_it_was_measured_to_be_fast_in(
    monkeypatch: pytest.MonkeyPatch, gain: float | None, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(devices, "bf16_gain", lambda: gain)
    assert devices.precision("auto") == expected


def test_it_is_measured_once_for_all_processes_and_leaves_random_numbers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(devices.GAIN, raising=False)
    before = torch.get_rng_state()
    with torch.inference_mode():  # as a prediction asks
        gain = devices.bf16_gain.__wrapped__()
    assert gain is None or (gain > 0 and os.environ[devices.GAIN] == str(gain))
    monkeypatch.setenv(devices.GAIN, "7.5")  # as of the process that started this one
    assert devices.bf16_gain.__wrapped__() == 7.5
    assert torch.equal(before, torch.get_rng_state())


def test_an_unknown_precision_is_told() -> None:
    with pytest.raises(ChestlibError, match="precision 'half': unknown; use one of auto, 32-true"):
        devices.precision("half")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({}, "2000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "None")],
)
def test_threads_wait_asleep_unless_somebody_says_how(variables: dict[str, str], expected: str) -> None:
    own = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    asked = "import os, chestlib; print(os.environ.get('GOMP_SPINCOUNT'))"
    told = subprocess.run(
        [sys.executable, "-c", asked], env=own | variables, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == expected
