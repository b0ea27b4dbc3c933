"""A buyer registers itself and is signed in (A3); until its profile is complete it is a visitor (访客)."""

from __future__ import annotations

from fairwire_protocol.errors import Refused
from fairwire_protocol.operations import identity as ops
from fairwire_server.accounts.constraints import refusing
from fairwire_server.accounts.fair_settings import fair_settings
from fairwire_server.accounts.naming_rules import clean_name, clean_words, language_tag, new_login
from fairwire_server.accounts.passwords import Passwords
from fairwire_server.accounts.phones import normalise_email, normalise_phone
from fairwire_server.accounts.ports import CreateStreams, IndexTokens
from fairwire_server.accounts.profile_rules import missing_fields
from fairwire_server.accounts.sessions import Sessions
from fairwire_server.accounts.store import AccountStore, NewAccount
from fairwire_server.accounts.throttle import Throttle
from fairwire_server.context import Context
from fairwire_server.database.ids import uuid7
from fairwire_server.database.work import Works

__all__ = ["Registration"]


class Registration:
    """The handler of `auth.register`."""

    def __init__(
        self,
        *,
        works: Works,
        store: AccountStore,
        sessions: Sessions,
        passwords: Passwords,
        throttle: Throttle,
        index_tokens: IndexTokens,
        create_streams: CreateStreams,
    ) -> None:
        self._works = works
        self._store = store
        self._sessions = sessions
        self._passwords = passwords
        self._throttle = throttle
        self._index_tokens = index_tokens
        self._create_streams = create_streams

    async def register(self, context: Context, request: ops.RegisterBuyer) -> ops.SignedIn:
        """A new account of kind buyer. Its addresses are unverified until codes come back (A8)."""
        login = new_login(request.login)
        name = clean_name(request.name)
        interests = clean_words(request.interests, field="interests")
        profile = {key: text.strip() for key, text in request.profile.items() if text.strip()}
        email = normalise_email(request.email) if request.email is not None else None
        mobile = (
            normalise_phone(request.mobile, request.country, field="mobile") if request.mobile is not None else None
        )
        language = language_tag(request.language)
        self._throttle.register(context.address)
        password_hash = await self._passwords.hash(request.password)
        with refusing():
            async with self._works.begin() as work:
                fair = await self._store.fair(work.connection, request.fair)
                if fair is None:
                    raise Refused("not_found")
                settings = fair_settings(fair[1])
                if not settings.registration:
                    raise Refused("registration_closed")
                new = NewAccount(
                    id=uuid7(),
                    fair=fair[0],
                    exhibitor=None,
                    kind="buyer",
                    login=login,
                    name=name,
                    name_tokens=self._index_tokens(name),
                    password_hash=password_hash,
                    language=language,
                    mobile=mobile,
                    email=email,
                )
                complete = not missing_fields(settings.profile_fields, request.country, interests, profile)
                await self._store.insert_account(work.connection, new, work.now)
                await self._store.insert_buyer(
                    work.connection, new.id, request.role, request.country, interests, profile, complete
                )
                await self._create_streams(work, [new.id])
                return await self._sessions.open(work, new.id, request.device, request.device_name)
