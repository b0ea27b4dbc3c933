"""What nodes say to each other, as bytes on the bus. Not part of the wire protocol: all nodes of an installation run one version,
or two during an update; a message that a node does not understand is passed over.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec

from fairwire_protocol.models import PresenceState
from fairwire_server.streams.told import Receivable

__all__ = ["Ask", "Attached", "Beat", "Changes", "Closed", "Happened", "Here", "Message", "Reset", "Shown", "Spent", "Transferred",
           "decode", "encode"]  # fmt: skip


class _Message(msgspec.Struct, frozen=True, array_like=True):
    """Short on the bus: a number and the fields in order."""


class Happened(_Message, frozen=True, tag=1):
    """An event was committed at `pos` of an account's stream, or of a fair's; the body is MessagePack, in the receiver's view."""

    stream: UUID
    pos: int
    body: bytes
    fair: bool = False
    receivable: Receivable | None = None


class Transferred(_Message, frozen=True, tag=2):
    """A chat has a new holder (C9)."""

    conversation: UUID
    source: UUID | None


class Closed(_Message, frozen=True, tag=3):
    """Sockets of an account, or of one session, must close (A6)."""

    account: UUID
    session: UUID | None
    code: int
    reason: str


class Reset(_Message, frozen=True, tag=4):
    """These streams have a new epoch (W6)."""

    accounts: tuple[UUID, ...]


class Shown(_Message, frozen=True, tag=5):
    """Something unstored for an account's devices: typing, looking (W10)."""

    account: UUID
    frame: bytes


class Attached(_Message, frozen=True, tag=6):
    """A device has connected: older sockets of it give way (W13). `at` is in milliseconds of the node's clock."""

    account: UUID
    device: str
    at: int


class Here(_Message, frozen=True):
    """An account as one node shows it. Without devices it is in its grace; offline, it is gone."""

    account: UUID
    fair: UUID
    kind: str
    exhibitor: UUID | None
    receives: bool
    state: PresenceState
    devices: tuple[str, ...]


class Changes(_Message, frozen=True, tag=7):
    """What has changed at a node. Numbered, so that a lost one is noticed; with `pages`, a page of all there is."""

    node: UUID
    number: int
    accounts: tuple[Here, ...]
    page: int = 0
    pages: int = 0


class Beat(_Message, frozen=True, tag=8):
    """The node lives, and this many changes were told."""

    node: UUID
    number: int


class Ask(_Message, frozen=True, tag=9):
    """Tell everything: one node, or all of them."""

    node: UUID | None


class Spent(_Message, frozen=True, tag=10):
    """A step of the sign-in throttle, which every node takes alike."""

    step: str
    key: bytes


class Look(_Message, frozen=True, tag=11):
    """Something about this account or fair was committed, perhaps, and not told: the database knows (W4)."""

    key: UUID


Message = Happened | Transferred | Closed | Reset | Shown | Attached | Changes | Beat | Ask | Spent | Look
_ENCODER: Final = msgspec.msgpack.Encoder(uuid_format="bytes")
_DECODER: Final = msgspec.msgpack.Decoder(Message)


def encode(message: Message) -> bytes:
    """A message as bytes."""
    return _ENCODER.encode(message)


def decode(data: bytes) -> Message:
    """Bytes as a message. Raises `msgspec.DecodeError`."""
    message: Message = _DECODER.decode(data)
    return message
