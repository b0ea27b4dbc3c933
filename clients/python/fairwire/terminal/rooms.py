"""Commands about entering a meeting: room, invitations, lobby, attendance, calendar (M8, M9, M11, M14).

A number is that of the last list shown: of meetings by `/bookings` or `/meetings`, of links by `/invitations`, of guests by `/lobby`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Literal, cast

from rich.text import Text

from fairwire.terminal.desk import Desk, Mistake
from fairwire.terminal.meetings import fair_zone, pick_booking, when
from fairwire_protocol.models import Side
from fairwire_protocol.operations.rooms import Invitation

__all__ = ["ROOMS"]


async def enter(desk: Desk, word: str) -> None:
    entered = await desk.client.meetings.enter(booking=pick_booking(desk, word).id)
    desk.out.say("room", entered.address)


async def invite(desk: Desk, words: str) -> None:
    number, _, name = words.partition(" ")
    booking = pick_booking(desk, number)
    account = (await desk.colleague(name.strip())).id if name.strip() else None
    made = await desk.client.meetings.invite(booking=booking.id, account=account)
    desk.out.say("invited", _who(made))


async def invitations(desk: Desk, word: str) -> None:
    booking = pick_booking(desk, word)
    shown = await desk.client.meetings.invitations(booking=booking.id)
    desk.invitations = list(shown.invitations)
    for number, one in enumerate(desk.invitations, 1):
        by = f" by {one.by.name}" if one.by else ""
        desk.out.say("invitation", f"{number:>3} {_who(one)}{by}, {one.guests} guests")
    if shown.room_number:
        time = when(booking.starts_at, booking.ends_at, await fair_zone(desk, booking.exhibitor.id))
        desk.out.say("number", f"{shown.room_number} on {shown.room_page}, {time}")


async def revoke(desk: Desk, word: str) -> None:
    if not word.isdecimal() or not 1 <= int(word) <= len(desk.invitations):
        raise Mistake("which one? a number of the last /invitations")
    one = desk.invitations[int(word) - 1]
    if one.id is not None:
        await desk.client.meetings.revoke_invitation(invitation=one.id)
    elif one.account is not None:
        await desk.client.meetings.uninvite(booking=one.booking, account=one.account.id)
    desk.out.say("revoked", _who(one))


async def lobby(desk: Desk, word: str) -> None:
    desk.guests = list((await desk.client.meetings.lobby(booking=pick_booking(desk, word).id)).guests)
    if not desk.guests:
        desk.out.say("empty", "nobody is in the lobby")
    for number, guest in enumerate(desk.guests, 1):
        desk.out.say(
            "guest", Text.assemble((f"{number:>3} ", "bright_black"), (guest.name, "bold"), f" [{guest.state}]")
        )


def _answer(admit: bool) -> Callable[[Desk, str], Awaitable[None]]:
    async def run(desk: Desk, word: str) -> None:
        if not word.isdecimal() or not 1 <= int(word) <= len(desk.guests):
            raise Mistake("whom? a number of the last /lobby")
        guest = await desk.client.meetings.admit(guest=desk.guests[int(word) - 1].id, admit=admit)
        desk.out.say(guest.state, guest.name)

    return run


async def came(desk: Desk, words: str) -> None:
    number, side, answer = (*words.split(), "", "", "")[:3]
    if side not in {"buyer", "team"} or answer not in {"yes", "no"}:
        raise Mistake("/came, the meeting, buyer or team, yes or no")
    booking = pick_booking(desk, number)
    attendance: Literal["attended", "no_show"] = "attended" if answer == "yes" else "no_show"
    known = await desk.client.meetings.attendance(booking=booking.id, side=cast("Side", side), attendance=attendance)
    desk.out.say("attendance", f"buyer {known.buyer.replace('_', ' ')}, team {known.team.replace('_', ' ')}")


async def calendar(desk: Desk, words: str) -> None:
    """A meeting's file; or the private address, `new` making one that ends the one before."""
    number, _, place = words.partition(" ")
    if not words or words == "new":
        feed = await (desk.client.meetings.reset_feed() if words else desk.client.meetings.feed())
        desk.out.say("calendar", feed.address or "/calendar new makes an address to subscribe to")
        return
    if not place:
        raise Mistake("/calendar, the meeting and where to save it")
    content = await desk.client.meetings.calendar(booking=pick_booking(desk, number).id)
    try:
        await asyncio.to_thread(lambda: Path(place).expanduser().write_bytes(content))
    except OSError as error:
        raise Mistake(f"{place} cannot be written: {error.strerror}") from None
    desk.out.say("saved", place)


def _who(one: Invitation) -> str:
    return one.account.name if one.account is not None else one.address or ""


ROOMS: Final[dict[str, tuple[str, str, Callable[[Desk, str], Awaitable[None]]]]] = {
    "enter": ("BOOKING", "enter a meeting, from 24 hours ahead", enter),
    "invite": ("BOOKING [COLLEAGUE]", "a link to pass on, or a colleague by name", invite),
    "invitations": ("BOOKING", "your side's links, invited colleagues and the room number", invitations),
    "revoke": ("INVITATION", "take a link or a colleague's invitation back", revoke),
    "lobby": ("BOOKING", "your side's guests", lobby),
    "admit": ("GUEST", "let a guest in", _answer(True)),
    "refuse": ("GUEST", "do not let a guest in", _answer(False)),
    "came": ("BOOKING buyer|team yes|no", "say after the slot whether a side came", came),
    "calendar": ("[new | BOOKING FILE]", "your calendar's address, or a meeting as a file", calendar),
}
"""Arguments, sentence and function by name."""
