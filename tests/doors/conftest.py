"""The service of `service.py`, running."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.doors.service import Running, running


@pytest.fixture
async def door() -> AsyncIterator[Running]:
    """A server of this test's own, without rate limits."""
    async with running() as started:
        yield started
