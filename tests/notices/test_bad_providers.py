"""A real provider that hangs, throttles, resets or refuses one holds up nobody else, and everything is told in the end (N4, N5, N6).

Both channels are the product's own, to servers that speak SMTP, SMPP and a provider's HTTP. While one of them is bad, what the other
one takes arrives; once it is well again, its own notices arrive too, and say so where they may have come twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

import pytest

from fairwire_server.notices.parcels import Channel
from tests.channels.peers import email_channel, http_channel, smpp_channel
from tests.harness.sms_gateway import SmsGateway, sms_gateway
from tests.harness.smsc import Smsc, smsc
from tests.harness.smtp import Behaviour, SmtpSink, smtp_sink
from tests.harness.until import until
from tests.notices.draining import Passing, passing
from tests.notices.world import DAY, Team, World

MEETINGS = 6
PATIENT_S = 20.0
"""Of channels and of the test: whoever hangs, hangs until he is let go."""


async def assign(world: World) -> list[Team]:
    """Six receivers are to be told by SMS now, and six buyers by mail."""
    teams = [await world.team("domestic") for _ in range(MEETINGS)]
    for team in teams:
        booking = await world.request(team, await world.buyer(), world.clock.now() + 2 * DAY)
        await world.assign(booking, team.sales)
    return teams


async def told(world: World, channel: str) -> Counter[tuple[str, bool]]:
    """How the news of the assignments ended there: state, and whether it may have come twice."""
    return Counter(
        (n["state"], n["maybe_duplicate"])
        for n in await world.notices()
        if (n["channel"], n["kind"], n["instead_of"]) == (channel, "assigned", None)
    )


async def answered(world: World, channel: Channel) -> int:
    """Attempts at a provider that have ended."""
    sql = "SELECT count(*) AS n FROM notice_attempt WHERE provider = $1 AND outcome IS NOT NULL"
    found: int = (await world.fetch(sql, channel.name))[0]["n"]
    return found


@dataclass
class Sms:
    """A provider of short messages with its channel; `busy_s`: for how long it wants to be left alone."""

    channel: Channel
    peer: SmsGateway | Smsc
    busy_s: float

    @property
    def arrived(self) -> list[str]:
        """Numbers of what it has taken."""
        messages = self.peer.messages
        return [one[0] for one in (messages() if callable(messages) else messages)]

    def let_go(self) -> None:
        """Those it said nothing to are cut off."""
        if isinstance(self.peer, SmsGateway):
            self.peer.released.set()
        else:
            self.peer.hang_up()

    @property
    def asked(self) -> int:
        """Requests so far."""
        return self.peer.requests if isinstance(self.peer, SmsGateway) else self.peer.submitted


@pytest.fixture(params=["aliyun", "smpp"])
async def sms(request: pytest.FixtureRequest) -> AsyncIterator[Sms]:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        if request.param == "smpp":
            centre = await enter(smsc())
            yield Sms(await enter(smpp_channel(centre, timeout_s=PATIENT_S)), centre, 5.0)
        else:
            gateway = await enter(sms_gateway())
            yield Sms(await enter(http_channel(request.param, gateway, PATIENT_S)), gateway, 7.0)


@pytest.fixture
async def sink() -> AsyncIterator[SmtpSink]:
    async with smtp_sink() as sink:
        yield sink


@pytest.mark.parametrize("mood", ["silent", "busy", "gone"])
async def test_mails_leave_while_the_sms_provider_is_bad_n5_n6(
    world: World, sms: Sms, sink: SmtpSink, mood: str
) -> None:
    sms.peer.mood = mood
    async with passing(world, email_channel(sink), sms.channel) as time:
        await assign(world)
        time.worker.lanes.hint()
        await until(lambda: len(sink.mails) == MEETINGS, PATIENT_S)
        await until(lambda: sms.asked >= (MEETINGS if mood == "silent" else 1), PATIENT_S)
        assert mood != "silent" or not await answered(world, sms.channel)
        if mood == "busy":
            await stays_away(time, sms)
        sms.peer.mood = "well"
        sms.let_go()
        await time.go(world.clock.now() + timedelta(minutes=10))
    ends, meetings = await told(world, "sms"), MEETINGS * (2 if mood == "busy" else 1)
    assert (ends.total(), {state for state, _ in ends}) == (meetings, {"sent"})
    assert bool(ends["sent", True]) == (mood != "busy"), "a second sending says so (N4)"
    assert await told(world, "email") == {("sent", False): meetings}
    assert (len(sms.arrived) > meetings) == (mood == "gone"), "what was taken before the reset comes again, flagged"


async def stays_away(time: Passing, sms: Sms) -> None:
    """429 and ESME_RTHROTTLED are obeyed by the whole worker, and not a second longer than that is asked (N6)."""
    await time.rest()
    asked, began = sms.asked, time.world.clock.now()
    await assign(time.world)  # those who were not refused themselves wait as well
    await time.go(began + timedelta(seconds=sms.busy_s - 1))
    assert sms.asked == asked, "asked again before its time"
    await time.go(began + timedelta(seconds=sms.busy_s + 10))
    assert sms.asked > asked


async def test_one_number_that_is_refused_falls_over_and_the_others_are_told_n5_n6(
    world: World, sms: Sms, sink: SmtpSink
) -> None:
    async with passing(world, email_channel(sink), sms.channel) as time:
        await time.rest()
        team = await world.team("domestic", number="+8613800138000")
        sms.peer.refused_numbers = frozenset({"+8613800138000"})
        start = world.clock.now() + 2 * DAY
        await world.assign(await world.request(team, await world.buyer(), start), team.sales)
        await assign(world)
        await time.go(world.clock.now() + timedelta(minutes=1))
    assert await told(world, "sms") == {("sent", False): MEETINGS, ("failed", False): 1}
    assert len(sink.mails) == MEETINGS + 2, "and the one who could not be reached by SMS, by mail"


@pytest.mark.parametrize("behaviour", [Behaviour.HANG, Behaviour.MUTE, Behaviour.RESET, Behaviour.CLOSING])
async def test_short_messages_leave_while_the_mail_server_is_bad_n5_n6(
    world: World, sink: SmtpSink, behaviour: Behaviour
) -> None:
    sink.behave(at_data=behaviour)
    async with (
        sms_gateway() as gateway,
        http_channel("tencent", gateway) as channel,
        passing(world, email := email_channel(sink, PATIENT_S), channel) as time,
    ):
        await assign(world)
        time.worker.lanes.hint()
        await until(lambda: len(gateway.messages) == MEETINGS, PATIENT_S)
        await until(lambda: sink.attempts > 0, PATIENT_S)
        assert behaviour not in (Behaviour.HANG, Behaviour.MUTE) or not await answered(world, email)
        sink.behave()
        await time.go(world.clock.now() + timedelta(minutes=10))
    ends = await told(world, "email")
    assert (ends.total(), {state for state, _ in ends}) == (MEETINGS, {"sent"})
    assert bool(ends["sent", True]) == (behaviour is Behaviour.RESET), "a second sending says so (N4)"
    assert await told(world, "sms") == {("sent", False): MEETINGS}


async def test_a_message_centre_that_unbinds_is_bound_again_and_everybody_told_n6(world: World, sink: SmtpSink) -> None:
    async with smsc() as centre, smpp_channel(centre, timeout_s=PATIENT_S) as channel:
        async with passing(world, email_channel(sink), channel) as time:
            await time.rest()
            centre.unbind()
            await assign(world)
            time.worker.lanes.hint()
            await until(lambda: len(sink.mails) == MEETINGS, PATIENT_S)
            await channel.until_bound(PATIENT_S)
            await time.go(world.clock.now() + timedelta(minutes=10))
        assert centre.sessions == 2
    ends = await told(world, "sms")
    assert (ends.total(), {state for state, _ in ends}) == (MEETINGS, {"sent"})
