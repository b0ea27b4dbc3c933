"""What a load run counts with, without a server: the ledger's findings, marks, fan-out over generators, tables, shapes."""

from __future__ import annotations

import random
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from bench.locust.agenda import Agenda
from bench.locust.cast import Actor, Cast
from bench.locust.fanout import Fanout
from bench.locust.habits import HABITS, Habits, factors_of
from bench.locust.habits import markdown_table as habits_table
from bench.locust.ledger import Device, Ledger, Verdict, judge
from bench.locust.marks import Mark, new_mark, read_mark
from bench.locust.shapes import SHAPES, Times, bounds_table, shapes_table
from bench.locust.texts import text

README = Path(__file__).resolve().parents[2] / "bench" / "README.md"
CHAT = UUID(int=1)
CIDS = [UUID(int=100 + seq) for seq in range(20)]


def device(ledger: Ledger, name: str, seqs: list[int], *, buyer: bool = True) -> Device:
    """A device that was shown these messages."""
    one = ledger.device(name, buyer=buyer)
    one.present = True
    for seq in seqs:
        one.read(CHAT, seq, CIDS[seq])
    return one


def verdict_of(ledger: Ledger, acked: int) -> Verdict:
    """After somebody was told that `acked` is stored."""
    ledger.acked(CHAT, acked)
    return judge([ledger.rows()])


def test_everything_in_order_is_clean() -> None:
    ledger = Ledger()
    device(ledger, "a", [1, 2, 3])
    device(ledger, "b", [2, 3], buyer=False)
    verdict = verdict_of(ledger, 3)
    assert verdict.clean
    assert verdict.counts.read == 5


@pytest.mark.parametrize(
    ("seqs", "lost", "duplicate", "reordered"),
    [
        ([1, 3], 1, 0, 0),  # a hole
        ([1, 2], 1, 0, 0),  # the newest is missing
        ([2, 3], 1, 0, 0),  # the first of a buyer's own chat is missing
        ([], 0, 0, 0),  # a device that never met the chat owes nothing
        ([1, 2, 2, 3], 0, 1, 0),
        ([1, 3, 2], 0, 0, 1),
    ],
)
def test_what_is_missing_twice_or_late_is_counted(seqs: list[int], lost: int, duplicate: int, reordered: int) -> None:
    """W2, W8: seqs are gapless, and shown once and in order."""
    ledger = Ledger()
    device(ledger, "a", seqs)
    verdict = verdict_of(ledger, 3)
    assert (verdict.lost, verdict.counts.duplicate, verdict.counts.reordered) == (lost, duplicate, reordered)


def test_the_ack_of_one_generator_is_owed_by_the_device_of_another() -> None:
    sender, receiver = Ledger(), Ledger()
    sender.acked(CHAT, 2)
    device(receiver, "a", [1])
    assert judge([sender.rows(), receiver.rows()]).lost == 1


def test_who_is_away_or_has_given_the_chat_away_owes_no_tail() -> None:
    """C9: a former holder is told nothing later; a device that is gone is not here to be told."""
    ledger = Ledger()
    device(ledger, "away", [1]).present = False
    device(ledger, "former", [1], buyer=False).leave(CHAT)
    assert verdict_of(ledger, 3).clean


def test_a_first_state_makes_up_for_what_was_missed() -> None:
    """W5: after a snapshot the list's last seq is where the device stands."""
    ledger = Ledger()
    one = device(ledger, "a", [1])
    one.resync({CHAT: 3})
    one.read(CHAT, 4, CIDS[4])
    assert verdict_of(ledger, 4).clean


def test_two_devices_that_were_told_different_messages_are_a_conflict() -> None:
    ledger = Ledger()
    device(ledger, "a", [1, 2])
    other = ledger.device("b", buyer=True)
    for seq, cid in ((1, CIDS[1]), (2, CIDS[9])):
        other.read(CHAT, seq, cid)
    assert judge([ledger.rows()]).conflicts == 1


def test_one_message_under_two_seqs_and_a_refused_one_that_arrives_are_counted() -> None:
    """W7: the same cid is stored once, and a refused command leaves nothing."""
    ledger = Ledger()
    one = ledger.device("a", buyer=True)
    one.refused.add(7)
    one.read(CHAT, 1, CIDS[1], own=6)
    one.read(CHAT, 2, CIDS[1], own=6)
    one.read(CHAT, 3, CIDS[3], own=7)
    counts = judge([ledger.rows()]).counts
    assert (counts.duplicate, counts.untrue) == (1, 1)


def test_a_mark_says_who_when_and_which_and_is_a_uuid7() -> None:
    """RFC 9562 §5.7, §6.2."""
    now = 1_795_302_000_123_456_789
    cid = new_mark(run=513, client=70_000, count=12, now_ns=now)
    mark = read_mark(513, cid)
    assert (cid.version, cid.variant) == (7, "specified in RFC 4122")
    assert mark is not None
    assert mark[:2] == Mark(70_000, 12, 0)[:2]
    assert 0 <= now - mark.sent_ns < 250
    assert read_mark(514, cid) is None
    assert read_mark(513, None) is None


def test_fan_out_is_put_together_over_generators() -> None:
    one, other, whole = Fanout(), Fanout(), Fanout()
    ts = 1_000_000
    commit = ts * 1_000_000 + 500_000
    assert one.deliver("chat", "x", ts, commit + 3_000_000) == 3
    one.deliver("chat", "x", ts, commit + 5_000_000)
    other.deliver("chat", "x", ts, commit + 9_000_000)
    for part in (one, other):
        whole.merge(part.take(commit + 10_000_000))
    assert list(one.take(commit + 10_000_000)) == []
    (spread,) = whole.take(commit + 10_000_000)
    assert (spread.first_ms, spread.last_ms, spread.count) == (3, 9, 3)


def test_the_tables_of_the_page_are_those_of_the_code() -> None:
    page = README.read_text("utf-8")
    for table in (habits_table(), shapes_table(), bounds_table()):
        assert table in page, f"bench/README.md lacks this table:\n{table}"


def test_habits_are_sped_up_and_factored_and_unknown_ones_refused() -> None:
    usual, quick = Habits(), Habits(2, {"buyer.open": 3, "buyer.leave": 0})
    assert quick.rates("buyer")["buyer.open"] == pytest.approx(6 * usual.rates("buyer")["buyer.open"])
    assert "buyer.leave" not in quick.rates("buyer")
    with pytest.raises(KeyError):
        Habits(1, {"buyer.fly": 2})
    known = {habit.name for habit in HABITS}
    assert all(shape.factors.keys() <= known for shape in SHAPES.values())


def test_six_in_ten_texts_are_chinese_and_lengths_are_bounded() -> None:
    habits, chance = Habits(), random.Random(1)
    texts = [text(habits, chance) for _ in range(1000)]
    chinese = [one for one in texts if any("\u4e00" <= letter <= "\u9fff" for letter in one)]
    assert 0.55 < len(chinese) / len(texts) < 0.65
    assert all(6 <= len(one) <= 60 for one in chinese)


def test_an_agenda_does_what_is_due_and_does_not_catch_up() -> None:
    agenda, done = Agenda(random.Random(1)), list[str]()
    agenda.start({"walk": 1.0, "unknown": 1.0}, {"walk": lambda: done.append("walk")}, 0.0)
    agenda.add(0.0, lambda: done.append("once"))
    while (act := agenda.take(1000.0)) is not None:
        act()
    assert done == ["once", "walk"]
    assert (agenda.next_at() or 0) > 1000


def test_a_shape_is_shortened_with_its_cuts_inside() -> None:
    times = Times.of(SHAPES["reconnect_storm"], 60)
    assert times.rise == 20
    assert [times.cuts(at) for at in (0, 34, 36, 51, 59)] == [0, 0, 1, 2, 2]
    assert not times.over(59)
    assert times.over(60)
    assert Times.of(SHAPES["peak_hour"], None).cuts(300) == 0


def test_a_cast_staffs_exhibitors_and_holds_other_accounts() -> None:
    homes = [uuid4() for _ in range(40)]
    actors = [Actor(id=uuid4(), fair="demo", login="organiser", kind="organiser")]
    actors += [Actor(id=uuid4(), fair="demo", login=f"b{number}", kind="buyer") for number in range(200)]
    for home in homes:
        for kind in ("main", "business", "business", "manager", "exhibit"):
            actors.append(Actor(id=uuid4(), fair="demo", login="x", kind=kind, exhibitor=home))
    cast = Cast.of(actors, 100, 50)
    assert len(cast.buyers) >= 70
    assert len(cast.team) >= 30
    assert set(cast.staffed) == set(homes[:10])
    assert all(one.kind in {"main", "manager", "business"} for one in cast.team)
    acting = {one.id for one in (*cast.buyers, *cast.team, *cast.organisers)}
    assert len(cast.held) == 50
    assert not acting & {one.id for one in cast.held}
    assert cast.of_role("organiser") == cast.organisers
    with pytest.raises(ValueError, match="need"):
        Cast.of(actors, 1000)


def test_factors_of_the_command_line_come_on_top_of_the_shapes() -> None:
    factors = factors_of(SHAPES["peak_hour"].factors, "buyer.open=3,buyer.book=0.5")
    assert factors == {"organiser.announce": 3, "buyer.open": 6, "buyer.write": 2, "buyer.book": 0.5}
    with pytest.raises(ValueError, match="much"):
        factors_of({}, "buyer.open=much")
