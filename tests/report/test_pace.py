"""The remaining time, with a clock that the test turns."""

from __future__ import annotations

import pytest

from chestlib.report.pace import DEFAULT, OWN, Pace


class Clock:
    """Seconds that pass when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        """Read the clock."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock at 0."""
    return Clock()


def run(pace: Pace, clock: Clock, cell: int, seconds: float) -> dict[str, float]:
    """Let a cell take its time."""
    pace.begin(cell)
    clock.now += seconds
    return pace.end()


def test_recorded_seconds_at_the_pace_of_this_machine(clock: Clock) -> None:
    pace = Pace([{OWN: 1}, {OWN: 0, "detector": 100}, {OWN: 1}], clock=clock)
    assert pace.left() == 102
    run(pace, clock, 0, 2)
    assert pace.left() == 202, "the machine is twice as slow"
    pace.begin(1)
    pace.inside("detector", 0, 10)
    clock.now += 50
    assert pace.left() == 152, "no step is done yet"
    pace.inside("detector", 2, 10)
    assert pace.left() == 202, "the training is slower than that, by its own steps"
    clock.now += 75
    pace.inside("detector", 5, 10)
    assert pace.left() == 127, "half of it is done, so it takes as long again"
    clock.now += 125
    pace.inside()
    assert pace.end() == {OWN: 0, "detector": 250}
    run(pace, clock, 2, 2)
    assert pace.left() == 0


def test_never_negative_when_a_cell_takes_longer_than_ever(clock: Clock) -> None:
    pace = Pace([{OWN: 5}, {OWN: 3}], clock=clock)
    pace.begin(0)
    clock.now += 60
    assert pace.left() == 3


def test_what_is_done_costs_nothing_and_tells_nothing_of_the_machine(clock: Clock) -> None:
    cells = [{OWN: 2, "study": 60}, {OWN: 1, "detector": 200}, {OWN: 1, "detector": 200}]
    assert Pace(cells, clock=clock).left() == 264, "the detector is trained once"
    pace = Pace(cells, {"study", "detector"}, clock)
    assert pace.left() == 4
    pace.begin(0)
    pace.inside("study", 3, 3)
    clock.now += 0.1  # looked up, not done again
    pace.inside()
    clock.now += 2
    pace.end()
    assert pace.left() == pytest.approx(2)


def test_a_resumed_training_is_judged_by_the_steps_since(clock: Clock) -> None:
    pace = Pace([{OWN: 0, "detector": 100}], clock=clock)
    pace.begin(0)
    pace.inside("detector", 80, 100)
    clock.now += 10
    pace.inside("detector", 90, 100)
    assert pace.left() == 10


def test_without_records_a_default_and_no_opinion_of_the_machine(clock: Clock) -> None:
    pace = Pace([{}] * 6, clock=clock)
    for cell in range(4):
        run(pace, clock, cell, 40)
    assert pace.left() == pytest.approx(2 * DEFAULT)
