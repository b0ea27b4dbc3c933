"""Short messages by HTTP: one signed request each, to a provider that says no more than how it is asked and how it answers.

`may_leave` is asked after a connection was found and before the request's first byte (N4). Answers are bounded, redirects are not
followed, and no error has an address or a text: what a library's exception says is never passed on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

import aiohttp
import msgspec
from yarl import URL

from fairwire_server.channels.provider_rules import failure, retry_after
from fairwire_server.channels.sms_text import words_of
from fairwire_server.clock import Clock
from fairwire_server.notices.parcels import ChannelKind, Parcel, Sms, Taken, TryLater
from fairwire_server.notices.segment_rules import segments
from fairwire_server.notices.sms_catalogue import SmsCatalogue, Template

__all__ = ["HttpRequest", "HttpSmsChannel", "SmsProvider", "said"]

ANSWER_MAX: Final = 64 * 1024
CONNECTIONS: Final = 64
KEEP_S: Final = 10.0
"""Shorter than the providers' own patience, so that a request seldom meets a connection they are closing."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One POST, signed."""

    url: str = field(repr=False)
    """Sent as it stands: what is signed is each character of it."""
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class SmsProvider(Protocol):
    """How one provider is asked and answers: pure, signing included."""

    @property
    def name(self) -> str:
        """As rows and metrics have it."""

    def request(self, sms: Sms, template: Template, text: str, now: datetime) -> HttpRequest:
        """The request that sends it."""

    def reference(self, status: int, answer: Mapping[str, Any]) -> str:
        """The provider's id of what it has taken; raises `ChannelError` for everything else."""


class HttpSmsChannel:
    """Sends through `provider`. Its connections live until `run` is cancelled."""

    kind: ChannelKind = "sms"

    def __init__(
        self, provider: SmsProvider, catalogue: SmsCatalogue, clock: Clock, *, rate: float, timeout_s: float = 10.0
    ) -> None:
        self.name = provider.name
        self.rate = rate
        self._provider = provider
        self._catalogue = catalogue
        self._clock = clock
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def send(self, parcel: Parcel, may_leave: Callable[[], bool] | None = None) -> Taken:
        """One message, taken by the provider or refused."""
        sms, template, text = words_of(parcel, self._catalogue)
        request = self._provider.request(sms, template, text, self._clock.now())
        leave = _Leave(may_leave)
        try:
            status, headers, answer = await self._post(request, leave)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            reason = "timeout" if isinstance(error, TimeoutError) else "connection"
            raise TryLater(reason, maybe_sent=leave.begun) from None  # its text has the URL
        after_s = retry_after(headers.get("Retry-After"), self._clock.now())
        if status in {429, 503}:
            raise failure("busy", f"http_{status}", after_s)
        try:
            reference = self._provider.reference(status, answer)
        except TryLater as later:
            later.after_s = after_s if later.after_s is None else later.after_s
            raise
        return Taken(provider=self.name, reference=reference, segments=segments(text).count)

    async def run(self) -> None:
        """Until cancelled; then close what is open."""
        try:
            await asyncio.Event().wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, request: HttpRequest, leave: _Leave) -> tuple[int, Mapping[str, str], Mapping[str, Any]]:
        if self._session is None:
            self._session = _session(self._timeout_s)
        async with self._session.post(
            URL(request.url, encoded=True),
            data=request.body,
            headers=request.headers,
            allow_redirects=False,
            trace_request_ctx=leave,
        ) as response:
            body = await response.content.read(ANSWER_MAX + 1)
            while len(body) <= ANSWER_MAX and not response.content.at_eof():
                body += await response.content.read(ANSWER_MAX + 1 - len(body))
            return response.status, response.headers, _object(body)


class _Leave:
    """Goes with one request through the client: whether its bytes may leave, and whether they did."""

    def __init__(self, may_leave: Callable[[], bool] | None) -> None:
        self._may_leave = may_leave
        self.begun = False

    def begin(self) -> None:
        if self._may_leave is not None and not self._may_leave():
            raise TryLater("lease_over")
        self.begun = True


async def _before_the_first_byte(
    _: aiohttp.ClientSession, context: Any, __: aiohttp.TraceRequestHeadersSentParams
) -> None:
    context.trace_request_ctx.begin()


def _session(timeout_s: float) -> aiohttp.ClientSession:
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_before_the_first_byte)  # despite its name, called before anything is written
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=KEEP_S),
        timeout=aiohttp.ClientTimeout(total=timeout_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[trace],
        auto_decompress=True,
    )


def _object(body: bytes) -> Mapping[str, Any]:
    """The JSON object of an answer, or an empty one: then the status alone says what it was."""
    try:
        answer = msgspec.json.decode(body) if len(body) <= ANSWER_MAX else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return answer if isinstance(answer, dict) else {}


def said(answer: Mapping[str, Any], *path: str) -> str:
    """The text at a path of objects in an answer, or nothing."""
    found: Any = answer
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""
