"""The client against a peer: first state, events, calls, coming back, outbox, slow applications (W6, W11, W13, W14, W16)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal
from uuid import UUID, uuid4

import pytest

import fairwire
from fairwire_protocol import frames as f
from fairwire_protocol.errors import Close, Refused, Unavailable
from fairwire_protocol.models import Subject
from tests.protocol.in_memory import exhibitor_entry, welcome
from tests.sdk.peer import Chat, Jumps, Peer, peer

CHAT = UUID(int=77)
CODECS = pytest.mark.parametrize("codec", ["msgpack", "json"])


def client_of(it: Peer, jumps: Jumps | None = None, **options: object) -> fairwire.Client:
    timing = (jumps or Jumps()).timing()
    return fairwire.connect(it.url, **{"token": "t", "timing": timing, **options})  # type: ignore[arg-type]


async def until(feed: fairwire.Feed, kind: type[fairwire.Happening]) -> fairwire.Happening:
    """The next event of a kind."""
    async with asyncio.timeout(10):
        async for happening in feed:
            if isinstance(happening, kind):
                return happening
    raise AssertionError("the feed has ended")


@CODECS
async def test_w5_entering_waits_for_the_first_state(codec: Literal["msgpack", "json"]) -> None:
    async with peer() as it:
        it.streams.entries = [exhibitor_entry(number) for number in range(4)]
        async with client_of(it, codec=codec) as client:
            assert [entry.at for entry in client.state.recent] == [3, 2, 1, 0]
            assert client.me.name == "Li Lei"
            assert client.online
        assert it.hellos[0].resume is None


@CODECS
async def test_w16_events_come_by_handler_and_by_iteration(codec: Literal["msgpack", "json"]) -> None:
    async with peer() as it, client_of(it, codec=codec) as client:
        heard: asyncio.Queue[int] = asyncio.Queue()

        @client.on("waiting")
        async def heed(event: fairwire.Delivered) -> None:
            heard.put_nowait(event.pos)

        feed = client.events()
        await it.push()
        await it.push(fair=True)
        first = await until(feed, fairwire.Delivered)
        second = await until(feed, fairwire.Delivered)
        assert isinstance(first, fairwire.Delivered)
        assert isinstance(second, fairwire.Delivered)
        assert [(first.stream, first.pos), (second.stream, second.pos)] == [("account", 1), ("fair", 1)]
        assert await heard.get() == 1


async def test_w16_a_handler_may_call() -> None:
    """The reader does not wait for the handler, so the reply the handler waits for is read."""
    async with peer() as it, client_of(it) as client:
        it.answers["chat.send"] = Chat()
        done: asyncio.Queue[int] = asyncio.Queue()

        @client.on("waiting")
        async def answer(event: fairwire.Delivered) -> None:
            sent = await client.chat.send(conversation=CHAT, text="hello")
            done.put_nowait(sent.seq)

        await it.push()
        async with asyncio.timeout(10):
            assert await done.get() == 1


async def test_w16_a_failing_handler_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with peer() as it, client_of(it) as client:
        heard: asyncio.Queue[int] = asyncio.Queue()

        @client.on("waiting")
        def fail(event: fairwire.Delivered) -> None:
            heard.put_nowait(event.pos)
            raise RuntimeError("of the application")

        await it.push()
        await it.push()
        assert [await heard.get(), await heard.get()] == [1, 2]
    assert "has failed" in caplog.text


async def test_a_handler_that_asks_while_the_client_closes_has_not_failed(caplog: pytest.LogCaptureFixture) -> None:
    async with peer() as it, client_of(it) as client:
        it.answers["chat.read"] = lambda _call, _args: None
        asked = asyncio.Event()

        @client.on("waiting")
        async def ask(event: fairwire.Delivered) -> None:
            asked.set()
            await client.chat.read(conversation=CHAT, seq=1)

        await it.push()
        await asked.wait()
    assert "has failed" not in caplog.text


async def test_w16_a_slow_application_gets_a_resync_never_an_endless_queue() -> None:
    async with peer() as it, client_of(it) as client:
        feed = client.events(limit=3)
        for _ in range(10):
            await it.push()
        await it.send(f.Beat(pos=10, fair_pos=0))
        await it.wait(lambda: bool(it.acks) and it.acks[-1].pos == 10)
        assert len(feed) <= 3
        happenings = [await anext(feed) for _ in range(len(feed))]
        resync = happenings[0]
        assert isinstance(resync, fairwire.Resynced)
        assert resync.cause == "slow"
        rest = [happening.pos for happening in happenings[1:] if isinstance(happening, fairwire.Delivered)]
        assert rest == list(range(11 - len(rest), 11))


async def test_w11_a_beat_is_answered_at_once() -> None:
    async with peer() as it, client_of(it):
        await it.push()
        await it.send(f.Beat(pos=1, fair_pos=0))
        await it.wait(lambda: f.Ack(pos=1, fair_pos=0) in it.acks)


@CODECS
@pytest.mark.parametrize("code", [None, 4000, 4001, 4003, 4321, 1012])
async def test_w6_w13_it_comes_back_and_resumes(codec: Literal["msgpack", "json"], code: int | None) -> None:
    async with peer() as it, client_of(it, codec=codec) as client:
        feed = client.events()
        await it.push()
        await until(feed, fairwire.Delivered)
        await it.cut(code)
        it.streams.wait()
        missed = await until(feed, fairwire.Delivered)
        assert isinstance(missed, fairwire.Delivered)
        assert missed.pos == 2
        online = await until(feed, fairwire.Online)
        assert online == fairwire.Online(resumed=True)
        resume = it.hellos[-1].resume
        assert resume is not None
        assert resume.account.pos == 1


async def test_w6_another_epoch_brings_a_snapshot() -> None:
    async with peer() as it, client_of(it) as client:
        feed = client.events()
        it.streams.account.epoch += 1
        it.streams.entries = [exhibitor_entry(1)]
        await it.cut()
        resynced = await until(feed, fairwire.Resynced)
        assert isinstance(resynced, fairwire.Resynced)
        assert resynced.cause == "snapshot"
        assert len(client.state.entries) == 1


async def test_w2_a_hole_makes_it_come_back_for_what_is_missing() -> None:
    async with peer() as it, client_of(it) as client:
        feed = client.events()
        it.streams.wait()  # never sent
        await it.push()
        seen = [await until(feed, fairwire.Delivered) for _ in range(2)]
        assert [happening.pos for happening in seen if isinstance(happening, fairwire.Delivered)] == [1, 2]


@pytest.mark.parametrize("code", [Close.BAD_TOKEN, Close.SUSPENDED, Close.TOO_MANY_DEVICES, 4777])
async def test_w13_the_stop_range_ends_it_for_good(code: int) -> None:
    async with peer() as it, client_of(it) as client:
        feed = client.events()
        await it.cut(code)
        with pytest.raises(fairwire.Stopped) as stopped:
            await until(feed, fairwire.Offline)
        assert stopped.value.code == code
        with pytest.raises(fairwire.Stopped):
            await client.chat.colleagues()
    assert len(it.hellos) == 1


async def test_w13_a_first_greeting_refused_is_raised_by_entering() -> None:
    async with peer() as it:
        it.greet = lambda _: f.Bye(code=Close.SUSPENDED, reason="suspended")
        with pytest.raises(fairwire.Stopped, match="suspended"):
            async with client_of(it):
                pass


async def test_w13_4005_asks_for_a_fresh_token_first() -> None:
    async with peer() as it:
        given = iter(["one", "two", "three", "four"])

        async def token() -> str:
            return next(given)

        async with client_of(it, token=token) as client:
            feed = client.events()
            first = it.hellos[-1].token
            await it.cut(Close.TOKEN_EXPIRED)
            await until(feed, fairwire.Online)
            assert it.hellos[-1].token != first


async def test_w13_a_fixed_token_that_is_over_stops_it() -> None:
    async with peer() as it, client_of(it) as client:
        feed = client.events()
        await it.cut(Close.TOKEN_EXPIRED)
        with pytest.raises(fairwire.Stopped, match="over"):
            await until(feed, fairwire.Online)


async def test_w13_the_socket_gets_a_new_token_before_the_old_one_ends() -> None:
    jumps = Jumps(forever=1000)
    async with peer() as it:
        it.greet = lambda _: welcome(expires_at=1_792_000_000_000 + 900_000)

        async def token() -> str:
            return f"token-{len(it.refreshes)}"

        async with client_of(it, jumps, token=token):
            await it.wait(lambda: bool(it.refreshes))
            assert 840.0 in jumps.waits  # a minute before the end of fifteen


async def test_w14_the_delays_are_full_jitter_and_double_to_thirty_seconds() -> None:
    jumps = Jumps()
    async with peer() as it, client_of(it, jumps) as client:
        feed = client.events()
        refusals = 9

        def greet(_: f.Hello) -> f.Welcome | f.Bye:
            return welcome() if len(it.hellos) > refusals else f.Bye(code=Close.OVERLOADED, reason="full")

        it.greet = greet
        await it.cut(4000)
        await until(feed, fairwire.Online)
        delays = [wait for wait in jumps.waits if wait <= 30]
        assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


async def test_w14_a_bye_that_names_a_delay_is_obeyed() -> None:
    jumps = Jumps()
    async with peer() as it, client_of(it, jumps) as client:
        feed = client.events()
        await it.send(f.Bye(code=4000, reason="draining", retry_after_ms=7300))
        await it.cut(4000)
        offline = await until(feed, fairwire.Offline)
        assert offline == fairwire.Offline("draining", 7.3)


async def test_w7_a_call_cut_off_is_sent_again_with_its_cid() -> None:
    async with peer() as it, client_of(it) as client:
        it.answers["contacts.pin"] = lambda _call, _args: {} if len(it.calls) > 1 else None
        pin = asyncio.create_task(client.contacts.pin(conversation=CHAT, pinned=True, timeout=5))
        await it.wait(lambda: len(it.calls) == 1)
        await it.cut()
        await pin
        assert it.calls[0].cid == it.calls[1].cid


async def test_w7_errors_are_typed_final_or_temporary() -> None:
    jumps = Jumps()
    async with peer() as it, client_of(it, jumps) as client:
        it.answers["contacts.pin"] = lambda _call, _args: Refused("pin_limit")
        with pytest.raises(Refused) as refused:
            await client.contacts.pin(conversation=CHAT, pinned=True)
        assert refused.value.code == "pin_limit"
        answers: list[object] = [Unavailable("busy", retry_after_ms=2500), {}]
        it.answers["contacts.pin"] = lambda _call, _args: answers.pop(0)
        await client.contacts.pin(conversation=CHAT, pinned=True)
        assert 2.5 in jumps.waits
        it.answers["contacts.pin"] = lambda _call, _args: Unavailable("busy", retry_after_ms=60_000)
        with pytest.raises(fairwire.FairwireError) as temporary:
            await client.contacts.pin(conversation=CHAT, pinned=True, timeout=5)
        assert temporary.value.retry_after_ms == 60_000


async def test_w16_a_command_without_an_answer_is_pending_a_question_unavailable() -> None:
    async with peer() as it, client_of(it) as client:
        it.answers["contacts.pin"] = it.answers["chat.colleagues"] = lambda _call, _args: None
        with pytest.raises(fairwire.Pending) as pending:
            await client.contacts.pin(conversation=CHAT, pinned=True, timeout=0.01)
        with pytest.raises(Unavailable):
            await client.chat.colleagues(timeout=0.01)
        it.answers.clear()
        await client.contacts.pin(conversation=CHAT, pinned=True, cid=pending.value.cid)
        assert it.calls[-1].cid == pending.value.cid


async def test_w10_what_is_on_screen_is_watched_again_after_a_cut() -> None:
    async with peer() as it, client_of(it) as client:
        feed = client.events()
        subject = Subject(kind="exhibitor", id=CHAT)
        it.answers["presence.watch"] = lambda _call, _args: {
            "states": [{"kind": "exhibitor", "id": str(CHAT), "state": "away"}]
        }
        await client.presence.watch(subjects=(subject,))
        assert client.presence_of == {("exhibitor", CHAT): "away"}
        await it.cut()
        await until(feed, fairwire.Online)
        await it.wait(lambda: [call.op for call in it.calls] == ["presence.watch", "presence.watch"])


class TestOutbox:
    """W16: persistent, in order per conversation, waits at a temporary error, steps over a final one."""

    async def test_a_message_is_sent_and_forgotten(self) -> None:
        async with peer() as it, client_of(it) as client:
            it.answers["chat.send"] = Chat()
            sent = await client.chat.send(conversation=CHAT, text="hello")
            assert (sent.conversation, sent.seq) == (CHAT, 1)
            assert client.unsent == ()

    async def test_one_conversation_sends_one_at_a_time_in_order_across_cuts(self) -> None:
        async with peer() as it, client_of(it) as client:
            chat = it.answers["chat.send"] = Chat()
            chat.script = [None, "store", ..., "store"]
            texts = [f"text {number}" for number in range(5)]
            sends = [asyncio.create_task(client.chat.send(conversation=CHAT, text=text)) for text in texts]
            await it.wait(lambda: len(it.calls) == 1)
            await it.cut()
            await it.wait(lambda: len(it.calls) == 3)
            await it.cut()
            sent = await asyncio.gather(*sends)
            assert chat.stored == texts
            assert [message.seq for message in sent] == [1, 2, 3, 4, 5]

    async def test_it_waits_at_a_temporary_error_and_tells(self) -> None:
        jumps = Jumps()
        async with peer() as it, client_of(it, jumps) as client:
            feed = client.events()
            chat = it.answers["chat.send"] = Chat()
            chat.script = [Unavailable("rate_limited", retry_after_ms=3000)]
            first = asyncio.create_task(client.chat.send(conversation=CHAT, text="one"))
            second = asyncio.create_task(client.chat.send(conversation=CHAT, text="two"))
            queued = await until(feed, fairwire.SendQueued)
            assert isinstance(queued, fairwire.SendQueued)
            assert queued.error.code == "rate_limited"
            assert [(await first).seq, (await second).seq] == [1, 2]
            assert chat.stored == ["one", "two"]
            assert 6.0 in jumps.waits  # 3 s and as much again, the dice showing 1

    async def test_it_steps_over_a_final_error_after_telling(self) -> None:
        async with peer() as it, client_of(it) as client:
            feed = client.events()
            chat = it.answers["chat.send"] = Chat()
            chat.script = [Refused("refused_keyword")]
            first = asyncio.create_task(client.chat.send(conversation=CHAT, text="bad"))
            second = asyncio.create_task(client.chat.send(conversation=CHAT, text="good"))
            with pytest.raises(Refused, match="refused_keyword"):
                await first
            await second
            failed = await until(feed, fairwire.SendFailed)
            assert isinstance(failed, fairwire.SendFailed)
            assert failed.error.code == "refused_keyword"
            assert chat.stored == ["good"]

    async def test_a_time_out_is_pending_and_ends_well(self) -> None:
        async with peer() as it, client_of(it) as client:
            chat = it.answers["chat.send"] = Chat()
            chat.script = [None]
            with pytest.raises(fairwire.Pending) as pending:
                await client.chat.send(conversation=CHAT, text="hello", timeout=0.01)
            assert [message.cid for message in client.unsent] == [pending.value.cid]
            again = asyncio.create_task(client.chat.send(conversation=CHAT, text="hello", cid=pending.value.cid))
            await it.cut()
            assert (await again).seq == 1
            assert chat.stored == ["hello"]

    async def test_what_one_process_left_the_next_one_sends(self, tmp_path: Path) -> None:
        async with peer() as it:
            chat = it.answers["chat.send"] = Chat()
            chat.script = [None]
            async with client_of(it, data_dir=tmp_path) as client:
                for text in ("one", "two"):
                    with pytest.raises(fairwire.Pending):
                        await client.chat.send(conversation=CHAT, text=text, timeout=0.01)
            assert len(it.calls) == 1
            async with client_of(it, data_dir=tmp_path) as client:
                await it.wait(lambda: chat.stored == ["one", "two"])
                await client.chat.send(conversation=CHAT, text="three")
                assert client.unsent == ()
            assert it.calls[0].cid == it.calls[1].cid
            assert (tmp_path / "outbox.sqlite").stat().st_mode & 0o777 == 0o600
            assert it.hellos[0].device.id == it.hellos[1].device.id

    async def test_conversations_do_not_wait_for_each_other(self) -> None:
        async with peer() as it, client_of(it) as client:
            other = uuid4()

            def answer(call: f.Call, args: dict[str, str]) -> object:
                return None if args["conversation"] == str(CHAT) else {"conversation": str(other), "seq": 1, "ts": 1}

            it.answers["chat.send"] = answer
            stuck = asyncio.create_task(client.chat.send(conversation=CHAT, text="stuck"))
            await it.wait(lambda: len(it.calls) == 1)
            assert (await client.chat.send(conversation=other, text="free")).seq == 1
            stuck.cancel()
            await asyncio.gather(stuck, return_exceptions=True)
