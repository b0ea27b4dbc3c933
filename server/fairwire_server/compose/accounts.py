"""Sessions, accounts, teams and the organiser."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from fairwire_server.accounts.address_change import AddressChange
from fairwire_server.accounts.changes import Changes
from fairwire_server.accounts.codes import Codes
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
from fairwire_server.accounts.team import Teams
from fairwire_server.accounts.team_store import TeamStore
from fairwire_server.accounts.throttle import Throttle
from fairwire_server.channels.post import Post
from fairwire_server.compose.ground import Ground
from fairwire_server.database.work import Work
from fairwire_server.exhibits.holdings import OwnedExhibits
from fairwire_server.meetings.audience import BookingAudience

__all__ = ["build_accounts"]


def build_accounts(g: Ground, post: Post, holdings: Holdings, audience: BookingAudience) -> dict[str, Any]:
    """By their names in `Services`."""
    changes = _changes(g, audience)
    passwords, throttle = Passwords(), Throttle(g.works.clock, tell=g.relay.spend)
    g.relay.spent = throttle.heard
    codes = Codes(g.works, g.tokens, post.send)
    sessions = Sessions(
        works=g.works,
        store=g.store,
        sessions=SessionStore(),
        callers=g.callers,
        commands=g.commands,
        tokens=g.tokens,
        close_sockets=g.relay.close_sockets,
        life=timedelta(days=g.settings.refresh_token_days),
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


def _changes(g: Ground, audience: BookingAudience) -> Changes:
    async def colleague_audience(work: Work, account: UUID) -> Sequence[UUID]:
        chats = await g.contacts.colleague_audience(work, account)
        return sorted({*chats, *await audience.of_colleague(work, account)})

    async def hold_chats(work: Work, account: UUID) -> None:
        await g.chat_store.run(work.connection, "hold_chats_of", account)

    g.contacts.more_watchers = audience.of_buyer
    return Changes(
        store=g.store,
        announce=g.streams.announce,
        buyer_events=g.contacts.buyer_events,
        colleague_audience=colleague_audience,
        hold_chats=hold_chats,
    )


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
