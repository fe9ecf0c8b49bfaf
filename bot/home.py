"""The folder that holds everything which survives a restart, and the lock that gives it to one bot at a time."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

SECRET_BYTES = 32
ATTEMPTS = 20  # to take the lock; another process that only looks at it holds it for an instant
PAUSE_SECONDS = 0.025


class HomeError(Exception):
    """The home cannot be used. The message says what to do."""


class HomeLocked(HomeError):
    """Another bot has it; `run` says which, when it has said so itself."""

    def __init__(self, message: str, run: Run | None) -> None:
        super().__init__(message)
        self.run = run


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The bot that runs on a home."""

    pid: int
    workspace_url: str | None  # None: it talks to Slack
    started_at: str  # ISO 8601, UTC


@dataclass(frozen=True, slots=True)
class Home:
    """`prepare` it first. What is in it: the database, `files/`, the lock, `run.json`, the suite secret."""

    path: Path

    @property
    def files(self) -> Path:
        return self.path / "files"

    def prepare(self) -> None:
        """Make the folders. Raises HomeError when a file is in the way or nothing can be written."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.files.mkdir(exist_ok=True)
            probe = self.path / f".writable-{os.getpid()}-{secrets.token_hex(4)}"
            probe.touch()
            probe.unlink()
        except (FileExistsError, NotADirectoryError) as error:
            raise HomeError(
                f"{error.filename} is a file where a folder is needed. Move it away, or set CONJECTURE_HOME."
            ) from error
        except OSError as error:
            raise HomeError(
                f"The home {self.path} cannot be written: {error.strerror}. "
                "Make it writable for this user, or set CONJECTURE_HOME to a folder that is."
            ) from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the home. The kernel releases it when the process ends, however it ends. Raises HomeLocked.

        Held by an open file that programs started from here do not inherit; a bare `os.fork` would share it.
        """
        handle = self._opened()
        try:
            if not _taken(handle, ATTEMPTS):
                run = self._told()
                by = f"the process with id {run.pid}" if run else "another process"
                raise HomeLocked(
                    f"{self.path} is in use by {by}. End it, or set CONJECTURE_HOME to another folder.", run
                )
            self._run_file.unlink(missing_ok=True)  # of a bot that was killed
            try:
                yield
            finally:
                self._run_file.unlink(missing_ok=True)
        finally:
            os.close(handle)

    def announce(self, workspace_url: str | None) -> None:
        """Tell other processes, while the lock is held, that this one serves the home, and where."""
        run = Run(pid=os.getpid(), workspace_url=workspace_url, started_at=datetime.now(UTC).isoformat())
        fresh = self._run_file.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(asdict(run)))
        os.replace(fresh, self._run_file)

    def running(self) -> Run | None:
        """The bot that holds the lock and has announced itself; None when there is none (yet)."""
        if not self._lock_file.exists():
            return None
        handle = self._opened()
        try:
            return None if _taken(handle, 1) else self._told()
        finally:
            os.close(handle)

    def suite_secret(self) -> bytes:
        """32 random bytes, made once, readable by this user only: what hides the suite's parameters."""
        secret = self._made_once("suite-secret", secrets.token_bytes(SECRET_BYTES))
        if len(secret) != SECRET_BYTES:
            raise HomeError(
                f"{self.path / 'suite-secret'} holds {len(secret)} bytes; expected {SECRET_BYTES}. Restore it from a "
                "backup, or delete it: a new one makes new measurements incomparable with the old ones."
            )
        return secret

    def executor_id(self, role: str) -> str:
        """The lasting identity of a role ("bot", "worker") on this home: what it left pending is its own to resume."""
        return f"{role}-{self._made_once('identity', secrets.token_hex(8).encode()).decode()}"

    @property
    def _lock_file(self) -> Path:
        return self.path / "lock"

    @property
    def _run_file(self) -> Path:
        return self.path / "run.json"

    def _opened(self) -> int:
        try:
            return os.open(self._lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise HomeError(f"{self._lock_file} cannot be opened: {error.strerror}. Prepare the home first.") from error

    def _told(self) -> Run | None:
        try:
            return Run(**json.loads(self._run_file.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None  # it holds the lock and has not announced itself yet

    def _made_once(self, name: str, fresh: bytes) -> bytes:
        """The content of a private file; `fresh` when there is none yet. Of several processes, one wins."""
        path = self.path / name
        if not path.exists():
            draft = self.path / f".{name}-{secrets.token_hex(4)}"
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(fresh)
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(draft, path)  # fails when another was first, and is never half a file
            draft.unlink()
        return path.read_bytes()


def _taken(handle: int, attempts: int) -> bool:
    for attempt in range(attempts):
        if attempt:
            time.sleep(PAUSE_SECONDS)
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False
