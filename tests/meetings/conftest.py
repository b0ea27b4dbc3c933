"""A booth and an agenda on this test's node."""

from __future__ import annotations

import pytest

from tests.harness.node import Running
from tests.meetings.agenda import Agenda
from tests.meetings.booth import Booth
from tests.meetings.lounge import Lounge


@pytest.fixture
def booth(running: Running) -> Booth:
    """Slots and bookings of this test's node."""
    return Booth(running)


@pytest.fixture
def agenda(running: Running) -> Agenda:
    """Operations of this test's node on slots and bookings."""
    return Agenda(running)


@pytest.fixture
def lounge(running: Running) -> Lounge:
    """Assigned meetings of this test's node, with members and guests."""
    return Lounge(running)
