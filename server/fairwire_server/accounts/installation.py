"""The installation's secret, which signs tokens: from the settings, or made once and kept in the database."""

from __future__ import annotations

import secrets

from fairwire_server.accounts.store import AccountStore, Installation
from fairwire_server.database.work import Work

__all__ = ["ensure_installation"]


async def ensure_installation(work: Work, store: AccountStore, *, demo: bool) -> Installation:
    """What the database remembers; at the first start it is made.

    `demo` counts at that first start only: a production database does not become a demo because somebody set a variable.
    """
    await store.create_installation(work.connection, secrets.token_bytes(32), demo)
    installation = await store.installation(work.connection)
    assert installation is not None
    return installation
