"""The services, in the order in which they need each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fairwire_server.accounts.address_change import AddressChange
from fairwire_server.accounts.codes import Codes
from fairwire_server.accounts.directory import Directory
from fairwire_server.accounts.organiser import Organisers
from fairwire_server.accounts.password_change import PasswordChange
from fairwire_server.accounts.passwords import Passwords
from fairwire_server.accounts.profile import Profiles
from fairwire_server.accounts.registration import Registration
from fairwire_server.accounts.sessions import Sessions
from fairwire_server.accounts.sign_in import SignIn
from fairwire_server.accounts.team import Teams
from fairwire_server.accounts.throttle import Throttle
from fairwire_server.channels.post import Post
from fairwire_server.chat.acts import Acts
from fairwire_server.chat.image_service import Images
from fairwire_server.chat.images import ImageWorker
from fairwire_server.chat.indexing import Indexer
from fairwire_server.chat.keyword_lists import KeywordLists
from fairwire_server.chat.moderation import Moderation
from fairwire_server.chat.opening import Opening
from fairwire_server.chat.reading import Reading
from fairwire_server.chat.receipts import Receipts
from fairwire_server.chat.search import Search
from fairwire_server.chat.sending import Sender
from fairwire_server.chat.transfers import Transfers
from fairwire_server.compose.accounts import build_accounts
from fairwire_server.compose.chat import build_chat, build_posting
from fairwire_server.compose.ground import Ground
from fairwire_server.compose.meetings import build_meetings
from fairwire_server.compose.noticing import build_notices
from fairwire_server.compose.rooms import build_rooms, room_provider
from fairwire_server.contacts.service import Contacts
from fairwire_server.files.store import FileStore
from fairwire_server.hub.ephemera import Ephemera
from fairwire_server.hub.presence import Presences
from fairwire_server.jobs.hints import Hints
from fairwire_server.jobs.lanes import Lanes
from fairwire_server.meetings.bookings import Bookings
from fairwire_server.meetings.calendar import Calendars
from fairwire_server.meetings.entering import Entering
from fairwire_server.meetings.feeds import Feeds
from fairwire_server.meetings.guests import Guests
from fairwire_server.meetings.inviting import Inviting
from fairwire_server.meetings.listing import BookingViews
from fairwire_server.meetings.lobby import Lobby
from fairwire_server.meetings.noticing import Noticing
from fairwire_server.meetings.own_links import OwnLinks
from fairwire_server.meetings.proposals import Proposals
from fairwire_server.meetings.requesting import Requesting
from fairwire_server.meetings.rooms import RoomProvider
from fairwire_server.meetings.slots import Slots
from fairwire_server.meetings.telling import Telling
from fairwire_server.meetings.waiting import Waiting
from fairwire_server.notices.overseeing import Overseeing
from fairwire_server.notices.parcels import Channel
from fairwire_server.notices.preferences import Preferences
from fairwire_server.notices.receipts import TakingIn
from fairwire_server.notices.unsubscribe import Unsubscribing

__all__ = ["Services", "build_services"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that handles operations, and what runs beside it."""

    sessions: Sessions
    sign_in: SignIn
    registration: Registration
    directory: Directory
    profiles: Profiles
    password_change: PasswordChange
    address_change: AddressChange
    teams: Teams
    organisers: Organisers
    passwords: Passwords
    throttle: Throttle
    codes: Codes
    opening: Opening
    sender: Sender
    reading: Reading
    receipts: Receipts
    acts: Acts
    transfers: Transfers
    search: Search
    indexer: Indexer
    images: Images
    image_worker: ImageWorker
    files: FileStore
    telling: Telling
    bookings: Bookings
    proposals: Proposals
    booking_views: BookingViews
    moderation: Moderation
    keyword_lists: KeywordLists
    slots: Slots
    requesting: Requesting
    waiting: Waiting
    contacts: Contacts
    presences: Presences
    ephemera: Ephemera
    noticing: Noticing
    hints: Hints
    lanes: Lanes
    taking_in: TakingIn
    preferences: Preferences
    overseeing: Overseeing
    unsubscribing: Unsubscribing
    calendars: Calendars
    own_links: OwnLinks
    entering: Entering
    inviting: Inviting
    lobby: Lobby
    guests: Guests
    feeds: Feeds
    rooms: RoomProvider


def build_services(ground: Ground, post: Post, channels: Sequence[Channel] = ()) -> Services:
    """Everything that handles operations."""
    chat = build_chat(ground)
    meetings = build_meetings(ground, chat["transfers"], build_posting(ground), chat["keyword_lists"])
    accounts = build_accounts(ground, post, meetings.pop("holdings"), meetings.pop("audience"))
    provider = room_provider(ground.settings)
    rooms = build_rooms(ground, meetings["telling"], meetings["noticing"], accounts["throttle"], provider)
    return Services(
        **accounts,
        **chat,
        **meetings,
        **rooms,
        contacts=ground.contacts,
        presences=ground.presences,
        ephemera=Ephemera(ground.hub, ground.relay.show, chat["reading"].see, ground.works.clock),
        **build_notices(
            ground.settings,
            ground.works,
            ground.present,
            ground.tokens,
            ground.commands,
            ground.streams,
            ground.planning,
            ground.hints,
            rooms["own_links"],
            rooms["calendars"],
            channels,
        ),
    )
