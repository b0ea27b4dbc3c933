"""Every test here ends with a log that has no fault in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.quiet import quiet_log


@pytest.fixture(scope="module", autouse=True)
def log() -> Iterator[list[str]]:
    """What was logged as an error during this module."""
    with quiet_log() as faults:
        yield faults
