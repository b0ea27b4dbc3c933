"""The desk of a running node, for the folders below."""

from __future__ import annotations

import pytest

from tests.chat.desk import Desk
from tests.harness.node import Running


@pytest.fixture
def desk(running: Running) -> Desk:
    """Operations of this test's node."""
    return Desk(running)
