"""Ids as the type that asyncpg answers with: a `uuid.UUID` whose hash, bytes and text are made in C, and which is sent as it is."""

from __future__ import annotations

from uuid import UUID

import uuid_utils
from asyncpg.pgproto import pgproto

__all__ = ["as_id", "uuid7"]


def uuid7() -> UUID:
    """A new id, of this millisecond."""
    return as_id(uuid_utils.uuid7())


def as_id(uuid: UUID | uuid_utils.UUID) -> UUID:
    """The same id, for who looks it up and writes it more than once."""
    id_: UUID = pgproto.UUID(uuid.bytes)
    return id_
