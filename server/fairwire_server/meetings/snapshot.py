"""What meetings put into an account's first state (W5): bookings that have not ended, and a buyer's places in waiting lists."""

from __future__ import annotations

from collections.abc import Sequence

from fairwire_protocol.models import Booking, Place
from fairwire_server.accounts.rules import Caller
from fairwire_server.database.queries import load_queries
from fairwire_server.meetings.shapes import booking_of, place_of
from fairwire_server.streams.snapshot import Part, Values

__all__ = ["meeting_parts"]


def meeting_parts() -> list[Part]:
    """The parts, for `Snapshots`."""
    sql = load_queries("fairwire_server.meetings", "bookings.sql")
    return [Part("bookings", sql["snapshot_bookings"], _bookings), Part("places", sql["snapshot_places"], _places)]


def _bookings(rows: Sequence[Values], _: Caller) -> tuple[Booking, ...]:
    return tuple(sorted(map(booking_of, rows), key=lambda booking: (booking.starts_at, booking.id)))


def _places(rows: Sequence[Values], _: Caller) -> tuple[Place, ...]:
    return tuple(sorted(map(place_of, rows), key=lambda place: (place.starts_at, place.id)))
