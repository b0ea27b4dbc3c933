"""M9, M14: links, cookies, room numbers and calendars' addresses are in no line of the log, also when something of ours fails."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import structlog

from fairwire_server.observe import configure_logs
from tests.meetings.lounge import Lounge


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Everything that is logged, from before the node starts."""
    root, out = logging.getLogger(), io.StringIO()
    before = root.handlers[:], root.level
    configure_logs(level="debug", shape="json", stream=out)
    yield out
    structlog.reset_defaults()
    root.handlers[:], root.level = before


async def test_no_secret_reaches_the_log_m9_m14(written: io.StringIO, lounge: Lounge) -> None:
    booking = await lounge.meeting()
    path = await lounge.link(booking)
    number = await lounge.run("number", booking)
    made = await lounge.call("buyer", "meetings.reset_feed")
    feed = urlsplit(made.address).path
    async with lounge.browsers() as browser:
        guest = browser()
        await guest.get(path)
        await guest.post(path, name="Ana Secretname")
        await lounge.admit(booking)
        await guest.post(path + "/enter")
        await guest.post("/room", number=number, name="Ana Secretname", side="buyer")
        await guest.get(feed)
        await lounge.call("buyer", "meetings.enter", booking=booking)
        for table in ("invitation", "calendar_feed", "guest"):  # faults of ours, with their tracebacks
            await lounge.run(f"lose_{table}")
        for broken in (path, feed):
            assert (await guest.get(broken)).status == 500
        assert (await guest.post("/room", number=number, name="Ana Secretname", side="buyer")).status == 500
    log = written.getvalue()
    assert log.count('"event": "fault"') == 3
    assert '"path": "/m/{token}"' in log
    cookies = [value.partition("=")[2] for value in guest.cookies.values()]
    secrets = [path.rpartition("/")[2], number, feed.rpartition("/")[2].removesuffix(".ics"), "Secretname", *cookies]
    assert [secret for secret in secrets if secret in log] == []
