"""Telling the running server from a helper process: NOTIFY on one channel, heard after the helper's commit.

A message is a small JSON object; `{"reset": [account ids]}` says that these accounts' streams have a new epoch, and
`{"reset": "all"}` that every stream has. PostgreSQL takes less than 8,000 bytes a message, so many ids go in several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from fairwire_server.database.pool import Connection
from fairwire_server.database.queries import load_queries

__all__ = ["CHANNEL", "notify", "notify_reset"]

CHANNEL: Final = "fairwire"
PAYLOAD_MAX: Final = 7999  # PostgreSQL: "shorter than 8000 bytes"
IDS: Final = 200  # 39 bytes each


async def notify(connection: Connection, message: Mapping[str, object]) -> None:
    """Send one message; inside a transaction it leaves with the commit. Raises `ValueError` when it is too large."""
    payload = msgspec.json.encode(message)
    if len(payload) > PAYLOAD_MAX:
        raise ValueError(f"A message of {len(payload)} bytes does not fit into NOTIFY.")
    await connection.execute(load_queries(__package__)["notify"], CHANNEL, payload.decode())


async def notify_reset(connection: Connection, accounts: Sequence[UUID] | None = None) -> None:
    """These accounts' streams (None: all streams there are) have a new epoch; their clients want a snapshot (W6)."""
    if accounts is None:
        await notify(connection, {"reset": "all"})
        return
    for start in range(0, len(accounts), IDS):
        await notify(connection, {"reset": [str(account) for account in accounts[start : start + IDS]]})
