"""What entering a meeting needs: rooms elsewhere, links, calendars, and the services over them (M8, M9, M14)."""

from __future__ import annotations

from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

from fairwire_server.accounts.throttle import Throttle
from fairwire_server.compose.ground import Ground
from fairwire_server.doors.meeting_pages import INSIDE
from fairwire_server.meetings.booking_store import BookingStore
from fairwire_server.meetings.calendar import Calendars, Party
from fairwire_server.meetings.entering import Entering
from fairwire_server.meetings.feeds import Feeds
from fairwire_server.meetings.guests import Guests
from fairwire_server.meetings.inviting import Inviting
from fairwire_server.meetings.links import Links
from fairwire_server.meetings.lobby import Lobby
from fairwire_server.meetings.lobby_events import LobbyEvents
from fairwire_server.meetings.noticing import Noticing
from fairwire_server.meetings.own_links import OwnLinks
from fairwire_server.meetings.rooms import JitsiKey, JitsiRooms, RoomProvider, TemplateRooms
from fairwire_server.meetings.rooms_store import RoomStore
from fairwire_server.meetings.telling import Telling
from fairwire_server.settings import Fault, Settings, SettingsError

__all__ = ["build_rooms", "public_address", "room_provider"]


def public_address(settings: Settings) -> str:
    """How the world reaches this server."""
    return settings.public_url or f"http://{settings.host}:{settings.port}"


def room_provider(settings: Settings) -> RoomProvider:
    """Where meetings take place; on an installation that has no rooms, a page that says so."""
    if settings.room_provider == "template":
        return TemplateRooms(settings.room_url or f"{public_address(settings)}{INSIDE}")
    variable = "FAIRWIRE_ROOM_JITSI_KEY"
    try:
        pem = settings.room_jitsi_key.read_text("utf-8") if settings.room_jitsi_key else ""
        key = JitsiKey(
            app=settings.room_jitsi_app,
            secret=settings.room_jitsi_secret,
            private_key=pem,
            key_id=settings.room_jitsi_key_id,
        )
        return JitsiRooms(settings.room_url, key)
    except (OSError, ValueError) as error:
        raise SettingsError([Fault(variable, "The file holds no private RSA key in PEM that can be read.")]) from error


def build_rooms(
    g: Ground, telling: Telling, noticing: Noticing, throttle: Throttle, rooms: RoomProvider
) -> dict[str, Any]:
    """The services, by their names in `Services`."""
    settings, url = g.settings, public_address(g.settings)
    store, links = RoomStore(), Links(g.tokens.key, url)
    events = LobbyEvents(store, BookingStore(), noticing)
    name, address = parseaddr(settings.smtp_from)
    organizer = Party(name or "Fairwire", address or f"fairwire@{urlsplit(url).hostname or 'localhost'}")
    calendars = Calendars(organizer)
    return {
        "calendars": calendars,
        "own_links": OwnLinks(store, links),
        "entering": Entering(g.commands, store, rooms, links, telling.told_again),
        "inviting": Inviting(g.works, g.commands, store, links, telling, events),
        "lobby": Lobby(g.works, g.commands, store, telling, events),
        "guests": Guests(g.works, store, links, rooms, telling, events, throttle),
        "feeds": Feeds(g.works, g.commands, store, calendars, g.tokens.key, url),
        "rooms": rooms,
    }
