"""What the tests of streams share: thousands of operations that need no line of log each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from fairwire_server.observe import configure_logs


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Warnings and worse only."""
    configure_logs(level="warning", shape="console")
    yield
    structlog.reset_defaults()
