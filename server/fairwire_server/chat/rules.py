"""Decisions about conversations: pure, on rows that the caller has locked (C1–C12, C18, C19)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import AccountKind
from fairwire_server.accounts.rules import Caller, Table, may_receive

__all__ = [
    "ROUTING", "Candidate", "Conversation", "RoutingStep", "check_may_open", "check_may_write", "check_recall", "check_target",
    "may_transfer", "normal_text", "route",
]  # fmt: skip

RoutingStep = Literal["exhibit_owner", "least_busy", "main"]
ROUTING: Final[tuple[RoutingStep, ...]] = ("exhibit_owner", "least_busy", "main")
"""C6: the part of the order that an exhibitor may change; the present holder always comes first."""


@dataclass(slots=True, kw_only=True)
class Conversation:
    """A conversation's row while its lock is held. Mutable: a batch moves it message by message."""

    id: UUID
    fair: UUID
    exhibitor: UUID
    buyer: UUID
    holder: UUID
    last_seq: int
    open: bool
    opened_at: datetime | None
    unanswered_since: datetime | None
    waiting_since: datetime | None
    blocked_by_buyer: bool
    blocked_by_team: bool

    def next_seq(self) -> int:
        """The next number of the gapless line (W2)."""
        self.last_seq += 1
        return self.last_seq

    def buyer_wrote(self, now: datetime) -> None:
        """A buyer's message opens the chat and waits for an answer (C1, C11)."""
        if not self.open:
            self.open = True
            self.opened_at = now
        self.unanswered_since = self.unanswered_since or now

    def team_wrote(self) -> None:
        """An answer ends the wait (C11)."""
        self.unanswered_since = None
        self.waiting_since = None

    def handled(self) -> None:
        """The team has dealt with it (C11)."""
        self.open = False
        self.unanswered_since = None
        self.waiting_since = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An exhibitor's account as routing and transfers see it."""

    id: UUID
    name: str
    kind: AccountKind
    state: str
    online: bool = False
    open_chats: int = 0


def normal_text(text: str, limit: int) -> str:
    """The text as it is kept: NFC, at most `limit` code points, something to read, nothing the database cannot hold (C4)."""
    text = unicodedata.normalize("NFC", text)
    if len(text) > limit:
        raise Refused("too_long", f"At most {limit} characters.", field="text", detail={"limit": limit})
    if "\0" in text or not _is_utf8(text):
        raise Refused("invalid", "The text holds a character that is none.", field="text")
    if not text[:1].isalnum() and not any(unicodedata.category(char)[0] not in "ZC" for char in text):
        raise Refused("empty_text", field="text")
    return text


def _is_utf8(text: str) -> bool:
    """Whether no character is half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_may_write(caller: Caller, conversation: Conversation) -> None:
    """Whether the caller may send in this conversation: raises the reason why not.

    A conversation that the caller may not even see is `not_found`, also when it exists (A1, C9).
    """
    if caller.fair != conversation.fair:
        raise Refused("not_found")
    if caller.side == "buyer":
        if caller.account != conversation.buyer:
            raise Refused("not_found")
        if not caller.complete:
            raise Refused("profile_incomplete")
    else:
        if caller.side != "team" or caller.exhibitor != conversation.exhibitor:
            raise Refused("not_found")
        if not caller.may("receive_chats"):
            raise Refused("forbidden")
        if caller.account != conversation.holder:
            raise Refused("not_holder" if caller.reads_all() else "not_found")
        if conversation.opened_at is None:
            raise Refused("chat_not_open")
    if caller.silenced:
        raise Refused("silenced")
    if conversation.blocked_by_buyer or conversation.blocked_by_team:
        raise Refused("blocked")


def check_may_open(caller: Caller) -> None:
    """A3, C18: a complete buyer that is not silenced starts a chat; raises why not. Of the caller as its own transaction reads it."""
    if not caller.complete:
        raise Refused("profile_incomplete")
    if caller.silenced:
        raise Refused("silenced")


def may_transfer(caller: Caller, conversation: Conversation) -> None:
    """C7, A7: the holder of a chat, or whoever may transfer chats of others; raises why not."""
    if caller.fair != conversation.fair or caller.exhibitor != conversation.exhibitor:
        raise Refused("not_found")
    if caller.account == conversation.holder and caller.may("receive_chats"):
        return
    if caller.may("transfer_others"):
        return
    raise Refused("not_holder" if caller.reads_all() else "not_found")


def check_target(conversation: Conversation, target: Candidate | None, table: Table) -> Candidate:
    """C7: another account of the same exhibitor that may receive chats; never the present holder."""
    if target is None:
        raise Refused("bad_target", "No such colleague.", field="to")
    if target.id == conversation.holder:
        raise Refused("bad_target", "That account holds the chat already.", field="to")
    if not may_receive(target.kind, target.state, table):
        raise Refused("bad_target", "That account may not receive chats.", field="to")
    return target


def check_recall(caller: Caller, sender: UUID, kind: str, sent_at: datetime, now: datetime, window: timedelta) -> None:
    """C12: own texts and images, for two minutes."""
    if sender != caller.account or kind not in {"text", "image"}:
        raise Refused("not_recallable")
    if now - sent_at > window:
        raise Refused("recall_too_late")


def route(
    team: Mapping[UUID, Candidate],
    table: Table,
    *,
    holder: UUID | None,
    exhibit_owner: UUID | None,
    order: Sequence[RoutingStep] = ROUTING,
) -> UUID:
    """C6: who gets the chat. The main account takes it when nobody else may, whatever its own state."""
    able = {account.id: account for account in team.values() if may_receive(account.kind, account.state, table)}
    if holder in able:
        return holder
    for step in order:
        if step == "exhibit_owner" and exhibit_owner in able:
            return exhibit_owner
        if step == "least_busy":
            online = [account for account in able.values() if account.online]
            if online:
                return min(online, key=lambda account: (account.open_chats, str(account.id))).id
        if step == "main" and (main := next((a for a in able.values() if a.kind == "main"), None)):
            return main.id
    return next(account.id for account in team.values() if account.kind == "main")
