"""Where a study lives: in a journal file, or in a database that is named by a URL. Workers that died are found in both.

A journal's workers hold a lock that the system frees when they are killed; a database's send Optuna's heartbeats.
"""

from __future__ import annotations

import os
import re
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

import optuna
from filelock import FileLock, Timeout
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from chestlib.errors import ChestlibError

HEARTBEAT, GRACE = 20, 60
"""Seconds between a database worker's signs of life, and without one until its trial is taken over."""


class Journal(JournalStorage):
    """A journal file; one lock guards its lines and the beginning of a trial."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Unlike Optuna's own lock, this one is freed by the system when a process is killed.
        self.lock = FileLock(f"{path}.lock", is_singleton=True)
        with self.lock:
            _cut_half_a_line(path)
            super().__init__(JournalFileBackend(str(path), lock_obj=self.lock))  # type: ignore[arg-type]  # any lock will do


class Database(RDBStorage):
    """A database with heartbeats; one that cannot be sent ends neither the heart nor the training."""

    def __init__(self, url: str) -> None:
        # A server may drop a connection that slept for an epoch; SQLite's writers wait for each other.
        options = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {"pool_pre_ping": True}
        super().__init__(url, options, heartbeat_interval=HEARTBEAT, grace_period=GRACE)

    def record_heartbeat(self, trial_id: int) -> None:
        """Send a sign of life."""
        with suppress(SQLAlchemyError, StorageInternalError):
            super().record_heartbeat(trial_id)


def open_storage(where: str | Path) -> Journal | Database:
    """Open a study's storage: a database for a URL, else a journal file. Several processes may share either.

    Raises
    ------
    ChestlibError
        If it cannot be opened or is something else; a password in the URL is not shown.
    """
    _be_quiet()
    if not (scheme := re.match(r"([a-z][\w+]+):/(/?)", str(where))):  # one letter is a Windows drive
        return _open_journal(Path(where))
    if not scheme[2]:
        raise ChestlibError(f"{where}: not a URL; write {scheme[1]}://…, or for a file ./{where}")
    return _open_database(str(where))


def _be_quiet() -> None:
    """Optuna speaks to nobody: what a user must know, chestlib says itself."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def _open_journal(path: Path) -> Journal:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return Journal(path)
    except OSError as error:
        raise ChestlibError(f"{path}: cannot be opened ({error.strerror}); name another --storage") from None
    except Exception as error:  # a broken journal raises whatever its first broken line leads to
        raise ChestlibError(
            f"{path}: not a study's storage file ({error}); move it away or name another --storage"
        ) from None


def _cut_half_a_line(path: Path) -> None:
    """Drop the half line that a kill or a full disk leaves: the next one would be glued to it."""
    if not path.exists() or not (journal := path.read_bytes()):
        return
    if not journal.startswith(b'{"op_code":'[: len(journal)]):
        raise ValueError("it holds something else")
    if not journal.endswith(b"\n"):
        os.truncate(path, journal.rfind(b"\n") + 1)


def _open_database(url: str) -> Database:
    if re.search("@.*@", url):
        raise ChestlibError(f"{shown(url)}: more than one @; write one in a password as %40")
    for pause in (0.2, 1.0, None):
        try:
            return Database(url)
        except ImportError as error:
            remedy = "pip install 'chestlib[postgres]'" if url.startswith("postgres") else "install it"
            raise ChestlibError(f"{shown(url)}: its driver is missing ({_reason(error)}); {remedy}") from None
        except Exception as error:  # each driver has its own
            reason = _reason(error)
            if pause and re.search("already exists|duplicate key|UNIQUE constraint", reason):
                time.sleep(pause)  # another worker is just making the tables
                continue
            raise ChestlibError(
                f"{shown(url)}: cannot be opened ({reason}); check it, or name another --storage"
            ) from None
    raise AssertionError


def shown(where: str | Path) -> str:
    """Name a storage without its password."""
    return re.sub(r"(//[^:/@]*:).*@|(\b(?:password|passwd)=)[^&\s]*", _hidden, str(where))


def _hidden(found: re.Match[str]) -> str:
    return f"{found[1]}***@" if found[1] else f"{found[2]}***"


def _reason(error: BaseException) -> str:
    """Give the first line of what the driver said."""
    while error.__cause__:
        error = error.__cause__
    return shown(str(getattr(error, "orig", error)).strip().partition("\n")[0])


@contextmanager
def told(where: str | Path) -> Iterator[None]:
    """Turn the errors of a database that went away into one line."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError, AssertionError, UnboundLocalError) as error:
        # Optuna stumbles over a trial whose end it cannot write down, and hides why.
        cause: BaseException | None = error
        while not (cause is None or isinstance(cause, OSError | SQLAlchemyError | StorageInternalError)):
            cause = cause.__context__
        if cause is None or isinstance(cause, OSError):
            raise (cause or error) from None
        raise ChestlibError(f"{shown(where)}: {_reason(cause)}; the same command goes on from here") from None


def turn(storage: BaseStorage) -> AbstractContextManager[object]:
    """Let one worker of a journal begin its trial at a time; a database sees to that itself."""
    return storage.lock if isinstance(storage, Journal) else nullcontext()


@contextmanager
def sign_of_life(storage: BaseStorage) -> Iterator[str]:
    """Give this process a name, and in a journal's folder a lock that it holds for as long as it lives."""
    name = uuid.uuid4().hex
    if not isinstance(storage, Journal):
        yield name
        return
    file = Path(f"{storage.path}.{name}.lock")
    try:
        with FileLock(file):
            yield name
    finally:
        file.unlink(missing_ok=True)


def beat(storage: BaseStorage, trial: FrozenTrial) -> None:
    """Send a first sign of life for a trial; Optuna's come once it is drawn."""
    if isinstance(storage, Database):
        storage.record_heartbeat(trial._trial_id)


def fail_dead(study: optuna.Study, storage: BaseStorage) -> None:
    """End the trials of workers that were killed. In a journal, its lock must be held."""
    optuna.storages.fail_stale_trials(study)
    if isinstance(storage, Journal):
        for begun in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if not _alive(storage.path, begun.user_attrs.get("worker")):
                study.tell(begun.number, state=TrialState.FAIL)


def _alive(storage: Path, worker: str | None) -> bool:
    """Tell whether the process that has a trial still lives; one without a name died before it had its turn."""
    file = Path(f"{storage}.{worker}.lock")
    if not file.exists():
        return False
    try:
        with FileLock(file, timeout=0):
            file.unlink()
            return False
    except Timeout:
        return True
