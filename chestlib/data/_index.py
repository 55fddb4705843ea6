"""The cache's index: which content a file has, and in which segment the pixels of a content lie."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from chestlib.data import images
from chestlib.errors import ChestlibError

FILE = "index.sqlite"
SUFFIX = ".pixels"

OURS = (0x63786361, 1)
"""What SQLite's application_id and user_version are in an index of ours."""

TABLES = (
    "CREATE TABLE files (path TEXT PRIMARY KEY, stamp TEXT NOT NULL, digest TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE segments (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL,"
    " used REAL NOT NULL)",
    "CREATE TABLE images (side INTEGER, decoder TEXT, digest TEXT, segment INTEGER NOT NULL, row INTEGER NOT NULL,"
    " width INTEGER NOT NULL, height INTEGER NOT NULL, PRIMARY KEY (side, decoder, digest)) WITHOUT ROWID",
    "CREATE INDEX images_of ON images (segment)",
    f"PRAGMA application_id = {OURS[0]}",
    f"PRAGMA user_version = {OURS[1]}",
)

PATIENCE = 60
"""Seconds that a transaction waits for those of other processes, which take milliseconds."""

MINUTE = 60
"""Seconds within which a segment is not marked as used again."""

TICK_NS, COARSE_TICK_NS = 50 * 10**6, 2 * 10**9
"""Within so many nanoseconds a file may change twice at the same time of its file system."""


class Entry(NamedTuple):
    """A file as it was when its content was hashed."""

    path: str
    stamp: str
    digest: str


class Place(NamedTuple):
    """Where the pixels of a content lie, and the size of the original."""

    segment: str
    row: int
    width: int
    height: int


def named(path: Path) -> tuple[str, str]:
    """Give the path and the stamp of a file as it is now."""
    return _name(path, _stat(path))


def _stat(path: Path) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError as error:
        raise ChestlibError(f"{path}: cannot be read ({error.strerror or error})") from None


def _name(path: Path, state: os.stat_result) -> tuple[str, str]:
    """Give what the index calls a file, and what changes with it: a new time of change can't be faked."""
    name = os.path.abspath(path).encode("utf-8", "backslashreplace").decode()
    return name, f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_ino}"


def read(path: Path) -> tuple[bytes, Entry, bool]:
    """Read a file: its bytes, what the index may say of it, and whether it may.

    A file that was changed a moment ago could be changed again without another time: clocks of file systems tick
    every few milliseconds, some every second or two. Such a file is read again at the next opening.
    """
    now, state = time.time_ns(), _stat(path)
    last = max(state.st_mtime_ns, state.st_ctime_ns)
    tick = TICK_NS if last % 10**9 else COARSE_TICK_NS
    data = images.contents(path)
    return data, Entry(*_name(path, state), images.digest(data)), now - last > tick


class Index:
    """The index of one cache folder; each call is one short transaction on a connection of its own.

    Raises
    ------
    ChestlibError
        From every call: if the folder can't be written, or the index is broken or of something else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self.refused(error) from error
        with self._transaction() as connection:
            ours = self._ours(connection)
        if not ours:
            with self._transaction(write=True) as connection:
                if not self._ours(connection):  # no other process was faster
                    for table in TABLES:
                        connection.execute(table)

    def known(self, files: Sequence[tuple[str, str]]) -> list[str | None]:
        """Give the digest of each (path, stamp), or None where the file is new or another by now."""
        found: list[str | None] = [None] * len(files)
        # CROSS JOIN keeps the order of the tables: another one reads the whole index for every image.
        query = "SELECT key, stamp, digest FROM json_each(?) AS asked CROSS JOIN files ON files.path = asked.value"
        with self._transaction() as connection:
            for i, stamp, digest in connection.execute(query, [json.dumps([path for path, _ in files])]):
                if stamp == files[i][1]:
                    found[i] = digest
        return found

    def remember(self, entries: Iterable[Entry]) -> None:
        """Enter the content of files."""
        with self._transaction(write=True) as connection:
            connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", entries)

    def find(self, digests: Collection[str], side: int, decoder: str) -> dict[str, Place]:
        """Give the place of every content that has one."""
        query = (
            "SELECT digest, name, row, width, height FROM json_each(?) AS asked"
            " CROSS JOIN images ON digest = asked.value AND side = ? AND decoder = ?"
            " CROSS JOIN segments ON segments.id = segment"
        )
        with self._transaction() as connection:
            rows = connection.execute(query, [json.dumps([*digests]), side, decoder])
            return {digest: Place(*place) for digest, *place in rows}

    def contents(self, side: int, decoder: str) -> set[str]:
        """Give the digests of all that has a place."""
        with self._transaction() as connection:
            rows = connection.execute("SELECT digest FROM images WHERE side = ? AND decoder = ?", [side, decoder])
            return {digest for (digest,) in rows}

    def add(self, name: str, size: int, side: int, decoder: str, sizes: dict[str, tuple[int, int]]) -> None:
        """Enter a segment that lies there, whole: the digests of its images in order, and their original sizes."""
        with self._transaction(write=True) as connection:
            segment = connection.execute(
                "INSERT INTO segments (name, bytes, used) VALUES (?, ?, ?)", [name, size, time.time()]
            ).lastrowid
            connection.executemany(
                "INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?, ?)",
                ((side, decoder, digest, segment, row, *size) for row, (digest, size) in enumerate(sizes.items())),
            )

    def touch(self, names: Collection[str]) -> None:
        """Mark segments as used now."""
        now = time.time()
        which = "name IN (SELECT value FROM json_each(?)) AND used < ?"
        values = [json.dumps([*names]), now - MINUTE]
        with self._transaction() as connection:
            (due,) = connection.execute(f"SELECT count(*) FROM segments WHERE {which}", values).fetchone()
        if due:
            with suppress(ChestlibError), self._transaction(write=True) as connection:  # the disk may be read-only
                connection.execute(f"UPDATE segments SET used = ? WHERE {which}", [now, *values])

    def drop(self, names: Collection[str]) -> None:
        """Remove segments: first from the index, so that nobody looks for them, then from the disk."""
        which = "name IN (SELECT value FROM json_each(?))"
        with self._transaction(write=True) as connection:
            values = [json.dumps([*names])]
            connection.execute(f"DELETE FROM images WHERE segment IN (SELECT id FROM segments WHERE {which})", values)
            connection.execute(f"DELETE FROM segments WHERE {which}", values)
        for name in names:
            with suppress(OSError):  # where an open map forbids it, sweep() tries again
                (self.folder / name).unlink(missing_ok=True)

    def make_room(self, size: int, limit: float, keep: Collection[str]) -> None:
        """Drop the segments that were used least recently until `size` more bytes are within `limit`."""
        with self._transaction() as connection:
            rows = connection.execute("SELECT name, bytes FROM segments ORDER BY used").fetchall()
        excess, names = size + sum(taken for _, taken in rows) - limit, []
        for name, taken in rows:
            if excess > 0 and name not in keep:
                names.append(name)
                excess -= taken
        if names:
            self.drop(names)

    def sweep(self) -> None:
        """Remove pixels that the index does not know; for the one process that may write segments."""
        with self._transaction() as connection:
            names = {name for (name,) in connection.execute("SELECT name FROM segments")}
        for path in self.folder.glob(f"*{SUFFIX}"):
            if path.name not in names:
                with suppress(OSError):
                    path.unlink()

    def bytes(self) -> int:
        """Sum the bytes of all segments."""
        with self._transaction() as connection:
            return int(connection.execute("SELECT total(bytes) FROM segments").fetchone()[0])

    def refused(self, error: OSError) -> ChestlibError:
        """Make one line of what the disk refused."""
        return ChestlibError(f"{self.folder}: cannot write the image cache ({error.strerror or error})")

    def _ours(self, connection: sqlite3.Connection) -> bool:
        """Tell an index of ours (True) from an empty file; anything else is an error."""
        marks = tuple(connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
        if marks != OURS and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise sqlite3.DatabaseError("of another program or another version")
        return marks == OURS

    @contextmanager
    def _transaction(self, write: bool = False) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                yield connection
                connection.execute("COMMIT")  # without it, closing takes all back
        except sqlite3.OperationalError as error:  # full, read-only, locked
            raise ChestlibError(f"{self.path}: cannot write the image cache ({error})") from error
        except sqlite3.Error as error:
            raise ChestlibError(f"{self.path}: not a readable index ({error}); remove the folder") from error
