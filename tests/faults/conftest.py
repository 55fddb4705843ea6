"""What the campaigns share: trained runs, and the table that they print."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import toys
from commands import run
from world import World, served


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, both runs trained on it, a finished study and a phantom, all tiny."""
    folder = tmp_path_factory.mktemp("trained")
    toys.data_set(folder / "data")
    for args in (
        ("tune", "data", "--run", "classifier", "--storage", "study.log", "--trials", 2),
        ("train", "classifier", "data", "--run", "classifier"),
        ("train", "detector", "data", "--run", "detector"),
        ("phantom", "phantom", "--train", 2, "--test", 1, "--size", 64, "--workers", 1),
    ):
        ended = run(args, folder)
        assert ended.status == 0, ended.err
    return folder


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Where the long commands run."""
    base = tmp_path_factory.mktemp("world")
    with served(base) as address:
        yield World(base, address)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The campaigns' table: one row a test that told its figures."""
    rows = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in getattr(report, "user_properties", ())
        if name == "campaign"
    ]
    if rows:
        terminalreporter.section("campaign")
        for row in rows:
            terminalreporter.write_line(row)
