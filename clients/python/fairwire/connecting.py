"""The two ways in: `connect` for a live client, `Door` for calls over HTTP alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from fairwire.calls import Operations
from fairwire.client import CALL_SECONDS, Client
from fairwire.credentials import Vault
from fairwire.feed import FEED_MAX
from fairwire.http import Addresses, HttpDoor
from fairwire.timing import Timing
from fairwire.tokens import FixedToken, SignedInTokens, TokenFunction, Tokens
from fairwire_protocol.codec import CodecName
from fairwire_protocol.operations import Operation, Request

__all__ = ["Door", "connect"]

RequestT = TypeVar("RequestT", bound=Request)
ReplyT = TypeVar("ReplyT")


def connect(
    url: str,
    *,
    token: str | Callable[[], Awaitable[str]] | None = None,
    fair: str | None = None,
    login: str | None = None,
    password: str | None = None,
    data_dir: Path | str | None = None,
    codec: CodecName = "msgpack",
    device: str | None = None,
    device_name: str = "",
    language: str = "zh",
    call_timeout: float = CALL_SECONDS,
    feed_limit: int = FEED_MAX,
    timing: Timing | None = None,
) -> Client:
    """A client for the server at `url` (`http`, `https`, `ws` or `wss`); enter it with `async with`.

    Who it is: an access `token` (or an async function that gives one), or `fair`, `login` and `password`, or nothing but the
    `data_dir` of an earlier run, which keeps the session, the device's id and the outbox. Without a `data_dir` all of that
    lives and dies with the process.
    """
    timing = timing or Timing()
    addresses = Addresses.of(url)
    vault = Vault(Path(data_dir).expanduser() if data_dir is not None else None)
    door = HttpDoor(addresses.http)
    tokens: Tokens
    if isinstance(token, str):
        tokens = FixedToken(token)
    elif token is not None:
        tokens = TokenFunction(token)
    else:
        tokens = SignedInTokens(
            door, vault, timing, server=addresses.http, fair=fair, login=login, password=password,
            device=device or vault.device(), device_name=device_name,
        )  # fmt: skip
    return Client(
        addresses, tokens, vault, door, codec=codec, device=device, device_name=device_name, language=language,
        timing=timing, feed_limit=feed_limit, call_timeout=call_timeout,
    )  # fmt: skip


class Door(Operations):
    """Operations over HTTP, without a socket: to register, to reset, to script. `token` for those that need one."""

    def __init__(self, url: str, *, token: str | None = None) -> None:
        super().__init__(self)
        self.token = token
        self._door = HttpDoor(Addresses.of(url).http)

    async def call(
        self,
        operation: Operation[RequestT, ReplyT],
        request: RequestT,
        *,
        cid: UUID | None = None,
        timeout: float | None = None,
        content: bytes | None = None,
    ) -> ReplyT:
        """Run an operation over HTTP; one that has no HTTP door raises `ValueError`."""
        token = None if operation.anonymous else self.token
        return await self._door.call(operation, request, token=token, cid=cid, content=content, timeout=timeout)
