"""A load run against the real server: it counts, it measures, and a message lost on the way turns it red.

locust patches the standard library for gevent, so it runs as a process of its own, as it does for an operator.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import msgspec
import pytest

from tests.harness.fairground import CAST
from tests.harness.node import Running

GOOD, UNTRUE = 0, 3
USERS = 4
MEETINGS = ("--habits", "buyer.book=30,buyer.cancel=30,team.reassign=30,team.reject=5,buyer.write=0,buyer.open=0.2")
"""People who do little else than plan meetings."""


@pytest.fixture
def accounts(running: Running, tmp_path: Path) -> Path:
    """The fairground's people of one fair, as the account file of a load run has them."""
    return account_file(running, tmp_path / "accounts.jsonl")


@pytest.fixture
def deciders(running: Running, tmp_path: Path) -> Path:
    """The same without business accounts, so that the one who is here of the exhibitor plans slots and assigns (A7)."""
    return account_file(running, tmp_path / "accounts.jsonl", without="business")


def account_file(running: Running, path: Path, without: str = "") -> Path:
    """Whom a run may play."""
    lines = [
        {"id": one.id, "fair": fair, "login": name, "kind": kind, "exhibitor": one.exhibitor, "token": one.token}
        for name, (kind, _, fair, state) in CAST.items()
        if fair == "one" and state == "active" and name != "visitor" and kind != without
        for one in [running.ground[name]]
    ]
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return path


async def run(running: Running, accounts: Path, *more: str) -> tuple[int, str]:
    """Four people for three seconds, each a minute's work a second."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.locust", "--host", running.url, "--accounts", str(accounts), "--active", str(USERS),
        "--seconds", "3", "--rise", "1", "--speed", "60", "--relax", "1000", *more,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, said.decode()


def counted(said: str, figure: str, key: str) -> float:
    """A value of a line of the report."""
    line = next(line for line in said.splitlines() if line.startswith(figure))
    found = re.search(rf"\b{key}=(\d+)", line)
    assert found is not None, line
    return float(found[1])


async def test_a_run_counts_what_was_sent_received_and_fanned_out(
    running: Running, accounts: Path, tmp_path: Path
) -> None:
    """W2, W7, W8: everything acknowledged has arrived at the other person, once and in order; CSV and HTML are written."""
    csv, page = tmp_path / "run", tmp_path / "run.html"
    code, said = await run(running, accounts, "--csv", str(csv), "--html", str(page))
    print(said)
    assert code == GOOD, said
    acked = counted(said, "messages.sent", "acked")
    assert acked > 0
    assert 0 < counted(said, "chat.sent_to_the_other_person_has_it", "count") <= acked
    assert 0 < counted(said, "fan-out.chat.commit_to_last", "count") <= acked
    assert counted(said, "fan-out.chat.commit_to_each", "count") >= counted(
        said, "fan-out.chat.commit_to_last", "count"
    )
    announced = counted(said, "fan-out.announcement.commit_to_last", "count")
    assert counted(said, "fan-out.announcement.commit_to_each", "count") == announced * USERS
    assert "lost=0 duplicate=0 reordered=0 conflict=0" in said
    assert "commit → last" in csv.with_name("run_stats.csv").read_text("utf-8")
    assert "commit \\u2192 last" in page.read_text("utf-8")


async def test_a_message_dropped_on_its_way_makes_the_exit_code_not_0(running: Running, accounts: Path) -> None:
    """Teeth of the ledger: `--plant lost` drops a delivered message in the client before its user sees it."""
    code, said = await run(running, accounts, "--plant", "lost")
    assert code == UNTRUE, said
    assert counted(said, "peak_hour untrue run", "lost") >= 1


async def test_a_run_books_and_assigns_and_its_lists_agree_with_what_everybody_was_told(
    running: Running, deciders: Path
) -> None:
    """M2, M4, M6, W5: what was acknowledged is in the lists of both sides, every device knows it, nobody is in two meetings."""
    code, said = await run(running, deciders, *MEETINGS)
    print(said)
    assert code == GOOD, said
    acked = counted(said, "bookings.requested", "acked")
    assert 0 < acked == counted(said, "bookings.requested", "listed")
    assert counted(said, "bookings.requested", "changed") > 0
    assert counted(said, "bookings.requested", "unseen") == 0
    assert counted(said, "bookings.told", "lost") == counted(said, "bookings.told", "overlap") == 0
    assert counted(said, "fan-out.booking.commit_to_each", "count") > acked


async def test_an_event_of_a_booking_dropped_on_its_way_makes_the_exit_code_not_0(
    running: Running, deciders: Path
) -> None:
    """Teeth of the diary: `--plant booking` drops events of bookings before the device has noted them."""
    code, said = await run(running, deciders, *MEETINGS, "--plant", "booking")
    assert code == UNTRUE, said
    assert counted(said, "peak_hour untrue run", "bookings_lost") >= 1
