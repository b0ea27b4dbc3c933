"""What `Channel` promises (N4, N5, N6), over every implementation against a real other side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from fairwire_server.database.pool import Database
from fairwire_server.notices.parcels import Mail, Parcel, TryLater, Undeliverable
from tests.channels.peers import PATIENT_S, PEERS, SILENT_S, Mood, Peer, expected, mail, sms


@pytest.fixture(params=sorted(PEERS))
async def peer(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Peer]:
    named: dict[str, object] = request.node.callspec.params
    silent = (
        request.function is test_silence_costs_the_time_out_and_may_have_sent_it or named.get("mood") is Mood.SILENT
    )
    async with PEERS[request.param](database, SILENT_S if silent else PATIENT_S) as peer:
        yield peer


def demand(peer: Peer, mood: Mood) -> None:
    if mood not in peer.moods:
        pytest.skip(f"{peer.channel.name} is never so: {mood.value}")
    peer.be(mood)


async def test_a_parcel_arrives_as_it_was_written(peer: Peer) -> None:
    parcel = peer.parcel()
    taken = await peer.channel.send(parcel)
    assert taken.provider == peer.channel.name
    assert taken.reference
    assert (taken.segments > 0) == (peer.channel.kind == "sms")
    assert await peer.arrived() == [expected(parcel)]


async def test_parcels_may_leave_at_once(peer: Peer) -> None:
    parcels = [peer.parcel(n) for n in range(24)]
    taken = await asyncio.gather(*map(peer.channel.send, parcels))
    assert sorted(await peer.arrived()) == sorted(map(expected, parcels))
    assert len({one.reference for one in taken}) == 24


async def test_nothing_leaves_once_it_may_not_n4(peer: Peer) -> None:
    with pytest.raises(TryLater, match="lease_over") as caught:
        await peer.channel.send(peer.parcel(), lambda: False)
    assert not caught.value.maybe_sent
    later = peer.parcel(1)
    await peer.channel.send(later, lambda: True)
    assert await peer.arrived() == [expected(later)]


async def test_a_refusal_for_good_is_undeliverable_n6(peer: Peer) -> None:
    demand(peer, Mood.FINAL)
    with pytest.raises(Undeliverable):
        await peer.channel.send(peer.parcel())
    assert not await peer.arrived()


async def test_a_refusal_for_now_is_try_later_and_the_next_one_arrives_n6(peer: Peer) -> None:
    demand(peer, Mood.LATER)
    with pytest.raises(TryLater) as caught:
        await peer.channel.send(peer.parcel())
    assert not caught.value.maybe_sent
    assert not caught.value.throttled
    demand(peer, Mood.WELL)
    parcel = peer.parcel()
    await peer.channel.send(parcel)
    assert await peer.arrived() == [expected(parcel)]


async def test_too_much_is_said_of_the_provider_and_not_of_the_parcel_n6(peer: Peer) -> None:
    demand(peer, Mood.BUSY)
    with pytest.raises(TryLater) as caught:
        await peer.channel.send(peer.parcel())
    assert caught.value.throttled
    assert not caught.value.maybe_sent


async def test_one_bad_recipient_harms_no_other_n5(peer: Peer) -> None:
    if Mood.FINAL not in peer.moods:
        pytest.skip("refuses nobody")
    peer.be(Mood.FINAL, to=3)
    parcels = [peer.parcel(n) for n in range(8)]
    ends = await asyncio.gather(*map(peer.channel.send, parcels), return_exceptions=True)
    assert [type(end) is Undeliverable for end in ends] == [n == 3 for n in range(8)]
    assert sorted(await peer.arrived()) == sorted(expected(one) for n, one in enumerate(parcels) if n != 3)


async def test_silence_costs_the_time_out_and_may_have_sent_it(peer: Peer) -> None:
    demand(peer, Mood.SILENT)
    async with asyncio.timeout(10):
        with pytest.raises(TryLater, match="timeout") as caught:
            await peer.channel.send(peer.parcel())
    assert caught.value.maybe_sent
    demand(peer, Mood.WELL)
    await peer.channel.send(peer.parcel(1))


async def test_a_lost_answer_is_told_as_perhaps_sent_n4(peer: Peer) -> None:
    demand(peer, Mood.GONE)
    with pytest.raises(TryLater) as caught:
        await peer.channel.send(peer.parcel())
    assert caught.value.maybe_sent
    assert len(await peer.arrived()) == 1
    demand(peer, Mood.WELL)
    await peer.channel.send(peer.parcel(1))
    assert len(await peer.arrived()) == 2


@pytest.mark.parametrize("mood", [mood for mood in Mood if mood is not Mood.WELL])
async def test_neither_errors_nor_logs_name_anybody(peer: Peer, mood: Mood) -> None:
    demand(peer, mood)
    parcel = peer.parcel()
    with capture_logs() as logs, pytest.raises((TryLater, Undeliverable)) as caught:
        await peer.channel.send(parcel)
    told = f"{parcel!r} {caught.value!r} {caught.value} {logs}"
    assert caught.value.__cause__ is None
    to, text = expected(parcel)
    for secret in (to, to.lstrip("+"), text, "123456789"):
        assert secret not in told


async def test_what_it_does_not_take_is_undeliverable(peer: Peer) -> None:
    other: Parcel = sms("+8613800138000") if isinstance(peer.parcel(), Mail) else mail("wang@example.com")
    with pytest.raises(Undeliverable):
        await peer.channel.send(other)
    assert not await peer.arrived()
