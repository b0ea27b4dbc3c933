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


@pytest.fixture
def accounts(running: Running, tmp_path: Path) -> Path:
    """The fairground's people of one fair, as the account file of a load run has them."""
    lines = [
        {"id": one.id, "fair": fair, "login": name, "kind": kind, "exhibitor": one.exhibitor, "token": one.token}
        for name, (kind, _, fair, state) in CAST.items()
        if fair == "one" and state == "active" and name != "visitor"
        for one in [running.ground[name]]
    ]
    path = tmp_path / "accounts.jsonl"
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
