"""Operations on contacts, the customer base and presence (K1–K4, C17)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from fairwire_protocol.models import BuyerCard, Entry, Model, Presence, Subject
from fairwire_protocol.operations.base import Empty, Operation, Request


class ContactList(Model, frozen=True, kw_only=True):
    """Entries in the order they are shown."""

    entries: tuple[Entry, ...]


class Star(Request, frozen=True, kw_only=True):
    """Star or unstar the buyer of a conversation."""

    conversation: UUID
    starred: bool


class Pin(Request, frozen=True, kw_only=True):
    """Pin or unpin a contact."""

    conversation: UUID
    pinned: bool


class BuyerRef(Request, frozen=True, kw_only=True):
    """One buyer."""

    buyer: UUID


class CustomerReply(Model, frozen=True, kw_only=True):
    """The buyer as this exhibitor may see it."""

    contact: BuyerCard


class Watch(Request, frozen=True, kw_only=True):
    """What is on the client's screen now; replaces what was watched before."""

    subjects: Annotated[tuple[Subject, ...], Meta(max_length=50)]


class PresenceReply(Model, frozen=True, kw_only=True):
    """The present state of each subject that may be watched; others are left out."""

    states: tuple[Presence, ...]


class SetPresence(Request, frozen=True, kw_only=True):
    """The state this device shows while connected."""

    state: Literal["online", "busy", "away"]


RECENT = Operation(
    name="contacts.recent", request=Request, reply=ContactList, http=("GET", "/v1/contacts/recent"),
    summary="The recent list (最近联系人): pinned first, then newest message first, at most 300.",
    rules=("K1", "K4", "W8"), rate="read", effect="read",
)  # fmt: skip
STARRED = Operation(
    name="contacts.starred", request=Request, reply=ContactList, http=("GET", "/v1/contacts/starred"),
    summary="Starred contacts, also those beyond the recent 300.", rules=("K3",), rate="read", effect="read",
)  # fmt: skip
STAR = Operation(
    name="contacts.star", request=Star, reply=Empty, http=("PUT", "/v1/conversations/{conversation}/star"),
    summary="Star (星标) a buyer that is in the customer base, or unstar it.", rules=("A7", "K3"), rate="command", effect="idempotent",
)  # fmt: skip
PIN = Operation(
    name="contacts.pin", request=Pin, reply=Empty, http=("PUT", "/v1/conversations/{conversation}/pin"),
    summary="Pin (置顶) a contact, at most 50 of them, or unpin it.", rules=("A7", "K4"), rate="command", effect="idempotent",
)  # fmt: skip
ADD_CUSTOMER = Operation(
    name="customers.add", request=BuyerRef, reply=CustomerReply, http=("PUT", "/v1/customers/{buyer}"),
    summary="Add a buyer to the customer base (加入客户库), which shows its basic data.",
    rules=("A7", "K2"), rate="command", effect="idempotent",
)  # fmt: skip
SHOW_CUSTOMER = Operation(
    name="customers.show", request=BuyerRef, reply=CustomerReply, http=("GET", "/v1/customers/{buyer}"),
    summary="A buyer's card, with its basic data once it is in the base.", rules=("A7", "K2"), rate="read", effect="read",
)  # fmt: skip
WATCH = Operation(
    name="presence.watch", request=Watch, reply=PresenceReply, one_door="its answer is what the socket is sent from then on",
    summary="Watch the presence of what is on screen; answers with the states now.",
    rules=("C17", "W10"), rate="ephemeral", effect="ephemeral",
)  # fmt: skip
QUERY = Operation(
    name="presence.query", request=Watch, reply=PresenceReply, http=("POST", "/v1/presence/query"),
    summary="The presence of up to 50 subjects now.", rules=("C17", "W10"), rate="read", effect="read",
)  # fmt: skip
SET = Operation(
    name="presence.set", request=SetPresence, reply=Empty, one_door="a device is present by its socket",
    summary="Show this device as online, busy or away.", rules=("C17",), rate="ephemeral", effect="ephemeral",
)  # fmt: skip
