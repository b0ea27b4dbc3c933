"""Files on the local disk: written whole or not at all, and never outside their folder.

A file is written beside its place, synced, and renamed; a reader sees the old bytes or the new ones, and after a power
cut what was acknowledged is there. Keys are made by the server (`images/0198…/full`), yet checked as if they were not.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

from fairwire_protocol.errors import Refused, Unavailable

__all__ = ["FileStore"]

_KEY: Final = re.compile(r"[0-9a-z][0-9a-z_.-]{0,99}(/[0-9a-z][0-9a-z_.-]{0,99}){0,7}")
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # the disk, the quota, the process's file size limit
_UNFINISHED: Final = ".unfinished"  # no key begins with a dot


class FileStore:
    """Bytes by key under `root`. Every call runs in a thread; errors are typed: `storage_full`, `not_found`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def prepare(self) -> None:
        """Makes the folder, and clears what a crash left half written. Call it before serving, from one process."""
        await asyncio.to_thread(self._prepare)

    async def put(self, key: str, data: bytes) -> None:
        """Stores `data`; when this returns, it survives a power cut. A key that exists is replaced."""
        await asyncio.to_thread(self._put, self._place(key), data)

    async def read(self, key: str) -> bytes:
        """All bytes of `key`, or `Refused('not_found')`. A door that sends many bytes asks for `path` instead."""
        try:
            return await asyncio.to_thread(self._place(key).read_bytes)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise Refused("not_found") from None

    async def path(self, key: str) -> Path:
        """Where `key` lies, for a door that sends a file without reading it, or `Refused('not_found')`."""
        place = self._place(key)
        if not await asyncio.to_thread(place.is_file):
            raise Refused("not_found")
        return place

    async def delete(self, key: str) -> None:
        """Forgets `key`; one that is not there is no error."""
        await asyncio.to_thread(self._place(key).unlink, missing_ok=True)

    def _place(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is not a key of a file.")
        return self._root / key

    def _prepare(self) -> None:
        unfinished = self._root / _UNFINISHED
        with _full_disk_told():
            unfinished.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in unfinished.iterdir():
            left.unlink(missing_ok=True)

    def _put(self, place: Path, data: bytes) -> None:
        draft = self._root / _UNFINISHED / uuid4().hex
        with _full_disk_told():
            try:
                with draft.open("xb", buffering=0) as file:
                    view = memoryview(data)
                    while view:
                        view = view[file.write(view) :]
                    os.fsync(file.fileno())
                for folder in reversed(_missing_folders(place.parent)):
                    folder.mkdir(exist_ok=True)
                    _sync_folder(folder.parent)
                draft.replace(place)
                _sync_folder(place.parent)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise


def _missing_folders(folder: Path) -> list[Path]:
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    return missing


def _sync_folder(folder: Path) -> None:
    """A rename or a new folder lasts only once the folder that lists it is on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _full_disk_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise Unavailable("storage_full", retry_after_ms=60_000) from error
        raise
