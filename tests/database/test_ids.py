"""Ids of rows that come as JSON: as asyncpg's own, which are looked up and written without a call of Python."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import pytest

from fairwire_server.chat.records import LockedConversation, SenderFact, TeamFact
from fairwire_server.database.ids import id_of_text, uuid7
from fairwire_server.meetings.request_store import WantedSlot

OWN = asyncpg.pgproto.pgproto.UUID


def test_an_id_of_json_is_the_id_it_names() -> None:
    id_ = uuid4()
    assert (id_of_text(OWN, str(id_)), type(id_of_text(OWN, str(id_)))) == (id_, OWN)
    assert hash(id_of_text(OWN, str(id_))) == hash(id_)
    assert type(uuid7()) is OWN


@pytest.mark.parametrize("row", [LockedConversation, SenderFact, TeamFact, WantedSlot])
def test_what_a_batch_looks_up_has_such_ids(row: type[Any]) -> None:
    kinds = {field.name: field.type for field in msgspec.inspect.type_info(row).fields}  # type: ignore[attr-defined]
    ids = {name for name, kind in kinds.items() if isinstance(kind, msgspec.inspect.CustomType) and kind.cls is OWN}
    assert ids >= {"id", "exhibitor"} or ids >= {"session"}
    assert not [name for name, kind in kinds.items() if isinstance(kind, msgspec.inspect.UUIDType)]
