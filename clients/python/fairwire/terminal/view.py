"""How things look in the terminal: pure functions from the SDK's values to styled text.

The plain mode prints the same text without its style, so nothing may be told by colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from rich.text import Text

from fairwire_protocol.events import Notice
from fairwire_protocol.models import (
    BookingNote,
    BuyerCard,
    Contact,
    Entry,
    ExhibitorCard,
    Message,
    Offer,
    PresenceState,
)
from fairwire_protocol.operations.chat import Hit

__all__ = [
    "clock",
    "contact_key",
    "contact_name",
    "entry_line",
    "hit_line",
    "message_line",
    "message_text",
    "notice_text",
    "offer_line",
]

DOTS: Final[Mapping[PresenceState | None, tuple[str, str]]] = {
    "online": ("●", "green"), "busy": ("●", "red"), "away": ("◐", "yellow"), "offline": ("○", "bright_black"), None: ("·", "bright_black"),
}  # fmt: skip
PREVIEW: Final = 60


def clock(ts: int) -> str:
    """A time of day, in the reader's own zone (M12 shows the fair's beside it where it matters)."""
    return datetime.fromtimestamp(ts / 1000).astimezone().strftime("%H:%M")


def contact_name(contact: Contact, language: str = "en") -> str:
    """What to call a contact."""
    match contact:
        case BuyerCard():
            return contact.name
        case ExhibitorCard():
            return contact.name_zh if language.startswith("zh") else contact.name_en or contact.name_zh


def contact_key(contact: Contact) -> tuple[str, UUID]:
    """How presence names it."""
    return ("account" if isinstance(contact, BuyerCard) else "exhibitor", contact.id)


def message_text(message: Message) -> str:
    """What a message says, in one line or more."""
    if message.recalled:
        return "(recalled)"
    if message.image is not None:
        image = message.image
        return f"[image {image.width}×{image.height} {image.kind}, {image.bytes // 1024 or 1} KiB]"
    if message.card is not None:
        return f"[exhibit {message.card.name_en or message.card.name_zh} {message.card.code}]".replace(" ]", "]")
    if message.transfer is not None:
        return _transfer(message)
    if message.booking is not None:
        return _booking(message.booking)
    return message.text or ""


def _transfer(message: Message) -> str:
    transfer = message.transfer
    assert transfer is not None
    said = f"now with {transfer.to.name}"
    if transfer.source is not None:
        by = f" by {transfer.by.name}" if transfer.by is not None and transfer.by != transfer.source else ""
        said = f"{transfer.source.name} → {transfer.to.name}{by}"
    return f"[transfer: {said}]" + (f" note: {transfer.note}" if transfer.note else "")


def _booking(note: BookingNote) -> str:
    """A card of a meeting; the time in the reader's zone."""
    said = f"meeting {note.change}: {datetime.fromtimestamp(note.starts_at / 1000, UTC).astimezone():%Y-%m-%d %H:%M}"
    received = f", received by {note.receiver.name}" if note.receiver is not None else ""
    return f"[{said}{received}]" + "".join(f" {text}" for text in (note.topic, note.reason) if text)


def message_line(message: Message, mine: UUID, *, read_to: int = 0) -> Text:
    """One message of a conversation: seq, time, who, what, and whether the other side has read it."""
    own = message.sender is not None and message.sender.id == mine
    system = message.kind in {"card", "transfer", "booking"}
    who = "you" if own else message.sender.name if message.sender is not None else message.side
    line = Text()
    line.append(f"#{message.seq} ", style="bright_black")
    line.append(f"{clock(message.ts)} ", style="bright_black")
    if not system:  # a card or a transfer says itself who did what
        line.append(f"{who}: ", style="cyan" if own else "bold magenta")
    line.append(message_text(message), style="italic bright_black" if message.recalled or system else "")
    if own and not system and read_to >= message.seq:
        line.append(" ✓✓", style="green")
    return line


def entry_line(number: int, entry: Entry, presence: PresenceState | None, language: str) -> Text:
    """One contact of a list."""
    unread = max(0, entry.last_seq - entry.read)
    dot, colour = DOTS[presence]
    line = Text(f"{number:>3} ", style="bright_black")
    line.append(f"{dot} ", style=colour)
    line.append(contact_name(entry.contact, language), style="bold" if unread else "")
    if unread:
        line.append(f" ({unread})", style="bold yellow")
    for mark, shown in (("📌", entry.pinned_at is not None), ("★", entry.starred)):
        if shown:
            line.append(f" {mark}", style="yellow")
    line.append("".join(f" [{word}]" for word in _words(entry)), style="bright_black")
    if entry.last is not None:
        text = message_text(entry.last).replace("\n", " ")
        line.append(f"  {text[:PREVIEW]}{'…' if len(text) > PREVIEW else ''}", style="bright_black")
    return line


def _words(entry: Entry) -> list[str]:
    """What is unusual about a contact."""
    words = []
    if entry.readable_to is not None:
        words.append("handed over")
    elif entry.holder is not None and not entry.holds:
        words.append(f"with {entry.holder.name}")
    if entry.waiting_since is not None:
        words.append("waiting")
    elif entry.open and isinstance(entry.contact, BuyerCard):
        words.append("open")
    if entry.blocked_by_buyer or entry.blocked_by_team:
        words.append("blocked")
    return words


def hit_line(number: int, hit: Hit, language: str, *, plain: bool) -> Text:
    """A found message, its matches highlighted; in plain text between « and »."""
    text = Text(hit.message.text or message_text(hit.message))
    if plain:
        source = text.plain
        for start, end in sorted(hit.marks, reverse=True):
            source = f"{source[:start]}«{source[start:end]}»{source[end:]}"
        text = Text(source)
    else:
        for start, end in hit.marks:
            text.stylize("reverse yellow", start, end)
    line = Text(f"{number:>3} ", style="bright_black")
    line.append(contact_name(hit.entry.contact, language), style="bold")
    line.append(f" #{hit.message.seq} {clock(hit.message.ts)}  ", style="bright_black")
    return line.append_text(text)


def notice_text(notice: Notice) -> str:
    """What a notice is about, and what colleagues need to come along (M9)."""
    text = notice.kind.replace("_", " ")
    if notice.about is not None:
        text = f"{text}: {notice.about.name}"
    return f"{text}  {notice.link} room {notice.room_number or ''}".rstrip() if notice.link else text


def offer_line(number: int, offer: Offer, mine: UUID) -> Text:
    """An ask-first transfer that waits."""
    line = Text(f"{number:>3} ", style="bright_black")
    if offer.to.id == mine:
        what = f"{offer.source.name} offers you {offer.contact.name}"
    else:
        what = f"{offer.contact.name} offered to {offer.to.name}"
    line.append(what, style="bold")
    return line.append(f"  {offer.note}" if offer.note else "", style="italic")
