"""Thousands of operations, not one of which may end in a fault of ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.quiet import quiet_log


@pytest.fixture(autouse=True)
def faults() -> Iterator[list[str]]:
    """What was logged as an error: nothing, at the end."""
    with quiet_log() as faults:
        yield faults
