"""What an account says of itself: its name and languages, and a buyer's profile (A3, A9)."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import UNSET

from fairwire_protocol.errors import Refused
from fairwire_protocol.operations import Request
from fairwire_protocol.operations import identity as ops
from fairwire_server.accounts.changes import Changes
from fairwire_server.accounts.commands import Commands
from fairwire_server.accounts.naming_rules import clean_name, clean_words, language_tag
from fairwire_server.accounts.ports import IndexTokens
from fairwire_server.accounts.profile_rules import changed_profile
from fairwire_server.accounts.rules import Caller
from fairwire_server.accounts.store import AccountStore
from fairwire_server.accounts.views import own_account, profile_of
from fairwire_server.context import Context
from fairwire_server.database.work import Work, Works

__all__ = ["Profiles"]

PROFILE_FIELDS_MAX: Final = 40


class Profiles:
    """Handlers of `account.show`, `account.update` and `buyer.update_profile`."""

    def __init__(
        self, *, works: Works, store: AccountStore, commands: Commands, changes: Changes, index_tokens: IndexTokens
    ) -> None:
        self._works = works
        self._store = store
        self._commands = commands
        self._changes = changes
        self._index_tokens = index_tokens

    async def show(self, caller: Caller, context: Context, request: Request) -> ops.AccountReply:
        """The own account and what it may do (A7)."""
        async with self._works.read() as work:
            row = await self._store.account(work.connection, caller.account)
        assert row is not None
        return ops.AccountReply(account=own_account(row))

    async def update(self, caller: Caller, context: Context, request: ops.UpdateAccount) -> ops.AccountReply:
        """Change the own name, language or time zone; fields left out stay."""
        name = UNSET if request.name is UNSET else clean_name(request.name)
        language = UNSET if request.language is UNSET else language_tag(request.language)
        time_zone = request.time_zone
        if isinstance(time_zone, str):
            _demand_zone(time_zone)

        async def apply(work: Work, caller: Caller) -> ops.AccountReply:
            await self._store.lock_account(work.connection, caller.account)
            before = await self._store.account(work.connection, caller.account)
            assert before is not None
            new_name = before.name if name is UNSET else name
            await self._store.set_person(
                work.connection,
                before.id,
                new_name,
                self._index_tokens(new_name),
                before.language if language is UNSET else language,
                before.time_zone if time_zone is UNSET else time_zone,
            )
            return ops.AccountReply(account=own_account(await self._changes.tell(work, before)))

        return await self._commands.run(ops.UPDATE_ME, caller, context, request, apply)

    async def update_profile(self, caller: Caller, context: Context, request: ops.UpdateProfile) -> ops.AccountReply:
        """Change the own profile. Completeness follows at once, both ways (A3)."""
        interests = UNSET if request.interests is UNSET else clean_words(request.interests, field="interests")

        async def apply(work: Work, caller: Caller) -> ops.AccountReply:
            await self._store.lock_account(work.connection, caller.account)
            before = await self._store.account(work.connection, caller.account)
            assert before is not None
            assert before.role is not None
            profile = changed_profile(profile_of(before), {} if request.profile is UNSET else request.profile)
            if len(profile) > PROFILE_FIELDS_MAX:
                raise Refused("invalid", f"A profile has at most {PROFILE_FIELDS_MAX} fields.", field="profile")
            await self._changes.set_profile(
                work,
                before,
                role=before.role if request.role is UNSET else request.role,
                country=before.country if request.country is UNSET else request.country or None,
                interests=tuple(before.interests or ()) if interests is UNSET else interests,
                profile=profile,
            )
            return ops.AccountReply(account=own_account(await self._changes.tell(work, before)))

        return await self._commands.run(ops.UPDATE_PROFILE, caller, context, request, apply)


def _demand_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Refused("invalid", "There is no such time zone.", field="time_zone") from None
