"""What every service stands on: streams, hub and contacts, which know each other through functions only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from fairwire_server.accounts.callers import Callers
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.store import AccountStore
from fairwire_server.accounts.tokens import Tokens
from fairwire_server.chat.search_tokens import SearchTokens
from fairwire_server.chat.snapshot import OPEN_CHATS, OPEN_MESSAGES, chat_parts
from fairwire_server.chat.store import ChatStore
from fairwire_server.contacts.service import ContactLimits, Contacts
from fairwire_server.contacts.store import ContactStore
from fairwire_server.database.ids import uuid7
from fairwire_server.database.present import Present
from fairwire_server.database.work import Work, Works
from fairwire_server.folding import Folding
from fairwire_server.hub.first import FirstStates
from fairwire_server.hub.hub import Hub
from fairwire_server.hub.presence import Presences
from fairwire_server.hub.relay import Relay
from fairwire_server.hub.sync import Sync
from fairwire_server.jobs.errands import Errands
from fairwire_server.jobs.hints import Hints
from fairwire_server.meetings.snapshot import meeting_parts
from fairwire_server.notices.planning import Planning
from fairwire_server.notices.store import NoticeStore
from fairwire_server.observe import Metrics
from fairwire_server.settings import Settings
from fairwire_server.streams.arrivals import Arrivals
from fairwire_server.streams.log import Log
from fairwire_server.streams.service import Streams
from fairwire_server.streams.snapshot import Snapshots
from fairwire_server.streams.store import StreamStore

__all__ = ["Ground", "build_ground"]


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
    hints: Hints
    planning: Planning

    async def reset_streams(self, work: Work, accounts: Sequence[UUID]) -> None:
        """New epochs for these accounts, whose sockets come back for a snapshot once that is committed (W6)."""
        await self.streams.reset(work, accounts)
        work.on_commit(lambda: self.relay.reset(accounts), lambda: accounts)


def build_ground(settings: Settings, works: Works, metrics: Metrics, tokens: Tokens, present: Present) -> Ground:
    """Streams, hub and contacts: they know each other through functions only."""
    store, stream_store, contact_store = AccountStore(), StreamStore(), ContactStore()
    callers = Callers(store)
    commands = Commands(works, callers, store)
    window = timedelta(hours=settings.resume_window_hours)
    log = Log(works, stream_store, window=window, resume_events=settings.resume_max_events)
    parts = [*chat_parts(), *meeting_parts()]
    snapshots = Snapshots(works, parts, sizes=(settings.recent_max, OPEN_CHATS, OPEN_MESSAGES))
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
    relay = Relay(hub, works.clock, uuid7())
    streams = Streams(stream_store, relay.publish)
    limits = ContactLimits(recent=settings.recent_max, pins=settings.pins_max)
    contacts = Contacts(works, commands, contact_store, streams, limits)
    folding = Folding()
    hints = Hints(works.database, works.clock, tells=settings.background == "worker")
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
        hints=hints,
        planning=Planning(NoticeStore(), hints, present),
    )
