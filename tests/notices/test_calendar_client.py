"""M14: mails as they leave, read by a mail program and a calendar that know nothing of us, through a meeting's whole life."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import strict
from typing import Any

import icalendar
import pytest
import vobject

from fairwire_server.channels.mail_message import MailWriter
from fairwire_server.notices.parcels import Mail
from tests.notices.draining import Draining, draining
from tests.notices.world import DAY, HALF, World

ZONES = {"Asia/Kolkata": "zh", "Australia/Lord_Howe": "en", "Pacific/Kiritimati": "zh", "America/Sao_Paulo": "en"}
"""Of the fair, and the receivers' language."""


class Diary:
    """One person's calendar, kept as RFC 5546 §2.1.5 has it: an older object changes nothing, CANCEL takes its meeting out."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.meetings: dict[str, datetime] = {}
        """By UID, the beginning in UTC."""
        self.methods: list[str] = []
        self._newest: dict[str, tuple[int, datetime]] = {}

    def receive(self, raw: bytes) -> None:
        """A mail with an invitation."""
        message = message_from_bytes(raw, policy=strict)
        parts = [part for part in message.walk() if part.get_content_type() == "text/calendar"]
        assert len(parts) == 1, "a client would act twice"
        (part,) = parts
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        assert all(len(line) <= 75 for line in data.split(b"\r\n"))
        calendar = icalendar.Calendar.from_ical(data)
        (event,) = calendar.events
        method = str(calendar["METHOD"])
        assert part["Content-Type"].params["method"] == method
        assert str(event["ORGANIZER"]) == "mailto:fair@fair.example"
        assert str(event["ATTENDEE"]) == f"mailto:{self.address}"
        uid, mark = str(event["UID"]), (int(str(event["SEQUENCE"])), event.DTSTAMP)
        assert mark >= self._newest.get(uid, mark), "an older object would be passed over"
        known = self._newest.get(uid)
        if known is not None and (method == "CANCEL" or self.meetings.get(uid) != event.DTSTART.astimezone(UTC)):
            assert mark[0] > known[0], "a change without a new SEQUENCE"
        self._newest[uid] = mark
        self.methods.append(method)
        if method == "CANCEL":
            self.meetings.pop(uid, None)
            return
        other: Any = vobject.readOne(data.decode()).vevent
        assert other.dtstart.value.astimezone(UTC) == event.DTSTART.astimezone(UTC)
        assert event.DTEND - event.DTSTART == HALF
        self.meetings[uid] = event.DTSTART.astimezone(UTC)


class Mailboxes:
    """Everybody's diary, filled from what left since the last look."""

    def __init__(self, drain: Draining) -> None:
        self._drain = drain
        self._seen = 0
        self.diaries: dict[str, Diary] = {}

    async def fetch(self) -> None:
        """What has come since."""
        await self._drain.rest()
        writer = MailWriter("Messe 展会 <fair@fair.example>")
        for one in self._drain.email.left[self._seen :]:
            mail = one.parcel
            assert isinstance(mail, Mail)
            if mail.calendar is not None:
                self.diaries.setdefault(mail.to, Diary(mail.to)).receive(writer.write(mail, mail.to, one.at))
        self._seen = len(self._drain.email.left)

    def of(self, account: Any) -> Diary:
        """An account's."""
        return self.diaries[f"{account.hex}@example.test"]


@pytest.mark.parametrize(("zone", "language"), ZONES.items())
async def test_reassigned_moved_and_cancelled_as_a_calendar_reads_it_m14(
    world: World, zone: str, language: str
) -> None:
    """Whoever loses the meeting loses it from the calendar; whoever has it sees it where it is, in every zone, from the same UID."""
    await world.execute("UPDATE fair SET time_zone = $1", zone)
    team, buyer = await world.team("overseas", language=language), await world.buyer()
    start = world.clock.now().replace(microsecond=0) + 3 * DAY
    async with draining(world) as drain:
        boxes = Mailboxes(drain)
        one = await world.assign(await world.request(team, buyer, start), team.sales)
        await boxes.fetch()
        meeting = {f"{one.id}@fairwire": start}
        assert boxes.of(buyer).meetings == boxes.of(team.sales).meetings == meeting
        two = await world.assign(one, team.sales2)
        await boxes.fetch()
        assert boxes.of(team.sales).meetings == {}
        assert boxes.of(buyer).meetings == boxes.of(team.sales2).meetings == meeting
        three = await world.move(two, start + timedelta(hours=25))
        await boxes.fetch()
        meeting = {f"{one.id}@fairwire": start + timedelta(hours=25)}
        assert boxes.of(buyer).meetings == boxes.of(team.sales2).meetings == meeting
        assert boxes.of(team.sales).meetings == {}
        await world.cancel(three)
        await boxes.fetch()
    assert boxes.of(buyer).meetings == boxes.of(team.sales2).meetings == {}
    assert boxes.of(team.sales).methods == ["REQUEST", "CANCEL"]
    assert boxes.of(team.sales2).methods == ["REQUEST", "REQUEST", "CANCEL"]
