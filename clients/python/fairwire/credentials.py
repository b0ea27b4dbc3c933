"""What a device keeps between runs, readable by its user alone: its id and its refresh token (W13).

Without a `data_dir` everything is kept in memory and gone with the process.
"""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID, uuid4

import msgspec

__all__ = ["Remembered", "Vault"]


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """A session that can be taken up again without a password."""

    server: str
    fair: str
    login: str
    account: UUID
    refresh_token: str


class Vault:
    """The files of one data folder."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._session: Remembered | None = None
        self._device: str | None = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def outbox(self) -> Path | None:
        """Where the outbox is kept."""
        return self.folder / "outbox.sqlite" if self.folder is not None else None

    def device(self) -> str:
        """This device's id, made once (W15: ten devices per account, so it must not change)."""
        if self._device is None:
            kept = self._read("device")
            self._device = kept.decode() if kept else str(uuid4())
            if not kept:
                self._write("device", self._device.encode())
        return self._device

    def session(self) -> Remembered | None:
        """The session kept from before, if there is one."""
        if self._session is None and (kept := self._read("session.json")):
            try:
                self._session = msgspec.json.decode(kept, type=Remembered)
            except msgspec.DecodeError:
                return None
        return self._session

    def remember(self, session: Remembered) -> None:
        """Keep a session; each refresh replaces its token."""
        self._session = session
        self._write("session.json", msgspec.json.encode(session))

    def forget(self) -> None:
        """Signed out."""
        self._session = None
        if self.folder is not None:
            (self.folder / "session.json").unlink(missing_ok=True)

    def _read(self, name: str) -> bytes | None:
        if self.folder is None:
            return None
        path = self.folder / name
        return path.read_bytes() if path.exists() else None

    def _write(self, name: str, content: bytes) -> None:
        """Whole or not at all: a crash in between must not cost the session."""
        if self.folder is None:
            return
        path = self.folder / name
        fresh = path.with_name(name + ".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123 - the mode must hold from the first byte
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
