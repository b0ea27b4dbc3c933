"""What a failing database means to its caller, said once.

Every error of asyncpg, of the operating system and of our own time-outs becomes one of three things:

    Unavailable          temporary; the same request may be sent again (lost connection, lock, deadlock, no room …)
    └── OutcomeUnknown   temporary, and COMMIT had been sent: only a retry with the same cid tells what happened (W7)
    ConstraintViolated   a named constraint had the last word; the service says which refusal of the fair that is

Anything else is a fault of ours (a typing slip in SQL) and passes unchanged, to be logged as `internal`.
The class of an error decides, never its text.
"""

from __future__ import annotations

from typing import Final

import asyncpg
from asyncpg import exceptions as pg

from fairwire_protocol.errors import Refused, Unavailable

__all__ = ["ConstraintViolated", "DatabaseError", "DatabaseRefused", "OutcomeUnknown", "translated"]

# Milliseconds until a retry has a chance. The first row that fits counts.
TEMPORARY: Final[tuple[tuple[tuple[type[BaseException], ...], str, int], ...]] = (
    ((pg.DiskFullError,), "storage_full", 10_000),
    ((pg.SerializationError, pg.DeadlockDetectedError), "busy", 100),
    ((pg.LockNotAvailableError, pg.QueryCanceledError, pg.TransactionRollbackError), "busy", 500),
    # A statement prepared before a migration; asyncpg forgets it and the next attempt prepares it anew.
    ((pg.InvalidCachedStatementError, pg.OutdatedSchemaCacheError), "busy", 100),
    # Read-only: the primary has become a replica, the next connection finds the new one.
    (
        (pg.ReadOnlySQLTransactionError, pg.IdleInTransactionSessionTimeoutError, pg.TransactionTimeoutError),
        "busy",
        500,
    ),
    ((pg.PostgresConnectionError, pg.OperatorInterventionError, pg.InsufficientResourcesError), "busy", 1000),
    ((OSError, TimeoutError), "busy", 1000),
)

# U+0000: PostgreSQL has no place for it, in text or in jsonb. Here once, since any text a client sends may hold it.
UNSTORABLE: Final = (pg.CharacterNotInRepertoireError, pg.UntranslatableCharacterError)

# Errors of COMMIT itself that say for certain that nothing was written.
SURELY_ROLLED_BACK: Final = (
    pg.IntegrityConstraintViolationError,
    pg.SerializationError,
    pg.DeadlockDetectedError,
    pg.DiskFullError,
)


class DatabaseError(Exception):
    """What only the server's own code meets; no client ever sees it."""


class ConstraintViolated(DatabaseError):
    """A row broke the constraint `name`; nothing of the transaction was written."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"constraint {name} violated")


class OutcomeUnknown(Unavailable):
    """COMMIT was sent and its answer never came: written or not, a retry with the same cid finds out."""


class DatabaseRefused(DatabaseError):
    """The database cannot be used as configured: address, name, user or password. Retrying does not help."""


def translated(error: BaseException, *, committing: bool = False, connection_lost: bool = False) -> BaseException:
    """`error` as its caller should meet it; the very same object when there is nothing to translate."""
    if committing and not isinstance(error, SURELY_ROLLED_BACK):
        return OutcomeUnknown("busy", retry_after_ms=1000) if isinstance(error, Exception) else error
    if isinstance(error, pg.IntegrityConstraintViolationError) and (name := _constraint(error)):
        return ConstraintViolated(name)
    for kinds, code, retry_after_ms in TEMPORARY:
        if isinstance(error, kinds):
            return Unavailable(code, retry_after_ms=retry_after_ms)
    if isinstance(error, UNSTORABLE):
        return Refused("invalid", "A text holds a character that cannot be stored (U+0000).")
    # asyncpg calls both misuse and "connection is closed" an InterfaceError; the connection itself tells them apart.
    if connection_lost and isinstance(error, asyncpg.InterfaceError):
        return Unavailable("busy", retry_after_ms=1000)
    return error


def _constraint(error: asyncpg.PostgresError) -> str | None:
    # A field of the server's answer; asyncpg sets it only when it came, and before 18 NOT NULL has no name.
    name = getattr(error, "constraint_name", None)
    return name if isinstance(name, str) else None
