"""Ids as the type that asyncpg answers with: a `uuid.UUID` whose hash, bytes and text are made in C, and which is sent as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import uuid_utils
from asyncpg.pgproto import pgproto

__all__ = ["Id", "as_id", "id_of_text", "uuid7"]

if TYPE_CHECKING:
    Id = UUID
else:
    Id = pgproto.UUID
"""The type of a field of a row that comes as JSON and is looked up or written again; its decoder's `dec_hook` is `id_of_text`."""


def uuid7() -> UUID:
    """A new id, of this millisecond."""
    return as_id(uuid_utils.uuid7())


def id_of_text(_: type[Any], text: str) -> Any:
    """An `Id` from its text."""
    return pgproto.UUID(text)


def as_id(uuid: UUID | uuid_utils.UUID) -> UUID:
    """The same id, for who looks it up and writes it more than once."""
    id_: UUID = pgproto.UUID(uuid.bytes)
    return id_
