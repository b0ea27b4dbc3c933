"""An event on its way out: what each side is told, encoded at most once per view and codec (W3)."""

from __future__ import annotations

from uuid import UUID

import msgspec

from fairwire_protocol.codec import MSGPACK, Codec
from fairwire_protocol.events import AccountEvent, FairEvent, MessagePosted
from fairwire_protocol.models import Side

__all__ = ["Appended", "Draft", "FairAppended", "Receivable", "Told"]


class Receivable(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A message whose delivery counts as *received* once its position is acknowledged (W9)."""

    conversation: UUID
    seq: int
    sender: UUID | None


class Told:
    """One event in its views. Where the buyer's and the team's are alike, one object serves both."""

    __slots__ = ("_encoded", "buyer", "receivable", "team", "type")

    def __init__(self, team: AccountEvent | FairEvent, buyer: AccountEvent | FairEvent | None = None) -> None:
        self.team = team
        self.buyer = team if buyer is None else buyer
        self.type = str(team.__struct_config__.tag)
        """As in its body."""
        self.receivable = _receivable(team)
        """What an acknowledgement of this event says about receipts, if anything."""
        self._encoded: dict[tuple[bool, str], bytes] = {}

    def encoded(self, view: Side, codec: Codec) -> bytes:
        """The event's body as bytes; encoded on first need."""
        buyer = view == "buyer" and self.buyer is not self.team
        key = (buyer, codec.name)
        body = self._encoded.get(key)
        if body is None:
            body = self._encoded[key] = codec.encode(self.buyer if buyer else self.team)
        return body


def _receivable(event: AccountEvent | FairEvent) -> Receivable | None:
    if not isinstance(event, MessagePosted):
        return None
    message = event.message
    return Receivable(message.conversation, message.seq, message.sender.id if message.sender else None)


class Draft(msgspec.Struct, frozen=True, gc=False):
    """An event for one account, before it has a position."""

    account: UUID
    view: Side
    told: Told
    conversation: UUID | None = None
    seq: int | None = None

    def stored(self) -> bytes | None:
        """What the log keeps: nothing for a plain message, which is rendered from its row when replayed (C12)."""
        event = self.told.buyer if self.view == "buyer" else self.told.team
        if isinstance(event, MessagePosted) and not event.entries:
            return None
        return self.told.encoded(self.view, MSGPACK)


class Appended(msgspec.Struct, frozen=True, gc=False):
    """An event at its committed position in an account's stream."""

    account: UUID
    pos: int
    view: Side
    told: Told


class FairAppended(msgspec.Struct, frozen=True, gc=False):
    """An event at its committed position in the fair stream."""

    fair: UUID
    pos: int
    told: Told
