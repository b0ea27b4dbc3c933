"""Preferences, the own notices, the organiser's view, and one-click unsubscribe, through the doors (N4, N8, N9, N10)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import pytest

from tests.harness.node import Running, running_node
from tests.harness.until import until
from tests.meetings.booth import Booth
from tests.permissions.caller import HttpDoor


@dataclass
class Desk:
    """A node, its HTTP door, and the database behind it."""

    running: Running
    http: HttpDoor
    session: aiohttp.ClientSession
    rows: asyncpg.Connection[asyncpg.Record]

    def token(self, name: str) -> str:
        return self.running.ground[name].token

    async def failed(self, recipient: str, *, useful: bool = True, about: UUID | None = None) -> UUID:
        """A notice that has failed, of this booking or of one that is not there."""
        notice, now = uuid4(), self.running.node.clock.now()
        await self.rows.execute(
            "INSERT INTO notice (id, fair_id, subject, subject_id, kind, recipient_id, side, channel, priority, due_at, wanted_at,"
            " useless_at, state, reason, attempts, created_at, ended_at)"
            " VALUES ($1, $2, 'booking', $6, 'assigned', $3, 'team', 'sms', 1, $4, $4, $5, 'failed', 'refused', 1, $4, $4)",
            notice, self.running.ground.fairs["one"], self.running.ground[recipient].id, now,
            now + timedelta(hours=1 if useful else -1), about or notice,
        )  # fmt: skip
        await self.rows.execute(
            "INSERT INTO notice_attempt (notice_id, number, provider, worker, at, ended_at, outcome, reason)"
            " VALUES ($1, 1, 'test', $1, $2, $2, 'final', 'refused')",
            notice, now,
        )  # fmt: skip
        return notice


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    async with running_node(database_url, tmp_path, background="worker") as running, aiohttp.ClientSession() as session:
        rows = await asyncpg.connect(database_url)
        try:
            yield Desk(running, HttpDoor(running.url, session), session, rows)
        finally:
            await rows.close()


async def test_preferences_add_channels_and_quiet_hours_n9(desk: Desk) -> None:
    sales = desk.token("sales")
    shown = await desk.http.ok(sales, "notices.preferences")
    assert shown["by_kind"]["assigned"] == ["sms", "in_app"], "domestic (N1)"
    assert shown["by_kind"]["requested"] == ["in_app"]
    shown = await desk.http.ok(
        sales, "notices.set_preferences", channels={"assigned": ["email"], "requested": ["email"]}, quiet_from="22:00",
        quiet_to="07:30",
    )  # fmt: skip
    assert shown["by_kind"]["assigned"] == ["sms", "email", "in_app"]
    assert shown["by_kind"]["requested"] == ["email", "in_app"]
    assert (shown["quiet_from"], shown["quiet_to"], shown["time_zone"]) == ("22:00", "07:30", "Asia/Shanghai")
    assert await desk.http.ok(sales, "notices.preferences") == shown


@pytest.mark.parametrize(
    "wrong",
    [{"channels": {"requested": ["sms"]}}, {"quiet_from": "22:00"}, {"quiet_from": "22:00", "quiet_to": "22:00"},
     {"quiet_from": "24:00", "quiet_to": "07:00"},
     {"channels": {"birthday": ["email"]}}],
)  # fmt: skip
async def test_what_cannot_be_preferred_is_refused_n10(desk: Desk, wrong: dict[str, object]) -> None:
    answer = await desk.http.call(desk.token("sales"), "notices.set_preferences", wrong)
    assert answer.outcome == "invalid"


async def test_everybody_sees_its_own_notices_and_the_organiser_all_with_their_attempts_n4(desk: Desk) -> None:
    notice = await desk.failed("sales")
    mine = await desk.http.ok(desk.token("sales"), "notices.list")
    assert [(one["id"], one["state"], one["reason"]) for one in mine["notices"]] == [(str(notice), "failed", "refused")]
    assert not (await desk.http.ok(desk.token("sales2"), "notices.list"))["notices"]
    found = await desk.http.ok(desk.token("organiser"), "organiser.notices", state="failed")
    assert found["counts"] == [{"state": "failed", "kind": "assigned", "channel": "sms", "count": 1}]
    assert found["notices"][0]["recipient"] == str(desk.running.ground["sales"].id)
    assert not (await desk.http.ok(desk.token("far_organiser"), "organiser.notices"))["notices"], "of another fair (A1)"
    shown = await desk.http.ok(desk.token("organiser"), "organiser.notice", notice=str(notice))
    assert [(one["provider"], one["outcome"]) for one in shown["attempts"]] == [("test", "final")]


async def test_a_failed_notice_is_retried_while_it_is_of_use_n3(desk: Desk) -> None:
    organiser = desk.token("organiser")
    useful, useless = await desk.failed("sales"), await desk.failed("sales", useful=False)
    await desk.http.ok(organiser, "organiser.retry_notice", notice=str(useful))
    await desk.http.ok(organiser, "organiser.retry_notice", notice=str(useful))
    assert await desk.rows.fetchval("SELECT state FROM notice WHERE id = $1", useful) == "planned"
    answer = await desk.http.call(organiser, "organiser.retry_notice", {"notice": str(useless)})
    assert answer.outcome == "not_retryable"


async def test_a_retry_waits_for_whoever_changes_the_meeting_n4(desk: Desk) -> None:
    """Planned beside a cancellation, which has looked for what to take back, it could leave after that is acknowledged."""
    booth = Booth(desk.running)
    notice = await desk.failed("sales", about=(booking := await booth.booking(await booth.slot())))

    async def waiting() -> bool:
        return bool((await booth.row("waiting"))["count"])

    async with booth.running.node.works.begin() as work:
        await booth.store.lock(work.connection, [booking])
        retrying = asyncio.create_task(
            desk.http.ok(desk.token("organiser"), "organiser.retry_notice", notice=str(notice))
        )
        await until(waiting)
        assert await desk.rows.fetchval("SELECT state FROM notice WHERE id = $1", notice) == "failed"
    await retrying
    assert await desk.rows.fetchval("SELECT state FROM notice WHERE id = $1", notice) == "planned"


async def test_providers_are_shown_n6(database_url: str, tmp_path: Path) -> None:
    async with running_node(database_url, tmp_path) as running, aiohttp.ClientSession() as session:
        http = HttpDoor(running.url, session)
        seen: list[str] = []

        async def two() -> bool:
            reply = await http.ok(running.ground["organiser"].token, "organiser.providers")
            seen[:] = [one["channel"] for one in reply["providers"]]
            return len(seen) == 2

        await until(two)
        assert sorted(seen) == ["email", "sms"]


async def test_only_a_post_unsubscribes_n8(desk: Desk) -> None:
    account = desk.running.ground["buyer"].id
    address = desk.running.node.services.unsubscribing.address(account)
    page = f"{desk.running.url}/unsubscribe/{address.rpartition('/')[2]}"

    async def by_mail() -> list[str]:
        reply = await desk.http.ok(desk.token("buyer"), "notices.preferences")
        return [kind for kind in ("assigned", "reminder_day", "reminder_soon") if "email" in reply["by_kind"][kind]]

    async with desk.session.get(page) as shown:
        assert shown.status == 200
        assert 'method="post"' in await shown.text()
        assert "form-action 'self'" in shown.headers["Content-Security-Policy"]
    assert await by_mail() == ["assigned", "reminder_day", "reminder_soon"]
    async with desk.session.post(page, data="List-Unsubscribe=One-Click") as done:
        assert done.status == 200
    assert await by_mail() == ["assigned", "reminder_soon"], "what N1 prescribes for T−15 stays (N9)"
    forged = page[:-1] + ("A" if page[-1] != "A" else "B")
    async with desk.session.post(forged) as refused:
        assert refused.status == 404
