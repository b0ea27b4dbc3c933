"""Our server in process: a whole node with its doors on free ports, over a database of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fairwire_server.clock import Clock
from fairwire_server.compose import Node, open_node
from fairwire_server.compose.doors import open_doors
from fairwire_server.database.pool import Database
from fairwire_server.settings import Settings
from tests.harness.fairground import Fairground, build_fairground

__all__ = ["Running", "running_node"]


@dataclass(frozen=True, slots=True)
class Running:
    """A node that listens, and the small fair in its database."""

    node: Node
    port: int
    admin_port: int
    ground: Fairground

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def running_node(
    database_url: str, data_dir: Path, clock: Clock | None = None, ground: Fairground | None = None, **changes: Any
) -> AsyncIterator[Running]:
    """A node on a migrated database. `changes` are settings; rates are off unless they say otherwise. A node beside another
    stands on its `ground`."""
    settings = msgspec.structs.replace(
        Settings(data_dir=data_dir, port=0, admin_port=0, rate_factor=0.0, log_level="warning"), **changes
    )
    database = await Database.open(
        database_url,
        min_size=2,
        max_size=settings.pool_max,
        command_timeout=settings.command_timeout_s,
        lock_timeout_ms=settings.lock_timeout_ms,
    )
    async with database, open_node(settings, database, clock) as node:
        ground = ground or await build_fairground(node)
        async with open_doors(node) as doors:
            yield Running(node, doors.port, doors.admin_port, ground)
