"""What an account wants to be told by, and what it was told (N9, N4)."""

from __future__ import annotations

from datetime import time
from typing import Final, get_args

import msgspec

from fairwire_protocol.errors import Refused
from fairwire_protocol.events import NoticeKind
from fairwire_protocol.operations import Request
from fairwire_protocol.operations import notices as operations
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.paging import page_cursor
from fairwire_server.accounts.rules import Caller
from fairwire_server.context import Context
from fairwire_server.database.work import Work, Works
from fairwire_server.notices.rules import KINDS, channels_for
from fairwire_server.notices.store import NoticeStore, added_channels
from fairwire_server.notices.views import notice_item

__all__ = ["Preferences"]

PAGE: Final = 50
_KINDS: Final[tuple[NoticeKind, ...]] = get_args(NoticeKind)


class Preferences:
    """Handlers of `notices.preferences`, `…set_preferences` and `…list`."""

    def __init__(self, works: Works, commands: Commands, store: NoticeStore) -> None:
        self._works = works
        self._commands = commands
        self._store = store

    async def show(self, caller: Caller, _: Context, __: Request) -> operations.Preferences:
        """What is in force."""
        async with self._works.read() as work:
            return await self._shown(work, caller)

    async def set(self, caller: Caller, context: Context, request: operations.SetPreferences) -> operations.Preferences:
        """N9: channels are added; an SMS only for N1's kinds (N10)."""

        async def apply(work: Work, caller: Caller) -> operations.Preferences:
            for kind, names in request.channels.items():
                if "sms" in names and not KINDS[kind].n1:
                    raise Refused(
                        "invalid",
                        "Short messages are for meetings' assignments, changes and reminders (N10).",
                        field="channels",
                    )
            if (request.quiet_from is None) != (request.quiet_to is None):
                raise Refused("invalid", "Quiet hours have a beginning and an end.", field="quiet_to")
            if request.quiet_from is not None and request.quiet_from == request.quiet_to:
                raise Refused("invalid", "Quiet hours that end when they begin are none.", field="quiet_to")
            chosen = {kind: sorted(set(names)) for kind, names in sorted(request.channels.items()) if names}
            await self._store.run(
                work.connection,
                "set_preference",
                caller.account,
                msgspec.json.encode(chosen),
                _time(request.quiet_from),
                _time(request.quiet_to),
                request.reminders_by_mail,
            )
            return await self._shown(work, caller)

        return await self._commands.run(operations.SET_PREFERENCES, caller, context, request, apply)

    async def list(self, caller: Caller, _: Context, request: operations.ListNotices) -> operations.NoticeList:
        """The own notices, newest first."""
        after = page_cursor(request.after)
        async with self._works.read() as work:
            rows = await self._store.fetch(work.connection, "own_notices", caller.account, after, PAGE + 1)
        page = tuple(notice_item(row) for row in rows[:PAGE])
        return operations.NoticeList(notices=page, next=str(page[-1].id) if len(rows) > PAGE else None)

    async def _shown(self, work: Work, caller: Caller) -> operations.Preferences:
        row = await self._store.row(work.connection, "preference", caller.account)
        who = (await self._store.addressees(work.connection, [caller.account])).get(caller.account)
        if row is None or who is None:
            raise Refused("not_found")
        return operations.Preferences(
            channels=added_channels(row["channels"]),
            quiet_from=_text(row["quiet_from"]),
            quiet_to=_text(row["quiet_to"]),
            reminders_by_mail=row["reminders_by_mail"],
            by_kind={kind: channels_for(kind, who) for kind in _KINDS},
            language=row["language"],
            time_zone=row["time_zone"],
        )


def _time(text: str | None) -> time | None:
    return None if text is None else time.fromisoformat(text)


def _text(at: time | None) -> str | None:
    return None if at is None else f"{at:%H:%M}"
