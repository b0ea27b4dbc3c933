"""The services of meetings: slots, requests, waiting lists, bookings. They share their stores and tell through one `Telling`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from fairwire_server.chat.keywords import KeywordList
from fairwire_server.chat.pairing import Pairing
from fairwire_server.chat.posting import Posting
from fairwire_server.chat.transfers import Transfers
from fairwire_server.compose.ground import Ground
from fairwire_server.meetings.audience import BookingAudience
from fairwire_server.meetings.booking_store import BookingStore
from fairwire_server.meetings.bookings import Bookings
from fairwire_server.meetings.holdings import ChatsAndMeetings
from fairwire_server.meetings.listing import BookingViews
from fairwire_server.meetings.making import Making
from fairwire_server.meetings.noticing import Noticing
from fairwire_server.meetings.proposals import Proposals
from fairwire_server.meetings.request_store import RequestStore
from fairwire_server.meetings.requesting import Requesting
from fairwire_server.meetings.slot_store import SlotStore
from fairwire_server.meetings.slots import Slots
from fairwire_server.meetings.telling import Telling
from fairwire_server.meetings.waiting import Waiting
from fairwire_server.meetings.waiting_store import WaitingStore

__all__ = ["build_meetings"]


def build_meetings(
    g: Ground, transfers: Transfers, posting: Callable[[], Posting], keywords: Callable[[UUID], KeywordList]
) -> dict[str, Any]:
    """By the names they have among the services; beside them `holdings` (A6) and `audience` (W5), for accounts and contacts."""
    bookings, slots, places, requests = BookingStore(), SlotStore(), WaitingStore(), RequestStore()
    telling, noticing = Telling(bookings, g.chat_store, posting), Noticing(g.planning, bookings)
    telling.notify = noticing.notify
    pairing = Pairing(g.chat_store, g.presences.online)
    making = Making(requests, pairing, telling)
    waiting = Waiting(
        g.works,
        g.commands,
        slots,
        requests,
        places,
        g.streams,
        pairing,
        making,
        noticing,
        keywords,
        places_max=g.settings.places_max,
        hold=timedelta(seconds=g.settings.place_s),
    )
    telling.seat_freed = waiting.seat_freed
    return {
        "telling": telling,
        "noticing": noticing,
        "slots": Slots(g.works, g.commands, slots, places, g.streams, batch_max=g.settings.slot_batch_max),
        "requesting": Requesting(g.works, requests, places, making, keywords),
        "waiting": waiting,
        "bookings": Bookings(g.commands, bookings, telling, keywords),
        "proposals": Proposals(
            g.works, g.commands, bookings, telling, noticing, keywords, lasts=timedelta(hours=g.settings.proposal_hours)
        ),
        "booking_views": BookingViews(g.works, bookings),
        "holdings": ChatsAndMeetings(transfers, g.chat_store, bookings, telling, posting),
        "audience": BookingAudience(bookings),
    }
