"""How long the rest takes: the recorded seconds of each cell, at the pace of this machine."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

OWN = "cell"
"""The part of a cell that runs each time; other parts, as a training, are done once and then read from disk."""

DEFAULT = 0.3
"""Seconds of a cell without a record: the committed notebooks name only those above one."""


class Pace:
    """A stopwatch over cells that says how many seconds are left.

    Parameters
    ----------
    cells : sequence of mapping
        Recorded seconds of each cell, by part; empty where nothing was recorded.
    done : collection of str
        Parts that are done already, and so cost nothing.
    clock : callable
        Gives seconds.
    """

    def __init__(
        self,
        cells: Sequence[Mapping[str, float]],
        done: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clock, self.recorded, self.next = clock, cells, 0
        self.expected: list[dict[str, float]] = []
        gone = set(done)
        for cell in cells:  # a part is done in the first cell that asks for it
            self.expected.append({OWN: DEFAULT, **{part: s for part, s in cell.items() if part not in gone}})
            gone |= cell.keys() - {OWN}
        self.seen = self.promised = 0.0  # seconds measured, and those recorded for the same
        self.spent: defaultdict[str, float] | None = None  # of the cell that runs, by part
        self.part, self.since, self.steps = OWN, 0.0, (0, 0, 0)  # what runs in it, since when, and its progress

    def begin(self, cell: int) -> None:
        """Note that a cell begins; those before it are over."""
        self.next, self.spent = cell + 1, defaultdict(float)
        self.part, self.since, self.steps = OWN, self.clock(), (0, 0, 0)

    def inside(self, part: str = OWN, done: int = 0, total: int = 0) -> None:
        """Note how far a part of the running cell is; without arguments: none runs, or none any more."""
        if self.spent is None:
            return
        if part != self.part:
            self.spent[self.part] += self.clock() - self.since
            self.part, self.since, self.steps = part, self.clock(), (done, done, total)
        self.steps = (self.steps[0], done, total)

    def end(self) -> dict[str, float]:
        """Note that the cell is over; gives its seconds by part."""
        assert self.spent is not None
        self.spent[self.part] += self.clock() - self.since
        spent, self.spent = dict(self.spent), None
        recorded, expected = self.recorded[self.next - 1], self.expected[self.next - 1]
        for part in spent.keys() & recorded.keys() & expected.keys():
            self.seen, self.promised = self.seen + spent[part], self.promised + recorded[part]
        return spent

    def left(self) -> float:
        """Seconds until the last cell is over; never negative."""
        pace = self.seen / self.promised if self.promised >= 1 else 1.0
        left = pace * sum(sum(cell.values()) for cell in self.expected[self.next :])
        if self.spent is None:
            return left
        running = self.clock() - self.since
        first, done, total = self.steps
        for part, seconds in {self.part: 0.0, **self.expected[self.next - 1]}.items():
            if part == self.part and done > first:  # a resumed training does not begin at 0
                left += running * max(0, total - done) / (done - first)
            else:
                left += max(0.0, pace * seconds - self.spent[part] - running * (part == self.part))
        return left
