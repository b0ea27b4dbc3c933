"""What is due leaves once, at its time, by the right channel, and says what became of it (N1–N9)."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID

import msgspec

from fairwire_protocol.codec import MSGPACK
from fairwire_protocol.events import Notice
from fairwire_server.database.work import Work
from fairwire_server.notices.parcels import Mail, Parcel, Receipt, Sms, TryLater, Undeliverable
from tests.notices.draining import Counting, draining, make_worker
from tests.notices.world import DAY, World

SOON = timedelta(minutes=15)


def kinds(world_notices: list[dict[str, object]], **where: object) -> Counter[tuple[object, object]]:
    return Counter(
        (n["kind"], n["channel"]) for n in world_notices if all(n[name] == value for name, value in where.items())
    )


async def test_an_assignment_and_its_reminders_leave_once_and_on_time_n1_n4(world: World) -> None:
    team, buyer = await world.team(), await world.buyer()
    start = world.clock.now() + 3 * DAY
    async with draining(world) as drain:
        booking = await world.assign(await world.request(team, buyer, start), team.sales)
        assigned = world.clock.now()
        await drain.go(start + timedelta(hours=1))
    by_kind = {(n["id"]): n for n in await world.notices()}
    left = [(by_kind[one.parcel.reference]["kind"], one.at) for one in drain.left]
    assert Counter(left) == {
        ("assigned", assigned): 2, ("reminder_day", start - DAY): 2, ("reminder_soon", start - SOON): 2
    }  # fmt: skip
    notices = await world.notices()
    assert {n["state"] for n in notices if n["kind"] not in ("requested", "pending_day")} == {"sent"}
    sms = next(one.parcel for one in drain.sms.left if by_kind[one.parcel.reference]["kind"] == "reminder_soon")
    assert isinstance(sms, Sms)
    assert sms.variables["room"] == booking.room_number
    assert sms.template == "reminder_soon"
    attempts = await world.fetch("SELECT notice_id, outcome FROM notice_attempt")
    assert {a["outcome"] for a in attempts} == {"sent"}
    assert len(attempts) == len([n for n in notices if n["state"] == "sent"])


async def test_a_mail_carries_times_forwarding_block_and_calendar_n8_m9(world: World) -> None:
    team = await world.team("overseas", language="en", zone="America/Sao_Paulo")
    buyer = await world.buyer()
    start = world.clock.now() + 3 * DAY
    async with draining(world) as drain:
        await world.assign(await world.request(team, buyer, start), team.sales)
        await drain.go(start)
    mails = [one.parcel for one in drain.email.left if isinstance(one.parcel, Mail)]
    mine = [mail for mail in mails if mail.language == "en"]
    assert len(mine) == 3
    for mail in mine:
        assert "UTC+8, Asia/Shanghai" in mail.text
        assert "UTC-3, America/Sao_Paulo" in mail.text
        assert "https://fair.example/m/" in mail.text
        assert mail.calendar is not None
        assert b"METHOD:REQUEST" in mail.calendar
        assert mail.html is not None
    assert [mail.unsubscribe is not None for mail in mine] == [False, True, True], (
        "reminders alone can be ended (RFC 8058)"
    )


async def test_notices_in_the_app_are_events_of_the_stream_n1_m10(world: World) -> None:
    team, buyer = await world.team(), await world.buyer()
    start = world.clock.now() + 2 * DAY
    async with draining(world) as drain:
        booking = await world.assign(await world.request(team, buyer, start), team.sales)
        await world.assign(await world.request(team, await world.buyer(), start + timedelta(hours=1)), team.sales)
        await drain.go(booking.ends_at + timedelta(minutes=10))
    rows = await world.fetch(
        "SELECT body FROM account_event WHERE account_id = $1 AND type = 'notice' ORDER BY pos", team.sales
    )
    told = [msgspec.msgpack.decode(row["body"]) for row in rows]
    of_this = [event["kind"] for event in told if event["booking"] == str(booking.id)]
    assert of_this == ["assigned", "reminder_day", "reminder_soon", "time_up", "did_it_happen"]
    up = next(event for event in told if event["kind"] == "time_up")
    assert up["next_at"] == int((start + timedelta(hours=1)).timestamp() * 1000)


async def test_cancelled_or_moved_nothing_leaves_for_the_old_time_n2(world: World) -> None:
    team, buyer = await world.team(), await world.buyer()
    start = world.clock.now() + 3 * DAY
    async with draining(world) as drain:
        one = await world.assign(await world.request(team, buyer, start), team.sales)
        two = await world.assign(await world.request(team, await world.buyer(), start + timedelta(hours=1)), team.sales)
        await drain.go(start - DAY - timedelta(minutes=1))
        await world.cancel(one)
        await world.move(two, start + 2 * DAY)
        await drain.go(start + 2 * DAY)
    late = [n for n in await world.notices() if n["kind"].startswith("reminder") and n["state"] == "sent"]
    assert {n["time_revision"] for n in late} == {1}
    assert {n["subject_id"] for n in late} == {two.id}


async def test_a_recheck_finds_what_planning_was_not_told_n2(world: World) -> None:
    """The booking changed without its notices being taken back, as nothing in the server does: the claim notices all the same."""
    team, buyer = await world.team(), await world.buyer()
    start = world.clock.now() + 3 * DAY
    async with draining(world) as drain:
        booking = await world.assign(await world.request(team, buyer, start), team.sales)
        await drain.rest()
        before = len(drain.left)
        await world.execute("UPDATE booking SET state = 'cancelled', receiver_id = NULL WHERE id = $1", booking.id)
        await drain.go(start)
    assert len(drain.left) == before
    assert {n["reason"] for n in await world.notices() if n["kind"].startswith("reminder")} == {"cancelled"}


async def test_no_address_falls_over_and_main_is_shown_a8(world: World) -> None:
    team = await world.team(mobile=False)
    buyer = await world.buyer()
    async with draining(world) as drain:
        booking = await world.assign(await world.request(team, buyer, world.clock.now() + 3 * DAY), team.sales)
        await drain.rest()
        assert kinds(await world.notices(team.sales), state="skipped", reason="no_address") == {("assigned", "sms"): 1}
        assert kinds(await world.notices(team.sales), kind="assigned", state="sent") == {
            ("assigned", "email"): 1, ("assigned", "in_app"): 1
        }  # fmt: skip
        await world.execute(
            "UPDATE account SET email = NULL, email_verified_at = NULL, mobile = NULL WHERE id = $1", team.sales2
        )
        await world.assign(booking, team.sales2)
        await drain.rest()
    shown = await world.notices(team.main)
    assert kinds(shown, kind="unreached", state="sent") == {("unreached", "in_app"): 1}


async def test_temporary_errors_are_retried_final_ones_fall_over_n6(world: World) -> None:
    team, buyer = await world.team(), await world.buyer()
    tries: Counter[str] = Counter()

    async def sms(parcel: Parcel) -> None:
        tries["sms"] += 1
        raise Undeliverable("no_such_number")

    async def email(parcel: Parcel) -> None:
        tries["email"] += 1
        if tries["email"] < 4:
            raise TryLater("busy")

    start = world.clock.now() + 3 * DAY
    async with draining(world, email=email, sms=sms) as drain:
        await world.assign(await world.request(team, buyer, start), team.sales)
        await drain.go(world.clock.now() + timedelta(minutes=5))
    told = {(n["channel"], n["state"], n["reason"]) for n in await world.notices(team.sales) if n["kind"] == "assigned"}
    assert told == {("in_app", "sent", None), ("sms", "failed", "no_such_number"), ("email", "sent", None)}
    assert len(drain.email.left) == 2
    assert tries["email"] >= 5


async def test_quiet_hours_defer_the_day_ahead_reminder_and_nothing_else_n9(world: World) -> None:
    team, buyer = await world.team("overseas", zone="Asia/Tokyo"), await world.buyer()
    await world.execute(
        "INSERT INTO notice_preference (account_id, quiet_from, quiet_to) VALUES ($1, '17:00', '20:00')", team.sales
    )
    start = world.clock.now() + 2 * DAY  # 18:00 in Tokyo
    async with draining(world) as drain:
        await world.assign(await world.request(team, buyer, start), team.sales)
        await drain.go(start)
    by_id = {n["id"]: n for n in await world.notices(team.sales)}
    mine = {by_id[one.parcel.reference]["kind"]: one.at for one in drain.left if one.parcel.reference in by_id}
    assert mine["reminder_day"] == start - DAY + timedelta(hours=2)
    assert mine["reminder_soon"] == start - SOON
    assert mine["assigned"] == start - 2 * DAY


async def test_the_budget_of_a_number_leaves_the_rest_to_t15_n7(world: World) -> None:
    number = "+8613900001111"
    start = world.clock.now() + timedelta(hours=30)
    team = await world.team(number=number)
    async with draining(world) as drain:
        for hour in range(8):
            await world.assign(
                await world.request(team, await world.buyer(), start + timedelta(hours=hour / 2)), team.sales
            )
        await drain.go(start + timedelta(hours=8))
    notices = {n["id"]: n for n in await world.notices(team.sales)}
    spent = Counter(notices[one.parcel.reference]["kind"] for one in drain.sms.left)
    assert spent["reminder_soon"] == 8, "our own budget never withholds a T−15"
    assert spent["assigned"] == 6
    assert kinds(list(notices.values()), channel="email", kind="assigned", state="sent") == {("assigned", "email"): 2}
    assert kinds(list(notices.values()), reason="budget", kind="assigned") == {("assigned", "sms"): 2}


async def test_receipts_are_kept_and_a_bounced_t15_falls_over_n6(world: World) -> None:
    team, buyer = await world.team(), await world.buyer()
    start = world.clock.now() + 2 * DAY
    async with draining(world) as drain:
        await world.assign(await world.request(team, buyer, start), team.sales)
        await drain.go(start - SOON)
        soon = next(
            n for n in await world.notices(team.sales) if n["kind"] == "reminder_soon" and n["channel"] == "sms"
        )
        receipt = Receipt(
            provider="test-sms", reference=soon["id"].hex, outcome="failed", reason="absent", at=world.clock.now()
        )
        await drain.worker.taking_in.take_in([receipt])
        await drain.rest()
    told = {
        (n["channel"], n["state"], n["reason"]) for n in await world.notices(team.sales) if n["kind"] == "reminder_soon"
    }
    assert told == {("in_app", "sent", None), ("sms", "failed", "absent"), ("email", "sent", None)}
    attempt = await world.fetch("SELECT delivery, reason FROM notice_attempt WHERE notice_id = $1", soon["id"])
    assert [tuple(a) for a in attempt] == [("failed", "absent")]


async def test_t15_is_claimed_before_everything_else_n5(world: World) -> None:
    """All at one instant, and a provider that takes them one by one."""
    team = await world.team()
    start = world.clock.now() + 30 * timedelta(hours=1)
    soon, far = await world.buyer(), await world.buyer()
    await world.assign(await world.request(team, far, start), team.sales)
    await world.assign(await world.request(team, soon, start - DAY + SOON), team.sales2)
    world.clock.advance((start - DAY - world.clock.now()).total_seconds())
    worker = make_worker(world, [Counting("email", world.clock, name="slow", rate=20.0)])
    await worker.claims.know("slow", "email", 20.0)
    order: list[str] = []
    for _ in range(4):
        held, _ = await worker.claims.claim("slow", "email", 1)
        order += [one.notice.kind for one in held]
        world.clock.advance(1.0)
    assert order[0] == "reminder_soon"
    assert order[-1] == "reminder_day"


async def test_the_app_has_the_block_for_forwarding_of_its_own_side_m9(world: World) -> None:
    team, buyer = await world.team(), await world.buyer()
    worker = make_worker(world, [])
    booking = await world.assign(await world.request(team, buyer, world.clock.now() + 3 * DAY), team.sales)
    await worker.claims.tell_in_app(100)
    await world.assign(booking, team.sales2)
    await worker.claims.tell_in_app(100)

    async def told(account: UUID) -> list[Notice]:
        rows = await world.fetch("SELECT body FROM account_event WHERE account_id = $1 ORDER BY pos", account)
        return [MSGPACK.decode(row["body"], Notice) for row in rows]

    [assigned, taken_away], [mine], [first, *_] = [await told(who) for who in (team.sales, team.sales2, buyer)]
    assert assigned.room_number == mine.room_number == first.room_number == booking.room_number
    assert assigned.link is not None
    assert assigned.link == mine.link, "of one side"
    assert first.link not in (None, assigned.link)
    assert (taken_away.kind, taken_away.link, taken_away.room_number) == ("reassigned", None, None)


async def test_a_notice_in_the_app_ends_when_it_is_written_not_when_it_is_claimed_n5(world: World) -> None:
    seconds = count()

    async def present(work: Work) -> datetime:
        return work.now + timedelta(seconds=next(seconds))

    team, buyer = await world.team(), await world.buyer()
    worker = make_worker(world, [], present=present)
    await world.assign(await world.request(team, buyer, world.clock.now() + 3 * DAY), team.sales)
    assert await worker.claims.tell_in_app(100) == 2
    rows = await world.fetch(
        "SELECT a.at, a.ended_at, n.ended_at AS told FROM notice n JOIN notice_attempt a ON a.notice_id = n.id"
        " WHERE n.kind = 'assigned'"
    )
    assert all(row["at"] < row["ended_at"] == row["told"] for row in rows)
    assert len(rows) == 2
