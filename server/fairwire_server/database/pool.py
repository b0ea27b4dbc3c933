"""The pool: every transaction and every read of the server passes here.

Three promises hold for every caller:

* **It ends.** A unit of work, waiting for a connection included, has `command_timeout` seconds; a frozen database
  gives an error instead of a queue that grows.
* **It heals.** A connection in doubt (time-out, cancellation, lost answer) is thrown away, never returned to the pool,
  so that the first request after PostgreSQL is back meets a new one.
* **Its errors are few**: those of `errors.py`, mapped in one place.

A unit of work does SQL and pure decisions; waiting for anything else inside holds locks that others want.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from operator import itemgetter
from typing import Final, Self, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from .arrays import ask_for_concrete_types
from .errors import ConstraintViolated, DatabaseRefused, OutcomeUnknown, translated

__all__ = ["Connection", "ConstraintViolated", "Database", "DatabaseRefused", "OutcomeUnknown", "Row", "connect"]

# What stores and services pass on as `tx`.
Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
# A row of an answer, read by column name.
Row: TypeAlias = asyncpg.Record

# Longest wait for a free connection, so that the rest of the budget is left for the work itself.
ACQUIRE_S: Final = 1.5
CONNECT_S: Final = 2.0
CLOSE_S: Final = 5.0

ask_for_concrete_types()


async def connect(dsn: str, *, command_timeout: float, application_name: str) -> asyncpg.Connection[asyncpg.Record]:
    """One connection outside any pool, for migrations and the engine; raises as `Database.open` does."""
    try:
        return await asyncpg.connect(
            dsn,
            timeout=CONNECT_S,
            command_timeout=command_timeout,
            server_settings={"application_name": application_name, "timezone": "UTC"},
        )
    except Exception as error:
        raise _refusal(error) from error


class Database:
    """A pool of connections to one PostgreSQL database, made by `Database.open`."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], budget: float) -> None:
        self._pool = pool
        self._budget = budget

    @classmethod
    async def open(
        cls,
        dsn: str,
        *,
        min_size: int = 2,
        max_size: int = 16,
        command_timeout: float = 2.5,
        lock_timeout_ms: int = 2000,
        application_name: str = "fairwire",
    ) -> Self:
        """Connects `min_size` connections. Raises `DatabaseRefused` (configuration) or `Unavailable` (try later)."""
        settings = {
            "application_name": application_name,
            "lock_timeout": str(lock_timeout_ms),
            # The server gives up when we do: a statement that nobody waits for must not hold its locks.
            "statement_timeout": str(int(command_timeout * 1000)),
            "idle_in_transaction_session_timeout": str(int(command_timeout * 2000)),
            "synchronous_commit": "on",  # accepted means durable
            "timezone": "UTC",
            "jit": "off",  # compiling costs more than our short queries
            # One plan for a statement and connection: planning one of a dozen joins costs more than running it.
            "plan_cache_mode": "force_generic_plan",
            "enable_memoize": "off",  # keeps what is looked up once: a tenth of a first state went into it
        }
        pool = asyncpg.create_pool(
            dsn,
            min_size=min_size,
            max_size=max_size,
            init=_prepare,
            reset=_keep,
            timeout=min(CONNECT_S, command_timeout),
            command_timeout=command_timeout,
            # A fixed set of named queries: keep them all prepared, and connections too.
            statement_cache_size=512,
            max_cached_statement_lifetime=0,  # for ever
            max_queries=10_000_000,
            server_settings=settings,
        )
        try:
            async with asyncio.timeout(max(CONNECT_S, command_timeout) * 2):
                await pool
        except BaseException as error:
            pool.terminate()
            raise _refusal(error) from error
        return cls(pool, command_timeout)

    @property
    def connections(self) -> int:
        """Open now."""
        return self._pool.get_size()

    @property
    def lent(self) -> int:
        """Of these, in use."""
        return self._pool.get_size() - self._pool.get_idle_size()

    async def close(self) -> None:
        """Waits for borrowed connections to come back, at most `CLOSE_S` seconds."""
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._pool.close()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._pool.terminate()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside BEGIN … COMMIT; an exception in the body rolls back and passes on, mapped."""
        async with self._unit() as unit:
            transaction = unit.connection.transaction()
            await transaction.start()
            try:
                yield unit.connection
            except BaseException as error:
                if not _breaks(error):  # else `_unit` drops the connection, and the server rolls back
                    await _rolled_back(transaction, unit.connection)
                raise
            unit.committing = True
            await transaction.commit()

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Connection]:
        """A connection for reads, each statement its own snapshot, and for single statements that may be done twice."""
        async with self._unit() as unit:
            yield unit.connection

    @asynccontextmanager
    async def dedicated(self) -> AsyncIterator[Connection]:
        """A connection borrowed for as long as the body likes: LISTEN and session locks, which the pool does not reset.

        It counts against `max_size` and is closed, not returned, so that nothing of its session survives.
        """
        async with self._unit(lasting=True) as unit:
            yield unit.connection

    @asynccontextmanager
    async def _unit(self, *, lasting: bool = False) -> AsyncIterator[_Unit]:
        unit: _Unit | None = None
        try:
            ends = asyncio.get_running_loop().time() + self._budget
            async with asyncio.timeout(min(ACQUIRE_S, self._budget)) as limit:
                unit = _Unit(await self._pool.acquire())
                limit.reschedule(None if lasting else ends)
                try:
                    yield unit
                except BaseException as error:
                    unit.doubtful = unit.committing or _breaks(error)
                    raise
                finally:
                    await self._return(unit, close=lasting)
        except BaseException as error:
            committing = unit is not None and unit.committing
            lost = unit is None or unit.lost
            if (meant := translated(error, committing=committing, connection_lost=lost)) is error:
                raise
            raise meant from error

    async def _return(self, unit: _Unit, *, close: bool) -> None:
        unit.lost = _is_lost(unit.connection)
        if (unit.doubtful or close) and not unit.lost:
            unit.connection.terminate()
        await self._pool.release(unit.connection)


class _Unit:
    """One borrowed connection and what is known about it."""

    __slots__ = ("committing", "connection", "doubtful", "lost")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.committing = False
        self.doubtful = False
        self.lost = False


def _breaks(error: BaseException) -> bool:
    """Whether a connection is in doubt after `error`: a statement may be in flight, or the protocol out of step."""
    if isinstance(error, asyncpg.DataError):
        return False  # an argument that never left asyncpg
    broken = OSError | TimeoutError | asyncpg.InterfaceError | asyncpg.InternalClientError
    return isinstance(error, broken) or not isinstance(error, Exception)


def _is_lost(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True  # it ended, and the pool has taken its place back already


async def _rolled_back(transaction: asyncpg.transaction.Transaction, connection: Connection) -> None:
    """ROLLBACK; when that fails the connection goes, and the error of the body stays the one that is told."""
    try:
        await transaction.rollback()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        if not _is_lost(connection):
            connection.terminate()


async def _prepare(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """jsonb travels as the bytes that msgspec reads and writes; the leading byte is the version of its binary form."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary", encoder=_jsonb_encoded, decoder=_jsonb_decoded
    )


def _jsonb_encoded(value: str | bytes) -> bytes:
    return b"\x01" + (value.encode() if isinstance(value, str) else value)


_jsonb_decoded: Final = itemgetter(slice(1, None))
"""Of bytes their bytes from the second on."""


async def _keep(_: asyncpg.Connection[asyncpg.Record]) -> None:
    """Nothing to reset: no unit of work leaves session state, and asking the server costs a round trip each time."""


def _refusal(error: BaseException) -> BaseException:
    """An error of connecting: a fault of the configuration says so at once."""
    configuration = (
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.InvalidCatalogNameError,
        asyncpg.ClientConfigurationError,
        asyncpg.InsufficientPrivilegeError,
        ValueError,
    )
    if isinstance(error, configuration):
        return DatabaseRefused(str(error))
    return translated(error, connection_lost=True)
