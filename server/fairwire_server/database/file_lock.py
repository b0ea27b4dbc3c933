"""Locks on files (flock): held by an open file, gone with the process however it ends, seen by every process of this kernel.

A lock whose descriptor a child inherits lives as long as the child or any process forked from it: that tells whether a
PostgreSQL of ours is alive, better than a pid in a file, which may be stale, reused or of another container.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

__all__ = ["FileLock"]


class FileLock:
    """One lock on one file. Nothing here waits: `take` says at once whether it succeeded."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The descriptor that a child inherits; only while taken."""
        assert self._descriptor is not None
        return self._descriptor

    def take(self, *, shared: bool = False) -> bool:
        """Takes the lock, alone or together with other sharers; False when somebody holds it otherwise."""
        if self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def drop(self) -> None:
        """Closes our descriptor. A child that inherited it keeps the lock: closing is not unlocking."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def is_free(self) -> bool:
        """Whether nobody holds the lock now."""
        probe = FileLock(self._path)
        if not probe.take():
            return False
        probe.drop()
        return True
