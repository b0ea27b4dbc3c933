"""What an operation is, for both doors, both documents, the permission matrix and the SDK (architecture: Operations and doors)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from msgspec import Struct

__all__ = ["Effect", "Empty", "Operation", "RateClass", "Request"]

RequestT = TypeVar("RequestT", bound="Request")
ReplyT = TypeVar("ReplyT")

RateClass = Literal["sign_in", "read", "search", "send", "command", "ephemeral", "upload", "open"]
Effect = Literal["read", "ephemeral", "idempotent", "once"]
"""read and ephemeral: no cid is kept. idempotent: repeating it changes nothing. once: the result row of the cid decides (W7)."""


class Request(Struct, frozen=True, kw_only=True):
    """Base of every request: a map on the wire, unknown fields ignored (W1)."""


class Empty(Struct, frozen=True):
    """Nothing to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[RequestT, ReplyT]):
    """One thing a client can do. `http` is (method, path); `{name}` in the path fills the request's field of that name."""

    name: str
    request: type[RequestT]
    reply: type[ReplyT]
    summary: str
    rules: tuple[str, ...]
    rate: RateClass
    effect: Effect
    http: tuple[str, str] | None = None
    socket: bool = True
    one_door: str | None = None
    """Why there is only one door, where there is only one."""
    anonymous: bool = False
    """Whether it runs without an access token."""
    binary: Literal["request", "reply"] | None = None
    """HTTP only: the body is bytes instead of JSON."""

    def __post_init__(self) -> None:
        if (self.http is None or not self.socket) and not self.one_door:
            raise ValueError(f"{self.name}: an operation with one door says why")
