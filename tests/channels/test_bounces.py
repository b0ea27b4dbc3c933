"""Bounces: tied to their mail by the address they come to, read as RFC 3464 says, passed on by the command (N6)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from fairwire_server.channels.bounce_rules import BounceTags, read_bounce, tagged_address
from fairwire_server.channels.bounces import BounceReports
from fairwire_server.doors.callbacks import callback_routes
from fairwire_server.doors.guard import guard
from fairwire_server.notices.parcels import Receipt
from fairwire_server.observe import Metrics
from tests.harness.clock import ManualClock

REFERENCE = UUID("0199d2a4-7c3e-7b1a-9f00-1234567890ab")
TAGS = BounceTags("bounce@fair.example", b"a secret of the installation")
ADDRESS = TAGS.address(REFERENCE)
# After the example of RFC 3464, appendix E.1, with one recipient.
REPORT = """\
Return-Path: <>
Delivered-To: {to}
Date: Thu, 7 Jul 1994 17:16:05 -0400
From: Mail Delivery Subsystem <MAILER-DAEMON@CS.UTK.EDU>
Message-Id: <199407072116.RAA14128@CS.UTK.EDU>
Subject: Returned mail: Cannot send message for 5 days
To: <{to}>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
      boundary="RAA14128.773615765/CS.UTK.EDU"

--RAA14128.773615765/CS.UTK.EDU

The original message was received at Sat, 2 Jul 1994 17:10:28 -0400 from root@localhost
<louisl@larry.slip.umd.edu>: user is over quota, says wang@example.com

--RAA14128.773615765/CS.UTK.EDU
content-type: message/delivery-status

Reporting-MTA: dns; cs.utk.edu
Original-Envelope-Id: {envid}

Original-Recipient: rfc822;louisl@larry.slip.umd.edu
Final-Recipient: rfc822;louisl@larry.slip.umd.edu
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 louisl@larry.slip.umd.edu is nobody
Last-Attempt-Date: Thu, 7 Jul 1994 17:15:49 -0400

--RAA14128.773615765/CS.UTK.EDU
content-type: message/rfc822

From: Fair <fair@fair.example>
Subject: Action: delivered
To: louisl@larry.slip.umd.edu

--RAA14128.773615765/CS.UTK.EDU--
"""


def report(action: str = "failed", status: str = "5.1.1", to: str = ADDRESS) -> bytes:
    return REPORT.format(action=action, status=status, to=to, envid=REFERENCE.hex).replace("\n", "\r\n").encode()


def test_a_tagged_address_is_one_that_servers_take_and_only_we_can_make() -> None:
    local, _, domain = ADDRESS.partition("@")
    assert domain == "fair.example"
    assert len(local) <= 64  # RFC 5321 §4.5.3.1.1
    assert TAGS.reference(ADDRESS) == TAGS.reference(ADDRESS.upper()) == TAGS.reference(f"<{ADDRESS}>") == REFERENCE
    other = UUID("0199d2a4-7c3e-7b1a-9f00-1234567890ac")
    for forged in (
        ADDRESS.replace(REFERENCE.hex, other.hex),
        BounceTags("bounce@fair.example", b"another secret").address(REFERENCE),
        "bounce@fair.example",
        "",
    ):
        assert TAGS.reference(forged) is None


@pytest.mark.parametrize(
    ("action", "status", "outcome", "reason"),
    [
        ("failed", "5.1.1", "failed", "5.1.1"),
        ("Failed (mailbox gone)", "5.2.1", "failed", "5.2.1"),
        ("failed; whatever", "5.2.1 (over quota)", "failed", "5.2.1"),
        ("failed", "4.4.7", "expired", "4.4.7"),
        ("failed", "nothing", "failed", "bounced"),
        ("delivered", "2.0.0", "delivered", "2.0.0"),
        ("delayed", "4.4.7", None, None),
        ("relayed", "2.0.0", None, None),
    ],
)
def test_a_report_says_what_became_of_the_mail_n6(
    action: str, status: str, outcome: str | None, reason: str | None
) -> None:
    bounce = read_bounce(report(action, status), REFERENCE)
    assert (outcome, reason) == (None, None) if bounce is None else (bounce.outcome, bounce.reason) == (outcome, reason)


def test_nobodys_words_and_address_are_kept() -> None:
    assert "louisl" not in repr(read_bounce(report(), REFERENCE))


def test_an_answer_of_somebody_is_no_bounce() -> None:
    away = f"To: {ADDRESS}\r\nAuto-Submitted: auto-replied\r\nSubject: I am away\r\n\r\nAction: failed\r\n".encode()
    assert read_bounce(away, REFERENCE) is None
    assert read_bounce(report().replace(b"delivery-status;", b"disposition-notification;"), REFERENCE) is None


def test_a_mail_made_to_be_deep_is_not_read() -> None:
    deep = b"".join(b'Content-Type: multipart/report; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(3000))
    assert read_bounce(deep, REFERENCE) is None


@given(st.binary(max_size=2000) | st.binary(max_size=300).map(lambda junk: report() + junk))
def test_anything_can_come_back(raw: bytes) -> None:
    bounce = read_bounce(raw, REFERENCE)
    assert bounce is None or bounce.reference == REFERENCE
    tagged_address(raw)


def test_the_headers_name_the_mail_where_the_envelope_is_not_told() -> None:
    assert tagged_address(report()) == ADDRESS
    assert tagged_address(b"To: somebody@fair.example\r\n\r\n") == ""


# the door and the command


class Kept:
    def __init__(self) -> None:
        self.receipts: list[Receipt] = []

    async def take_in(self, receipts: Sequence[Receipt]) -> None:
        self.receipts.extend(receipts)


@asynccontextmanager
async def server() -> AsyncIterator[tuple[Kept, str]]:
    kept, metrics = Kept(), Metrics()
    app = web.Application(middlewares=[guard(origins=frozenset(), trusted_proxies=(), metrics=metrics)])
    readers = [BounceReports(tags=TAGS, provider="smtp")]
    app.router.add_routes(callback_routes(readers, kept.take_in, ManualClock(), "http://x", metrics))
    async with TestServer(app) as running:
        yield kept, f"http://127.0.0.1:{running.port}"


async def passed_on(url: str, mail: bytes, *arguments: str) -> tuple[int, str]:
    """The command, as a mail server runs it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fairwire_server", "bounce", "--url", url, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate(mail)
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_a_bounce_reaches_whoever_keeps_receipts_n6() -> None:
    async with server() as (kept, url):
        assert await passed_on(url, report(), ADDRESS) == (0, "")
        assert await passed_on(url, report("failed", "4.4.7")) == (0, "")  # by its headers
        code, said = await passed_on(url, report(), BounceTags("bounce@fair.example", b"forged").address(REFERENCE))
        assert (code, "knows no such mail" in said) == (0, True)
        code, said = await passed_on(url, b"To: x@fair.example\r\n\r\nHello")
        assert (code, "names no mail" in said) == (0, True)
    assert [(one.provider, one.notice, one.outcome, one.reason) for one in kept.receipts] == [
        ("smtp", REFERENCE, "failed", "5.1.1"),
        ("smtp", REFERENCE, "expired", "4.4.7"),
    ]


async def test_a_server_that_is_away_makes_the_mail_server_try_again() -> None:
    async with server() as (_, url):
        pass
    code, said = await passed_on(url, report(), ADDRESS)
    assert (code, said.strip()) == (75, "The server cannot be reached.")
