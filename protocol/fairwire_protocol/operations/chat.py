"""Operations on conversations (C)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from fairwire_protocol.models import Entry, Image, Message, Model, Offer, Person, Seq, Transfer
from fairwire_protocol.operations.base import Empty, Operation, Request

Note = Annotated[str, Meta(max_length=1000)]
PageSize = Annotated[int, Meta(ge=1, le=100)]
Text = Annotated[str, Meta(max_length=40_000)]
Cursor = Annotated[str, Meta(max_length=200)]


class OpenChat(Request, frozen=True, kw_only=True):
    """From an exhibitor's page, or from one of its exhibits."""

    exhibitor: UUID
    exhibit: UUID | None = None


class ConversationReply(Model, frozen=True, kw_only=True):
    """One contact, as in the recent list."""

    entry: Entry


class SendMessage(Request, frozen=True, kw_only=True):
    """`text` for a text, `image` (an uploaded image's id) for an image; `kind` says which."""

    conversation: UUID
    kind: str = "text"
    text: Text | None = None
    image: UUID | None = None


class Sent(Model, frozen=True, kw_only=True, omit_defaults=False):
    """The message is stored at `seq` (W7)."""

    conversation: UUID
    seq: Seq
    ts: int


class MessageRef(Request, frozen=True, kw_only=True):
    """One message."""

    conversation: UUID
    seq: Seq


class ConversationRef(Request, frozen=True, kw_only=True):
    """One conversation."""

    conversation: UUID


class MarkRead(Request, frozen=True, kw_only=True):
    """Everything up to `seq` was read on this account."""

    conversation: UUID
    seq: Seq


class TransferChat(Request, frozen=True, kw_only=True):
    """Hand the chat to a colleague, at once or after asking first."""

    conversation: UUID
    to: UUID
    note: Note = ""
    ask_first: bool = False


class Transferred(Model, frozen=True, kw_only=True):
    """Done at `seq`, or offered. `target_offline` warns that the new holder is not here now (C7)."""

    seq: Seq | None = None
    offer: Offer | None = None
    target_offline: bool = False


class AnswerOffer(Request, frozen=True, kw_only=True):
    """The target's answer to an ask-first transfer."""

    offer: UUID
    accept: bool


class History(Request, frozen=True, kw_only=True):
    """A page before `before`, after `after`, around `around`, or from the first message at or after `since`; else the newest."""

    conversation: UUID
    before: Seq | None = None
    after: Seq | None = None
    around: Seq | None = None
    since: int | None = None
    limit: PageSize = 50


class HistoryPage(Model, frozen=True, kw_only=True):
    """Messages by rising seq, and whether there are more on either side."""

    messages: tuple[Message, ...]
    more_before: bool = False
    more_after: bool = False


class ListChats(Request, frozen=True, kw_only=True):
    """The team's chats within the account's scope, newest message first."""

    state: Literal["all", "open", "waiting"] = "all"
    holder: UUID | None = None
    after: Cursor | None = None
    limit: PageSize = 50


class ChatList(Model, frozen=True, kw_only=True):
    """A page; `next` continues it."""

    entries: tuple[Entry, ...]
    next: str | None = None


class TransferRecord(Model, frozen=True, kw_only=True):
    """One change of holder (转接记录)."""

    seq: Seq
    ts: int
    transfer: Transfer


class TransferLog(Model, frozen=True, kw_only=True):
    """Every change of holder, oldest first."""

    transfers: tuple[TransferRecord, ...]


class Search(Request, frozen=True, kw_only=True):
    """Words or Chinese characters; `conversation` narrows it to one chat."""

    query: Annotated[str, Meta(min_length=1, max_length=200)]
    conversation: UUID | None = None
    before: Cursor | None = None
    limit: PageSize = 30


class Hit(Model, frozen=True, kw_only=True):
    """A message that matches; `marks` are the (start, end) code-point ranges to highlight in its text."""

    entry: Entry
    message: Message
    marks: tuple[tuple[int, int], ...] = ()


class SearchReply(Model, frozen=True, kw_only=True):
    """Contacts whose name matches, then messages, newest first; `next` continues the messages."""

    contacts: tuple[Entry, ...] = ()
    hits: tuple[Hit, ...] = ()
    next: str | None = None


class Block(Request, frozen=True, kw_only=True):
    """Block or unblock for the caller's side."""

    conversation: UUID
    blocked: bool


class ReportChat(Request, frozen=True, kw_only=True):
    """Name the messages the organiser shall read."""

    conversation: UUID
    seqs: Annotated[tuple[Seq, ...], Meta(min_length=1, max_length=50)]
    reason: Annotated[str, Meta(min_length=1, max_length=1000)]


class Reported(Model, frozen=True, kw_only=True):
    """The report's id."""

    report: UUID


class ShowTyping(Request, frozen=True, kw_only=True):
    """Typing in, or looking at, a conversation right now."""

    conversation: UUID


class ImageRef(Request, frozen=True, kw_only=True):
    """One image."""

    image: UUID


class UploadImage(Request, frozen=True, kw_only=True):
    """The image's bytes are the body."""


class Colleagues(Model, frozen=True, kw_only=True):
    """Accounts a chat may be transferred to."""

    colleagues: tuple[Person, ...]


OPEN = Operation(
    name="chat.open", request=OpenChat, reply=ConversationReply, http=("POST", "/v1/conversations"),
    summary="Open the conversation with an exhibitor, routed to its first holder; an exhibit travels along as a card.",
    rules=("A3", "C1", "C2", "C6", "C19"), rate="open", effect="once",
)  # fmt: skip
SHOW = Operation(
    name="chat.show", request=ConversationRef, reply=ConversationReply, http=("GET", "/v1/conversations/{conversation}"),
    summary="One conversation as its entry in the recent list.", rules=("C1", "C9", "K2"), rate="read", effect="read",
)  # fmt: skip
SEND = Operation(
    name="chat.send", request=SendMessage, reply=Sent, http=("POST", "/v1/conversations/{conversation}/messages"),
    summary="Send a text or an uploaded image. Accepted means stored.",
    rules=("C1", "C4", "C18", "C19", "W7"), rate="send", effect="once",
)  # fmt: skip
RECALL = Operation(
    name="chat.recall", request=MessageRef, reply=Empty, http=("POST", "/v1/conversations/{conversation}/messages/{seq}/recall"),
    summary="Take back an own message within 2 minutes.", rules=("C12",), rate="command", effect="idempotent",
)  # fmt: skip
MARK_READ = Operation(
    name="chat.read", request=MarkRead, reply=Empty, http=("PUT", "/v1/conversations/{conversation}/read"),
    summary="Mark everything up to a seq as read.", rules=("C11", "W9"), rate="command", effect="idempotent",
)  # fmt: skip
HANDLE = Operation(
    name="chat.handle", request=ConversationRef, reply=Empty, http=("POST", "/v1/conversations/{conversation}/handled"),
    summary="Mark an open chat as handled (已处理).", rules=("C1", "C11"), rate="command", effect="idempotent",
)  # fmt: skip
TRANSFER = Operation(
    name="chat.transfer", request=TransferChat, reply=Transferred, http=("POST", "/v1/conversations/{conversation}/transfers"),
    summary="Transfer (转接) a chat to a colleague, at once or after asking first.",
    rules=("A7", "C7", "C8", "C9", "C10"), rate="command", effect="once",
)  # fmt: skip
TAKE_OVER = Operation(
    name="chat.take_over", request=ConversationRef, reply=Transferred, http=("POST", "/v1/conversations/{conversation}/takeover"),
    summary="Take a colleague's chat over.", rules=("A7", "C10", "C11"), rate="command", effect="once",
)  # fmt: skip
ANSWER_OFFER = Operation(
    name="chat.answer_offer", request=AnswerOffer, reply=Transferred, http=("POST", "/v1/offers/{offer}/answer"),
    summary="Accept or decline a transfer that asked first.", rules=("C8",), rate="command", effect="once",
)  # fmt: skip
TRANSFER_LOG = Operation(
    name="chat.transfers", request=ConversationRef, reply=TransferLog, http=("GET", "/v1/conversations/{conversation}/transfers"),
    summary="Who held the chat, when, and the notes (转接记录).", rules=("C9", "C10"), rate="read", effect="read",
)  # fmt: skip
COLLEAGUES = Operation(
    name="chat.colleagues", request=Request, reply=Colleagues, http=("GET", "/v1/colleagues"),
    summary="Colleagues a chat may be transferred to.", rules=("C7",), rate="read", effect="read",
)  # fmt: skip
HISTORY = Operation(
    name="chat.history", request=History, reply=HistoryPage, http=("GET", "/v1/conversations/{conversation}/messages"),
    summary="A page of the conversation (消息记录), both ways, or around a seq or date.",
    rules=("C9", "C14"), rate="read", effect="read",
)  # fmt: skip
LIST = Operation(
    name="chat.list", request=ListChats, reply=ChatList, http=("GET", "/v1/conversations"),
    summary="The team's chats within the account's scope: all, open, or waiting for an answer.",
    rules=("A7", "C11", "K1"), rate="read", effect="read",
)  # fmt: skip
SEARCH = Operation(
    name="chat.search", request=Search, reply=SearchReply, http=("GET", "/v1/search"),
    summary="Find contacts by name and messages by text, in Chinese from one character, within the account's scope.",
    rules=("C9", "C15"), rate="search", effect="read",
)  # fmt: skip
BLOCK = Operation(
    name="chat.block", request=Block, reply=Empty, http=("PUT", "/v1/conversations/{conversation}/block"),
    summary="Block or unblock the other side.", rules=("C18",), rate="command", effect="idempotent",
)  # fmt: skip
REPORT = Operation(
    name="chat.report", request=ReportChat, reply=Reported, http=("POST", "/v1/conversations/{conversation}/reports"),
    summary="Report messages to the organiser.", rules=("A4", "C18"), rate="command", effect="once",
)  # fmt: skip
TYPING = Operation(
    name="chat.typing", request=ShowTyping, reply=Empty, one_door="shown at once or not at all; HTTP clients have nobody to show it to",
    summary="Show that this account is typing.", rules=("C16", "W10"), rate="ephemeral", effect="ephemeral",
)  # fmt: skip
LOOKING = Operation(
    name="chat.looking", request=ShowTyping, reply=Empty, one_door="shown at once or not at all; HTTP clients have nobody to show it to",
    summary="Show colleagues that this account is looking at the chat.", rules=("C16", "W10"), rate="ephemeral", effect="ephemeral",
)  # fmt: skip
UPLOAD_IMAGE = Operation(
    name="chat.upload_image", request=UploadImage, reply=Image, http=("POST", "/v1/images"), socket=False, binary="request",
    one_door="a frame is at most 64 KiB (W15)",
    summary="Upload an image; it is checked by its bytes and re-encoded without metadata.", rules=("C4", "W15"),
    rate="upload", effect="ephemeral",
)  # fmt: skip
IMAGE = Operation(
    name="chat.image", request=ImageRef, reply=bytes, http=("GET", "/v1/images/{image}"), socket=False, binary="reply",
    one_door="a frame is at most 64 KiB (W15)",
    summary="An image's bytes, for those who may see a message that shows it.", rules=("C4", "C9", "W15"), rate="read", effect="read",
)  # fmt: skip
THUMBNAIL = Operation(
    name="chat.thumbnail", request=ImageRef, reply=bytes, http=("GET", "/v1/images/{image}/thumbnail"), socket=False, binary="reply",
    one_door="a frame is at most 64 KiB (W15)",
    summary="The image's thumbnail, at most 400 pixels wide and high.", rules=("C4", "C9", "W15"), rate="read", effect="read",
)  # fmt: skip
