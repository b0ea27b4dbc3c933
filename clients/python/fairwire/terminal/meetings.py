"""Commands about meetings: slots, bookings, other times, the schedule (M1–M7, M15).

A number is that of the last list shown: of bookings by `/bookings` or `/meetings`, of slots by `/slots`. Times are the reader's, with
the fair's beside them (M12).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final, Literal, cast, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from rich.text import Text

from fairwire.terminal.desk import Desk, Mistake
from fairwire_protocol.models import Booking, BookingState, Person
from fairwire_protocol.operations.bookings import BookingDetail, ListedBooking

__all__ = ["MEETINGS", "booking_line", "fair_zone", "home_zone", "pick_booking", "pick_slot", "when"]

ANYWAY: Final = "anyway"
STATES: Final = ("all", *get_args(BookingState))


PAGE: Final = 100
LISTED_MOST: Final = 500


async def fair_zone(desk: Desk, exhibitor: UUID) -> ZoneInfo:
    """The zone of the fair at which the exhibitor is; asked once."""
    if desk.fair_zone is None:
        desk.fair_zone = ZoneInfo((await desk.client.slots.open(exhibitor=exhibitor, limit=1)).fair_zone)
    return desk.fair_zone


def when(starts_at: int, ends_at: int, zone: ZoneInfo) -> str:
    """A meeting's time in the reader's zone, and when it begins in the fair's; with the day where that is another one."""
    begins, ends = (datetime.fromtimestamp(ms / 1000, UTC).astimezone() for ms in (starts_at, ends_at))
    there = begins.astimezone(zone)
    day = "" if there.date() == begins.date() else f"{there:%m-%d} "
    return f"{begins:%Y-%m-%d %H:%M}–{ends:%H:%M} ({day}{there:%H:%M} at the fair)"


def booking_line(number: int, booking: Booking, zone: ZoneInfo, *, buyer: bool, notes: Sequence[str] = ()) -> Text:
    """One booking of a list."""
    with_ = booking.exhibitor.name_en or booking.exhibitor.name_zh if buyer else _visitor(booking)
    line = Text(f"{number:>3} ", style="bright_black")
    line.append(f"{when(booking.starts_at, booking.ends_at, zone)} ", style="cyan")
    line.append(with_, style="bold")
    line.append(f" [{booking.state}]", style="bright_black")
    if booking.receiver is not None:
        line.append(f" received by {booking.receiver.name}")
    if booking.room_number is not None:
        line.append(f" room {booking.room_number}")
    if booking.proposal is not None:
        proposed = when(booking.proposal.starts_at, booking.proposal.ends_at, zone)
        line.append(f" {booking.proposal.side} proposes {proposed}")
    line.append("".join(f" ({note})" for note in notes), style="bold yellow")
    return line.append(f"  {booking.topic}" if booking.topic else "", style="italic")


def _visitor(booking: Booking) -> str:
    """M5: the buyer by interests and country."""
    shown = "/".join((*booking.buyer.interests, *((booking.buyer.country,) if booking.buyer.country else ())))
    return f"{booking.buyer.name} {shown}".strip()


async def _show(desk: Desk, bookings: Sequence[Booking], notes: Sequence[Sequence[str]] = ()) -> None:
    desk.bookings = list(bookings)
    if not bookings:
        desk.out.say("empty", "no meetings here")
    for number, booking in enumerate(bookings, 1):
        said = notes[number - 1] if notes else ()
        await _tell(desk, number, booking, said)


def pick_booking(desk: Desk, word: str) -> Booking:
    """A booking by its number in the last list, as it is now."""
    if not word.isdecimal() or not 1 <= int(word) <= len(desk.bookings):
        raise Mistake("which one? a number of the last /bookings or /meetings")
    booking = desk.bookings[int(word) - 1]
    return desk.client.state.bookings.get(booking.id, booking)


def pick_slot(desk: Desk, word: str) -> UUID:
    if not word.isdecimal() or not 1 <= int(word) <= len(desk.slots):
        raise Mistake("which slot? a number of the last /slots")
    return desk.slots[int(word) - 1]


async def _changed(desk: Desk, booking: Booking) -> None:
    await _tell(desk, 1, booking)


async def _tell(desk: Desk, number: int, booking: Booking, notes: Sequence[str] = ()) -> None:
    zone = await fair_zone(desk, booking.exhibitor.id)
    line = booking_line(number, booking, zone, buyer=desk.client.me.kind == "buyer", notes=notes)
    desk.out.say("booking", line)


async def meetings(desk: Desk, _: str) -> None:
    await _show(desk, desk.client.state.schedule)


async def bookings(desk: Desk, word: str) -> None:
    if word not in {"", "overdue", *STATES}:
        raise Mistake(f"/bookings, or one of {', '.join(STATES)}, overdue")
    state = cast("Literal['all', 'pending', 'assigned', 'rejected', 'cancelled']", word if word in STATES else "all")
    ask = partial(desk.client.bookings.list, state=state, overdue=word == "overdue", limit=PAGE)
    reply = await ask()
    listed = list(reply.bookings)
    while reply.next is not None and len(listed) < LISTED_MOST:
        reply = await ask(after=reply.next)
        listed += reply.bookings
    await _show(desk, [one.booking for one in listed], [_notes(one) for one in listed])
    if reply.next is not None:
        desk.out.say("more", f"only the newest {len(listed)} are shown")
    counts = reply.counts
    desk.out.say(
        "counts",
        f"all {counts.all}, pending {counts.pending}, assigned {counts.assigned}, rejected {counts.rejected}, "
        f"cancelled {counts.cancelled}",
    )


def _notes(one: ListedBooking | BookingDetail) -> list[str]:
    return [said for said, so in (("overdue", one.overdue), ("nobody is free", one.no_receiver_free)) if so]


async def meeting(desk: Desk, word: str) -> None:
    detail = await desk.client.bookings.show(booking=pick_booking(desk, word).id)
    await _tell(desk, int(word), detail.booking, _notes(detail))
    for one in detail.receivers:
        at = datetime.fromtimestamp(one.at / 1000, UTC).astimezone()
        desk.out.say("receiver", f"{one.receiver.name}, by {one.by.name} {at:%Y-%m-%d %H:%M}")


async def receivers(desk: Desk, word: str) -> None:
    reply = await desk.client.bookings.receivers(booking=pick_booking(desk, word).id)
    for one in reply.receivers:
        said = [
            text for text, so in (("busy", not one.free), ("now", one.current), ("no address", one.unreachable)) if so
        ]
        desk.out.say("receiver", one.account.name + "".join(f" ({text})" for text in said))


async def assign(desk: Desk, words: str) -> None:
    number, _, name = words.partition(" ")
    booking = pick_booking(desk, number)
    anyway = name.casefold().endswith(f" {ANYWAY}")
    person = await _receiver(desk, booking, name[: -len(ANYWAY)].strip() if anyway else name.strip())
    reply = await desk.client.bookings.assign(booking=booking.id, receiver=person.id, confirm_unreachable=anyway)
    await _changed(desk, reply.booking)


async def _receiver(desk: Desk, booking: Booking, name: str) -> Person:
    reply = await desk.client.bookings.receivers(booking=booking.id)
    people = [one.account for one in reply.receivers]
    found = [person for person in people if name and person.name.casefold().startswith(name.casefold())]
    if len(found) != 1:
        raise Mistake(f"to whom? {', '.join(person.name for person in found or people) or 'nobody can receive it'}")
    return found[0]


async def reject(desk: Desk, words: str) -> None:
    number, _, reason = words.partition(" ")
    if not reason.strip():
        raise Mistake("/reject, the number, and why")
    await _changed(
        desk, (await desk.client.bookings.reject(booking=pick_booking(desk, number).id, reason=reason)).booking
    )


async def cancel(desk: Desk, words: str) -> None:
    number, _, reason = words.partition(" ")
    if not reason.strip():
        raise Mistake("/cancel, the number, and why")
    await _changed(
        desk, (await desk.client.bookings.cancel(booking=pick_booking(desk, number).id, reason=reason)).booking
    )


async def slots(desk: Desk, word: str) -> None:
    """The own ones; for a buyer those of an exhibitor of the last `/exhibitors`."""
    rows = await _open_slots(desk, word) if desk.client.me.kind == "buyer" else await _own_slots(desk)
    desk.slots = [slot for slot, _ in rows]
    if not rows:
        desk.out.say("empty", "no slots here")
    for number, (_, line) in enumerate(rows, 1):
        desk.out.say("slot", f"{number:>3} {line}")


async def _own_slots(desk: Desk) -> list[tuple[UUID, str]]:
    rows: list[tuple[UUID, str]] = []
    after: str | None = None
    while len(rows) < LISTED_MOST:
        reply = await desk.client.slots.list(after=after, limit=PAGE)
        for one in reply.slots:
            time = when(one.starts_at, one.ends_at, await home_zone(desk))
            rows.append((one.id, f"{time} {one.state.replace('_', ' ')}, {one.taken} taken"))
        if (after := reply.next) is None:
            break
    return rows


async def _open_slots(desk: Desk, word: str) -> list[tuple[UUID, str]]:
    if not word.isdecimal() or not 1 <= int(word) <= len(desk.exhibitors):
        raise Mistake("/slots and a number of the last /exhibitors")
    rows: list[tuple[UUID, str]] = []
    after: str | None = None
    while len(rows) < LISTED_MOST:
        reply = await desk.client.slots.open(exhibitor=desk.exhibitors[int(word) - 1].id, after=after, limit=PAGE)
        zone = ZoneInfo(reply.fair_zone)
        rows += [
            (one.id, f"{when(one.starts_at, one.ends_at, zone)}, {one.free or 'none'} free") for one in reply.slots
        ]
        if (after := reply.next) is None:
            break
    return rows


async def home_zone(desk: Desk) -> ZoneInfo:
    home = desk.client.me.exhibitor
    if home is None:
        raise Mistake("slots are planned by exhibitors")
    return await fair_zone(desk, home)


async def book(desk: Desk, words: str) -> None:
    number, _, topic = words.partition(" ")
    await desk.client.bookings.request(slot=pick_slot(desk, number), topic=topic.strip())
    desk.out.say("booked", "the exhibitor will say who receives you; /meetings shows it")


async def propose(desk: Desk, words: str) -> None:
    number, slot, note = (*words.split(" ", 2), "", "", "")[:3]
    booking = pick_booking(desk, number)
    reply = await desk.client.bookings.propose(booking=booking.id, slot=pick_slot(desk, slot), note=note)
    await _changed(desk, reply.booking)


def _answer(accept: bool | None) -> Callable[[Desk, str], Awaitable[None]]:
    async def run(desk: Desk, word: str) -> None:
        proposal = pick_booking(desk, word).proposal
        if proposal is None:
            raise Mistake("nobody proposes another time for that meeting")
        if accept is None:
            reply = await desk.client.bookings.withdraw_proposal(proposal=proposal.id)
        else:
            reply = await desk.client.bookings.answer_proposal(proposal=proposal.id, accept=accept)
        await _changed(desk, reply.booking)

    return run


async def schedule(desk: Desk, word: str) -> None:
    if word not in {"", "mine", "everyone"}:
        raise Mistake("/schedule, or /schedule everyone")
    reply = await desk.client.meetings.schedule(whose="everyone" if word == "everyone" else "mine")
    if not reply.days:
        desk.out.say("empty", "no meetings this week")
    for day in reply.days:
        desk.out.say("day", Text(f"{day.day} {day.account.name}", style="bold"))
        for number, booking in enumerate(day.meetings, 1):
            await _tell(desk, number, booking)


MEETINGS: Final[dict[str, tuple[str, str, Callable[[Desk, str], Awaitable[None]]]]] = {
    "slots": ("[EXHIBITOR]", "your slots, or an exhibitor's open ones", slots),
    "book": ("SLOT [TOPIC]", "book a meeting", book),
    "meetings": ("", "your meetings that are ahead", meetings),
    "bookings": ("[STATE|overdue]", "bookings, with how many there are in each state", bookings),
    "meeting": ("BOOKING", "one meeting as it is now, and who has received it", meeting),
    "receivers": ("BOOKING", "who may receive a meeting, and who is free", receivers),
    "assign": ("BOOKING NAME [anyway]", "make somebody its receiving account", assign),
    "reject": ("BOOKING REASON", "reject a pending booking", reject),
    "cancel": ("BOOKING REASON", "cancel a meeting", cancel),
    "propose": ("BOOKING SLOT [NOTE]", "propose another time", propose),
    "agree": ("BOOKING", "accept the other side's time", _answer(True)),
    "disagree": ("BOOKING", "decline the other side's time", _answer(False)),
    "withdraw": ("BOOKING", "take your proposal of a time back", _answer(None)),
    "schedule": ("[everyone]", "this week's meetings by day", schedule),
}
"""Arguments, sentence and function by name."""
