"""One worker for the tests that only put images in; those that break a worker make their own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fairwire_server.chat.images import ImageWorker


@pytest.fixture(scope="session")
async def worker() -> AsyncIterator[ImageWorker]:
    """A worker with the limits of production."""
    async with ImageWorker() as worker:
        yield worker
