"""What only SMPP can do: encodings and parts, the window, the binding and its end, receipts (N6, N7); read by aiosmpplib."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwire_server.channels.receipt_intake import HELD_S
from fairwire_server.channels.smpp import SILENT_MOST, SmppChannel
from fairwire_server.channels.smpp_rules import (
    STATUSES,
    Concatenation,
    address_type,
    read_receipt,
    read_statuses,
    submissions,
)
from fairwire_server.notices.parcels import Receipt, TryLater, Undeliverable
from fairwire_server.notices.segment_rules import segments
from tests.channels.peers import CATALOGUE, smpp_channel, sms, text_of
from tests.harness.clock import ManualClock
from tests.harness.smsc import Part, Smsc, smsc

TO = "+8613800138000"
ENGLISH = {"time": "25 Nov 14:30", "room": "123456789"}


@pytest.fixture
async def centre() -> AsyncIterator[Smsc]:
    async with smsc() as centre:
        yield centre


class Kept:
    """A `TakeIn` that can fail first."""

    def __init__(self, failures: int = 0) -> None:
        self.receipts: list[Receipt] = []
        self.failures = failures
        self.tries = 0
        self.changed = asyncio.Condition()

    async def __call__(self, receipts: Sequence[Receipt]) -> None:
        self.tries += 1
        if self.tries <= self.failures:
            raise RuntimeError("no database")
        async with self.changed:
            self.receipts.extend(receipts)
            self.changed.notify_all()

    async def until(self, count: int) -> list[tuple[str, str, str]]:
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: len(self.receipts) >= count)
        return [(one.reference, one.outcome, one.reason) for one in self.receipts]


async def test_chinese_goes_as_ucs2_and_english_as_gsm(centre: Smsc) -> None:
    async with smpp_channel(centre) as channel:
        await channel.send(sms(TO))
        await channel.send(sms(TO, "reminder_soon", "en", **ENGLISH))
    chinese, english = centre.parts
    assert (chinese.coding, english.coding) == (8, 0)
    assert english.text.startswith("[Fair] Your meeting begins soon")
    assert {(part.registered, part.dest_ton, part.esm_class) for part in centre.parts} == {(1, 1, 0)}


@pytest.mark.parametrize("concatenation", ["udh", "sar"])
async def test_a_long_message_arrives_whole_from_its_parts_n7(centre: Smsc, concatenation: Concatenation) -> None:
    text = CATALOGUE.find("assigned", "zh").filled({"time": "11月25日14:30", "room": "123456789"})
    long = sms(TO, "assigned", time="2026年11月25日星期三14:30", room="123456789012")
    assert segments(text).count == 1
    async with smpp_channel(centre, concatenation=concatenation) as channel:
        taken = await asyncio.gather(channel.send(long), channel.send(long))
    assert {one.segments for one in taken} == {len(centre.parts) // 2}
    assert centre.messages() == [(TO, text_of(long))] * 2


@given(st.text(st.sampled_from("ab€您😀"), max_size=400), st.integers(0, 255), st.sampled_from(["udh", "sar"]))
def test_parts_put_together_are_the_text_n7(text: str, reference: int, concatenation: Concatenation) -> None:
    centre = Smsc()
    for one in submissions(text, reference, concatenation):
        assert len(one.short_message) <= 140 if one.data_coding else len(one.short_message) <= 160
        part = Part(TO, "", one.data_coding, one.short_message, one.esm_class, 1, 1, 0, one.sar)
        centre.parts.append(part)
    assert centre.messages() == [(TO, text)]


@pytest.mark.parametrize(("sender", "types"), [("10690000", (0, 0)), ("+8613800138000", (1, 1)), ("Fairwire", (5, 0))])
async def test_a_sender_is_a_code_a_number_or_a_name(centre: Smsc, sender: str, types: tuple[int, int]) -> None:
    assert address_type(sender) == types
    async with smpp_channel(centre, sender=sender) as channel:
        await channel.send(sms(TO))
    assert (centre.parts[0].source, centre.parts[0].source_ton) == (sender.lstrip("+"), types[0])


async def test_no_more_requests_are_under_way_than_the_window_n5(centre: Smsc) -> None:
    centre.hold = asyncio.Event()
    asked: list[int] = []

    def may_leave() -> bool:
        asked.append(centre.open_requests)
        return True

    async with smpp_channel(centre, window=4, timeout_s=5) as channel:
        sending = [asyncio.create_task(channel.send(sms(TO), may_leave)) for _ in range(12)]
        await centre.until_open(4)
        assert len(asked) == 4  # the others are asked when their turn comes, not before (N4)
        centre.hold.set()
        await asyncio.gather(*sending)
    assert centre.most_open == 4


async def test_the_centres_own_statuses_are_told_by_a_setting_n7(centre: Smsc) -> None:
    centre.mood = "budget"
    async with smpp_channel(centre) as channel:
        with pytest.raises(TryLater, match="smpp_0x401"):
            await channel.send(sms(TO))
    async with smpp_channel(centre, statuses=read_statuses(["0x401=budget"])) as channel:
        with pytest.raises(Undeliverable) as caught:
            await channel.send(sms(TO))
    assert caught.value.budget


@pytest.mark.parametrize("entry", ["401=budget", "0x401", "0x401=perhaps", "=final"])
def test_a_status_that_is_none_is_a_fault_of_the_setting(entry: str) -> None:
    with pytest.raises(ValueError, match="is not a status"):
        read_statuses([entry])


def test_the_verdicts_of_the_specification() -> None:
    verdicts = {code: STATUSES.get(code, "retry") for code in (0x08, 0x0B, 0x14, 0x45, 0x58, 0x64, 0x65)}
    assert verdicts == {
        0x08: "retry",
        0x0B: "final",
        0x14: "busy",
        0x45: "retry",
        0x58: "busy",
        0x64: "retry",
        0x65: "final",
    }


# the binding


async def test_it_binds_again_when_the_centre_hangs_up(centre: Smsc) -> None:
    async with smpp_channel(centre) as channel:
        await channel.send(sms(TO))
        centre.bound.clear()
        centre.hang_up()
        async with asyncio.timeout(10):
            await centre.bound.wait()
        await channel.until_bound(10)
        await channel.send(sms(TO))
    assert len(centre.parts) == centre.sessions == 2


async def test_it_tries_less_and_less_often_while_it_may_not_bind() -> None:
    clock, pauses = ManualClock(), []
    async with smsc() as centre:
        centre.refuses_binds = True
        async with smpp_channel(centre, clock=clock, binds=False, timeout_s=0.1) as channel:
            for _ in range(5):
                await clock.until_sleeping()
                pauses.append(clock.monotonic())
                while clock.sleeping:
                    clock.advance(0.1)
            with pytest.raises(TryLater, match=r"not_bound|timeout") as caught:
                await channel.send(sms(TO))
            assert not caught.value.maybe_sent
    gaps = [later - earlier for earlier, later in pairwise(pauses)]
    assert 0.4 <= gaps[0] <= 1.1
    assert gaps[-1] > 2 * gaps[0]
    assert not centre.parts


async def test_a_centre_that_answers_nothing_is_bound_anew(centre: Smsc) -> None:
    async with smpp_channel(centre, timeout_s=1.0) as channel:
        await channel.send(sms(TO))
        centre.mood = "silent"
        ends = await asyncio.gather(*(channel.send(sms(TO)) for _ in range(SILENT_MOST)), return_exceptions=True)
        assert all(isinstance(end, TryLater) and end.maybe_sent for end in ends)
        centre.mood = "well"
        await channel.until_bound(10)
        await channel.send(sms(TO))
    assert centre.sessions == 2


async def test_without_a_binding_nothing_is_said_to_have_left() -> None:
    async with smsc() as gone:
        pass
    async with smpp_channel(gone, binds=False) as channel:
        with pytest.raises(TryLater, match="not_bound") as caught:
            await channel.send(sms(TO))
        assert not caught.value.maybe_sent


# receipts


async def bound(channel: SmppChannel) -> str:
    return (await channel.send(sms(TO))).reference


@pytest.mark.parametrize("in_parameters", [False, True])
async def test_receipts_in_either_form_are_handed_on_n6(centre: Smsc, in_parameters: bool) -> None:
    kept = Kept()
    async with smpp_channel(centre, kept, ManualClock(jumps=True)) as channel:
        await bound(channel)
        for stat in ("ENROUTE", "DELIVRD", "EXPIRED"):
            await centre.receipt(f"id-{stat}", stat, in_parameters=in_parameters)
        await centre.receipt("id-UNDELIV", "UNDELIV", "042", in_parameters=in_parameters)
        told = await kept.until(3)
    reason = "" if in_parameters else "err_042"
    assert sorted(one for one in told if one[1] != "expired") == [  # each is taken in by itself
        ("id-DELIVRD", "delivered", ""),
        ("id-UNDELIV", "failed", reason),
    ]
    assert [one[:2] for one in told if one[1] == "expired"] == [("id-EXPIRED", "expired")]


async def test_receipts_wait_until_they_can_be_kept_n6(centre: Smsc) -> None:
    kept, clock = Kept(failures=2), ManualClock()
    async with smpp_channel(centre, kept, clock) as channel:
        reference = await bound(channel)
        await centre.receipt(reference, "DELIVRD")
        for _ in range(3):
            await clock.until_sleeping()
            assert not kept.receipts
            clock.advance(HELD_S)
        assert await kept.until(1) == [(reference, "delivered", "")]
    assert kept.tries == 3


async def test_receipts_of_parts_are_told_of_the_message_n6(centre: Smsc) -> None:
    kept = Kept()
    async with smpp_channel(centre, kept, ManualClock(jumps=True)) as channel:
        long = sms(TO, "assigned", time="2026年11月25日星期三14:30", room="123456789012")
        taken = await channel.send(long)
        first, *others = [f"ID{number}" for number in range(1, taken.segments + 1)]
        assert taken.reference == first
        for part in others:
            await centre.receipt(part, "DELIVRD")
        await centre.receipt(first, "DELIVRD")
        for part in others:
            await centre.receipt(part, "UNDELIV", "001")
        told = await kept.until(1 + len(others))
    assert told == [(first, "delivered", ""), *[(first, "failed", "err_001")] * len(others)]


async def test_receipts_in_another_base_find_their_message_n6(centre: Smsc) -> None:
    """Taken as hexadecimal, told as ten decimal digits (appendix B)."""
    kept = Kept()
    centre.id_of = lambda number: f"{0xABC0FFE0 + number:X}"
    async with smpp_channel(centre, kept, ManualClock(jumps=True)) as channel:
        reference = await bound(channel)
        assert reference == "ABC0FFE1"
        await centre.receipt(f"{0xABC0FFE1:010}", "DELIVRD")
        assert await kept.until(1) == [(reference, "delivered", "")]


@given(st.integers(0, 255), st.binary(max_size=300), st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=70)))
def test_anything_at_all_is_a_receipt_or_none(esm_class: int, text: bytes, parameters: dict[int, bytes]) -> None:
    read = read_receipt(esm_class, text, parameters)
    if read is not None:
        assert esm_class & 0x3C == 4
        assert read[0]
