"""The services, made from settings, a database and a clock, in the order in which they need each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from fairwire_server.accounts.address_change import AddressChange
from fairwire_server.accounts.callers import Callers
from fairwire_server.accounts.changes import Changes
from fairwire_server.accounts.codes import Codes
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.directory import Directory
from fairwire_server.accounts.directory_store import DirectoryStore
from fairwire_server.accounts.handover import Handover
from fairwire_server.accounts.organiser import Organisers
from fairwire_server.accounts.organiser_store import OrganiserStore
from fairwire_server.accounts.password_change import PasswordChange
from fairwire_server.accounts.passwords import Passwords
from fairwire_server.accounts.ports import Holdings
from fairwire_server.accounts.profile import Profiles
from fairwire_server.accounts.registration import Registration
from fairwire_server.accounts.session_store import SessionStore
from fairwire_server.accounts.sessions import Sessions
from fairwire_server.accounts.sign_in import SignIn
from fairwire_server.accounts.store import AccountStore
from fairwire_server.accounts.team import Teams
from fairwire_server.accounts.team_store import TeamStore
from fairwire_server.accounts.throttle import Throttle
from fairwire_server.accounts.tokens import Tokens
from fairwire_server.channels.post import Post
from fairwire_server.chat.acts import Acts
from fairwire_server.chat.image_format import ImageLimits
from fairwire_server.chat.image_service import Images
from fairwire_server.chat.image_store import ImageStore
from fairwire_server.chat.images import ImageWorker
from fairwire_server.chat.indexing import Indexer
from fairwire_server.chat.keyword_lists import KeywordLists
from fairwire_server.chat.moderation import LiveFigures, Moderation
from fairwire_server.chat.moderation_store import ModerationStore
from fairwire_server.chat.opening import Opening
from fairwire_server.chat.posting import Posting
from fairwire_server.chat.reading import Reading
from fairwire_server.chat.receipts import Receipts
from fairwire_server.chat.routing import Routing
from fairwire_server.chat.search import Search
from fairwire_server.chat.search_store import SearchStore
from fairwire_server.chat.search_tokens import SearchTokens
from fairwire_server.chat.sending import Sender
from fairwire_server.chat.snapshot import OPEN_CHATS, OPEN_MESSAGES, chat_parts, chat_shape
from fairwire_server.chat.store import ChatStore
from fairwire_server.chat.transfers import Transfers
from fairwire_server.compose.meetings import build_meetings
from fairwire_server.compose.noticing import build_notices
from fairwire_server.compose.rooms import build_rooms, room_provider
from fairwire_server.contacts.service import ContactLimits, Contacts
from fairwire_server.contacts.store import ContactStore
from fairwire_server.database.present import Present
from fairwire_server.database.work import Work, Works
from fairwire_server.exhibits.holdings import OwnedExhibits
from fairwire_server.files.store import FileStore
from fairwire_server.folding import Folding
from fairwire_server.hub.ephemera import Ephemera
from fairwire_server.hub.first import FirstStates
from fairwire_server.hub.hub import Hub
from fairwire_server.hub.presence import Presences
from fairwire_server.hub.relay import Relay
from fairwire_server.hub.sync import Sync
from fairwire_server.jobs.errands import Errands
from fairwire_server.jobs.hints import Hints
from fairwire_server.jobs.lanes import Lanes
from fairwire_server.meetings.audience import BookingAudience
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
from fairwire_server.meetings.snapshot import meeting_parts
from fairwire_server.meetings.telling import Telling
from fairwire_server.meetings.waiting import Waiting
from fairwire_server.notices.overseeing import Overseeing
from fairwire_server.notices.parcels import Channel
from fairwire_server.notices.preferences import Preferences
from fairwire_server.notices.receipts import TakingIn
from fairwire_server.notices.unsubscribe import Unsubscribing
from fairwire_server.observe import Metrics
from fairwire_server.settings import Settings
from fairwire_server.streams.arrivals import Arrivals
from fairwire_server.streams.log import Log
from fairwire_server.streams.service import Streams
from fairwire_server.streams.snapshot import Snapshots
from fairwire_server.streams.store import StreamStore

__all__ = ["Ground", "Services", "build_services"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What every service stands on."""

    settings: Settings
    works: Works
    present: Present
    metrics: Metrics
    store: AccountStore
    tokens: Tokens
    callers: Callers
    commands: Commands
    log: Log
    arrivals: Arrivals
    snapshots: Snapshots
    first_states: FirstStates
    streams: Streams
    hub: Hub
    relay: Relay
    sync: Sync
    presences: Presences
    contacts: Contacts
    contact_store: ContactStore
    chat_store: ChatStore
    search_tokens: SearchTokens
    folding: Folding
    errands: Errands

    async def reset_streams(self, work: Work, accounts: Sequence[UUID]) -> None:
        """New epochs for these accounts, whose sockets come back for a snapshot once that is committed (W6)."""
        await self.streams.reset(work, accounts)
        work.on_commit(lambda: self.relay.reset(accounts))


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


def build_ground(settings: Settings, works: Works, metrics: Metrics, tokens: Tokens, present: Present) -> Ground:
    """Streams, hub and contacts: they know each other through functions only."""
    store, stream_store, contact_store = AccountStore(), StreamStore(), ContactStore()
    callers = Callers(store)
    commands = Commands(works, callers, store)
    window = timedelta(hours=settings.resume_window_hours)
    log = Log(works, stream_store, window=window, resume_events=settings.resume_max_events)
    parts = [*chat_parts(), *meeting_parts()]
    snapshots = Snapshots(works, parts, sizes=(settings.recent_max, OPEN_CHATS, OPEN_MESSAGES), shape=chat_shape())
    first_states = FirstStates(snapshots, works.clock, settings.first_states_bytes)
    sync = Sync(log, first_states, works.clock, metrics)
    presences = Presences(
        works.clock,
        metrics,
        lambda caller, subjects: contacts.watchable(caller, subjects),
        grace_s=settings.presence_grace_s,
        subscriptions_max=settings.subscriptions_max,
    )
    hub = Hub(sync, presences, works.clock, metrics, devices_max=settings.devices_max)
    relay = Relay(hub, works.clock, uuid7(), grace_s=settings.presence_grace_s)
    streams = Streams(stream_store, relay.publish)
    limits = ContactLimits(recent=settings.recent_max, pins=settings.pins_max)
    contacts = Contacts(works, commands, contact_store, streams, limits)
    folding = Folding()
    return Ground(
        settings=settings,
        works=works,
        present=present,
        metrics=metrics,
        store=store,
        tokens=tokens,
        callers=callers,
        commands=commands,
        log=log,
        arrivals=Arrivals(works, stream_store, log),
        snapshots=snapshots,
        first_states=first_states,
        streams=streams,
        hub=hub,
        relay=relay,
        sync=sync,
        presences=presences,
        contacts=contacts,
        contact_store=contact_store,
        chat_store=ChatStore(),
        search_tokens=SearchTokens(folding),
        folding=folding,
        errands=Errands(),
    )


def build_services(ground: Ground, post: Post, channels: Sequence[Channel] = ()) -> Services:
    """Everything that handles operations."""
    chat = _chat(ground)
    meetings = build_meetings(ground, chat["transfers"], _posting(ground), chat["keyword_lists"])
    accounts = _accounts(ground, post, meetings.pop("holdings"), meetings.pop("audience"))
    rooms = build_rooms(ground, meetings["telling"], accounts["throttle"], room_provider(ground.settings))
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
            meetings["telling"],
            rooms["own_links"],
            rooms["calendars"],
            channels,
        ),
    )


def _accounts(g: Ground, post: Post, holdings: Holdings, audience: BookingAudience) -> dict[str, Any]:
    settings = g.settings
    passwords, throttle = Passwords(), Throttle(g.works.clock, tell=g.relay.spend)
    g.relay.spent = throttle.heard
    codes = Codes(g.works, g.tokens, post.send)

    async def colleague_audience(work: Work, account: UUID) -> Sequence[UUID]:
        chats = await g.contacts.colleague_audience(work, account)
        return sorted({*chats, *await audience.of_colleague(work, account)})

    g.contacts.more_watchers = audience.of_buyer
    changes = Changes(
        store=g.store,
        announce=g.streams.announce,
        buyer_events=g.contacts.buyer_events,
        colleague_audience=colleague_audience,
    )
    sessions = Sessions(
        works=g.works,
        store=g.store,
        sessions=SessionStore(),
        callers=g.callers,
        commands=g.commands,
        tokens=g.tokens,
        close_sockets=g.relay.close_sockets,
        life=timedelta(days=settings.refresh_token_days),
    )
    index, query = g.search_tokens.index_tokens, g.search_tokens.search_query
    common: dict[str, Any] = {"works": g.works, "store": g.store}
    return {
        "sessions": sessions,
        "passwords": passwords,
        "throttle": throttle,
        "codes": codes,
        "sign_in": SignIn(
            **common,
            sessions=sessions,
            passwords=passwords,
            codes=codes,
            throttle=throttle,
            defer=g.errands.defer,
            reaches=post.reaches,
            announce=g.streams.announce,
        ),
        "registration": Registration(
            **common,
            sessions=sessions,
            passwords=passwords,
            throttle=throttle,
            index_tokens=index,
            create_streams=g.streams.create,
        ),
        "directory": Directory(works=g.works, directory=DirectoryStore(), search_query=query),
        "profiles": Profiles(**common, commands=g.commands, changes=changes, index_tokens=index),
        "password_change": PasswordChange(
            **common, commands=g.commands, sessions=sessions, passwords=passwords, throttle=throttle
        ),
        "address_change": AddressChange(
            **common, commands=g.commands, codes=codes, changes=changes, throttle=throttle, reaches=post.reaches
        ),
        **_team(g, holdings, sessions, passwords, changes),
    }


def _team(g: Ground, holdings: Holdings, sessions: Sessions, passwords: Passwords, changes: Changes) -> dict[str, Any]:
    common: dict[str, Any] = {"works": g.works, "store": g.store, "commands": g.commands, "sessions": sessions}
    return {
        "teams": Teams(
            **common,
            team=TeamStore(),
            passwords=passwords,
            changes=changes,
            handover=Handover(g.store, [holdings, OwnedExhibits()]),
            index_tokens=g.search_tokens.index_tokens,
            create_streams=g.streams.create,
            reset_streams=g.reset_streams,
            sub_account_limit=g.settings.sub_account_limit,
        ),
        "organisers": Organisers(
            **common,
            fair=OrganiserStore(),
            search_query=g.search_tokens.search_query,
            reset_streams=g.reset_streams,
        ),
    }


def _posting(g: Ground) -> Callable[[], Posting]:
    span = max(1, g.settings.recent_max - g.settings.pins_max)
    return lambda: Posting(g.chat_store, g.contact_store, g.streams, span=span)


def _chat(g: Ground) -> dict[str, Any]:
    settings, works, store = g.settings, g.works, g.chat_store
    posting = _posting(g)
    routing = Routing(store, g.presences.online)
    search_store = SearchStore()
    indexer = Indexer(works, search_store, g.search_tokens)
    moderation_store = ModerationStore()
    keyword_lists = KeywordLists(works, moderation_store, g.folding)

    def observe_batch(size: int, seconds: float) -> None:
        g.metrics.batch_size.observe(size)
        g.metrics.commit_seconds.observe(seconds)

    return {
        **_images(g),
        "opening": Opening(g.commands, store, g.contact_store, routing, posting),
        "sender": Sender(
            works,
            store,
            posting,
            routing,
            keyword_lists,
            text_max=settings.text_max,
            accepted=indexer.feed if settings.search_index else lambda _: None,
            observe=observe_batch,
        ),
        **_around_messages(g, posting),
        "search": Search(works, search_store, g.contact_store, g.search_tokens),
        "indexer": indexer,
        "keyword_lists": keyword_lists,
        "moderation": Moderation(
            works,
            g.commands,
            moderation_store,
            g.store,
            g.contact_store,
            g.streams,
            keyword_lists,
            lambda fair: LiveFigures(*g.hub.figures(fair)),
        ),
    }


def _around_messages(g: Ground, posting: Callable[[], Posting]) -> dict[str, Any]:
    settings, works, store = g.settings, g.works, g.chat_store
    return {
        "reading": Reading(works, store, g.contact_store),
        "receipts": Receipts(works, store, g.contact_store, g.streams),
        "acts": Acts(
            works,
            g.commands,
            store,
            g.contact_store,
            g.streams,
            recall_for=timedelta(seconds=settings.recall_s),
            waiting_minutes=settings.waiting_minutes,
        ),
        "transfers": Transfers(
            works,
            g.commands,
            store,
            g.contact_store,
            posting,
            g.presences.online,
            offer_for=timedelta(seconds=settings.offer_s),
        ),
    }


def _images(g: Ground) -> dict[str, Any]:
    settings = g.settings
    limits = ImageLimits(max_bytes=settings.image_max_bytes, max_pixels=settings.image_max_pixels)
    worker, files = ImageWorker(limits), FileStore(settings.data_dir / "images")
    images = Images(g.works, g.commands, ImageStore(), g.store, worker, files, quota_bytes=settings.image_quota_bytes)
    return {"images": images, "image_worker": worker, "files": files}
