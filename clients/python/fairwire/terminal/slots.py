"""Commands about slots and the lines for full ones: exhibitors plan, move and withdraw, buyers wait and take a freed seat (M1–M3, M13).

Slot numbers are those of the last `/slots`. Days and times that are typed are the fair's, as its people speak of them; what is shown is
the reader's own with the fair's beside it (M12).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from fairwire.terminal.desk import Desk, Mistake
from fairwire.terminal.meetings import fair_zone, home_zone, pick_slot, when
from fairwire_protocol.models import Place

__all__ = ["SLOTS"]

HALF_HOUR: Final = timedelta(minutes=30)
DAYS: Final = {"today": 0, "tomorrow": 1}


async def plan(desk: Desk, words: str) -> None:
    """Half-hours of one day, or of each day of a span; without an end, one."""
    days, _, hours = words.strip().partition(" ")
    first, _, last = days.partition("..")
    start, _, end = hours.strip().partition("-")
    if not start:
        raise Mistake("/plan DAY FROM-TO, as in /plan tomorrow 09:30-12:00 or /plan 2026-06-16..2026-06-18 14:00-17:00")
    today = datetime.now(await home_zone(desk)).date()
    end = end.strip() or f"{datetime.combine(today, _time(start.strip())) + HALF_HOUR:%H:%M}"
    reply = await desk.client.slots.create_batch(
        first=str(_day(first, today)), last=str(_day(last or first, today)), start=start.strip(), end=end
    )
    desk.out.say("planned", f"{reply.created} slot{'' if reply.created == 1 else 's'}")
    for reason, count in Counter(one.reason for one in reply.skipped).items():
        desk.out.say("skipped", f"{count}, {reason}")


async def move(desk: Desk, words: str) -> None:
    """Another time for a slot that nobody has booked."""
    number, day, at = (*words.split(), "", "", "")[:3]
    slot = pick_slot(desk, number)
    if not at:
        raise Mistake("/move SLOT DAY TIME, as in /move 3 tomorrow 14:00")
    zone = await home_zone(desk)
    begins = datetime.combine(_day(day, datetime.now(zone).date()), _time(at), tzinfo=zone)
    reply = await desk.client.slots.edit(slot=slot, starts_at=int(begins.astimezone(UTC).timestamp() * 1000))
    desk.out.say("slot", f"{number:>3} {when(reply.slot.starts_at, reply.slot.ends_at, zone)}")


async def unplan(desk: Desk, number: str) -> None:
    """Withdraw a slot that nobody has booked."""
    await desk.client.slots.withdraw(slot=pick_slot(desk, number))
    desk.out.say("ok", "buyers do not see it any more")


async def wait(desk: Desk, words: str) -> None:
    """Stand in line for a full slot."""
    number, _, topic = words.partition(" ")
    reply = await desk.client.bookings.wait(slot=pick_slot(desk, number), topic=topic.strip())
    desk.out.say("waiting", await _place_line(desk, 1, reply.place))


async def places(desk: Desk, _: str) -> None:
    """The lines in which the buyer stands."""
    mine = _mine(desk)
    if not mine:
        desk.out.say("empty", "you wait for no slot")
    for number, place in enumerate(mine, 1):
        desk.out.say("waiting", await _place_line(desk, number, place))


def _seat(accept: bool) -> Callable[[Desk, str], Awaitable[None]]:
    async def run(desk: Desk, number: str) -> None:
        await desk.client.bookings.answer_place(place=_place(desk, number), accept=accept)
        desk.out.say("ok", "the seat is yours; /meetings shows it" if accept else "the seat goes to the next in line")

    return run


async def unwait(desk: Desk, number: str) -> None:
    """Leave a line."""
    await desk.client.bookings.leave(place=_place(desk, number))
    desk.out.say("ok", "you wait no longer")


def _day(word: str, today: date) -> date:
    if word in DAYS:
        return today + timedelta(days=DAYS[word])
    try:
        return date.fromisoformat(word)
    except ValueError:
        raise Mistake("a day is today, tomorrow, or like 2026-06-16") from None


def _time(word: str) -> time:
    try:
        return time.fromisoformat(word)
    except ValueError:
        raise Mistake("a time is like 09:30") from None


def _mine(desk: Desk) -> list[Place]:
    return sorted(desk.client.state.places.values(), key=lambda place: (place.starts_at, place.id))


def _place(desk: Desk, word: str) -> UUID:
    mine = _mine(desk)
    if not word and len(mine) == 1:
        return mine[0].id
    if not word.isdecimal() or not 1 <= int(word) <= len(mine):
        raise Mistake("which one? /places shows their numbers")
    return mine[int(word) - 1].id


async def _place_line(desk: Desk, number: int, place: Place) -> str:
    until = (
        f", a seat is held until {datetime.fromtimestamp(place.expires_at / 1000, UTC).astimezone():%H:%M}"
        if place.expires_at
        else ""
    )
    time = when(place.starts_at, place.ends_at, await fair_zone(desk, place.exhibitor.id))
    return f"{number:>3} {time} {place.exhibitor.name_en or place.exhibitor.name_zh}{until}"


SLOTS: Final[dict[str, tuple[str, str, Callable[[Desk, str], Awaitable[None]]]]] = {
    "plan": ("DAY[..DAY] FROM[-TO]", "plan slots of half an hour, in fair time", plan),
    "move": ("SLOT DAY TIME", "give a slot that nobody has booked another time", move),
    "unplan": ("SLOT", "withdraw a slot that nobody has booked", unplan),
    "wait": ("SLOT [TOPIC]", "stand in line for a full slot", wait),
    "places": ("", "the lines in which you stand, and seats held for you", places),
    "sit": ("[PLACE]", "take the seat that is held for you", _seat(True)),
    "pass": ("[PLACE]", "let it go to the next in line", _seat(False)),
    "unwait": ("[PLACE]", "leave a line", unwait),
}
"""Arguments, sentence and function by name."""
