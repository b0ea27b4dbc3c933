"""The reducer, rule by rule, and its invariants under random events (W5, W9, C1, C8–C12, K1, K3, K4)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwire.state import WINDOW_MESSAGES, WINDOWS_MAX, State, apply
from fairwire_protocol import events as e
from fairwire_protocol.frames import Snapshot
from fairwire_protocol.models import (
    Account,
    BuyerCard,
    Entry,
    ExhibitorCard,
    Image,
    Marker,
    Message,
    Offer,
    Person,
    Transfer,
)
from fairwire_protocol.session import UnknownEvent
from wire_examples import EVENT_TYPES, full

ME = Person(id=UUID(int=1), name="Me")
COLLEAGUE = Person(id=UUID(int=2), name="Mei")
BUYER = Person(id=UUID(int=3), name="Ana")
CHAT = UUID(int=100)
TEAM = Account(id=ME.id, kind="business", name=ME.name)
BUYER_ACCOUNT = Account(id=BUYER.id, kind="buyer", name=BUYER.name)
CARD = BuyerCard(id=BUYER.id, name=BUYER.name)
NOW = 1_000


def chat(number: int) -> UUID:
    return UUID(int=100 + number)


def message(seq: int, sender: Person | None = BUYER, conversation: UUID = CHAT, **fields: Any) -> Message:
    side = "buyer" if sender == BUYER else "team"
    values = {"kind": "text", "side": side, "ts": seq, "text": f"text {seq}", "sender": sender, **fields}
    return Message(conversation=conversation, seq=seq, **values)


def entry(conversation: UUID = CHAT, at: int = 5, last_seq: int = 5, **fields: Any) -> Entry:
    values = {
        "contact": CARD,
        "holds": True,
        "holder": ME,
        "last": message(last_seq, conversation=conversation),
        **fields,
    }
    return Entry(conversation=conversation, at=at, last_seq=last_seq, **values)


def team(*entries: Entry, **fields: Any) -> State:
    return State(TEAM, {x.conversation: x for x in entries or (entry(),)}, **fields)


def posted(seq: int, sender: Person | None = BUYER, entries: tuple[Entry, ...] = (), **fields: Any) -> e.MessagePosted:
    return e.MessagePosted(message=message(seq, sender, **fields), entries=entries)


def after(state: State, *events: Any, pos: int = 6) -> Entry:
    for number, event in enumerate(events):
        state = apply(state, event, pos + number, NOW)
    return state.entries[CHAT]


def test_w8_a_message_moves_the_contact_by_position_not_by_clock() -> None:
    state = team(entry(), entry(chat(1), at=6))
    assert [x.conversation for x in state.recent] == [chat(1), CHAT]
    state = apply(state, posted(6, ts=-1), 7, NOW)
    moved = state.entries[CHAT]
    assert (moved.at, moved.last_seq, moved.last) == (7, 6, message(6, ts=-1))
    assert [x.conversation for x in state.recent] == [CHAT, chat(1)]


def test_c1_a_buyers_message_opens_the_chat_and_an_answer_leaves_it_open() -> None:
    assert after(team(), posted(6)).open
    assert after(team(), posted(6), posted(7, ME)).open
    assert not after(team(), posted(6, ME)).open


def test_c11_only_text_and_images_of_the_team_end_the_wait() -> None:
    waiting = team(entry(open=True, waiting_since=9))
    assert after(waiting, posted(6)).waiting_since == 9
    assert after(waiting, posted(6, ME)).waiting_since is None
    image = Image(id=CHAT, kind="png", width=1, height=1, bytes=1)
    assert after(waiting, posted(6, ME, kind="image", text=None, image=image)).waiting_since is None
    assert after(waiting, e.Handled(conversation=CHAT, ts=1)).waiting_since is None
    assert not after(waiting, e.Handled(conversation=CHAT, ts=1)).open
    assert after(team(), e.Waiting(conversation=CHAT, since=4)).waiting_since == 4


def test_w9_sending_reads_what_was_sent() -> None:
    own = after(team(), posted(6, ME))
    assert (own.read, own.received) == (6, 6)
    moved = after(team(entry(markers=(Marker(account=BUYER.id, side="buyer", received=5, read=2),))), posted(6))
    assert moved.markers == (Marker(account=BUYER.id, side="buyer", received=6, read=6),)
    assert moved.read == 0
    exhibitor = entry(contact=ExhibitorCard(id=CHAT, name_zh="", name_en=""), holds=False, holder=COLLEAGUE)
    seen = after(State(BUYER_ACCOUNT, {CHAT: exhibitor}), posted(6, COLLEAGUE))
    assert seen.markers == (Marker(account=None, side="team", received=6, read=6),)


def test_w9_markers_only_rise_and_the_own_one_is_the_entrys() -> None:
    def moved(account: UUID, received: int, read: int) -> e.MarkerMoved:
        side: Any = "team" if account == ME.id else "buyer"
        return e.MarkerMoved(conversation=CHAT, marker=Marker(account=account, side=side, received=received, read=read))

    seen = after(team(), moved(ME.id, 4, 3), moved(ME.id, 2, 5), moved(BUYER.id, 4, 3), moved(BUYER.id, 5, 1))
    assert (seen.received, seen.read) == (4, 5)
    assert seen.markers == (Marker(account=BUYER.id, side="buyer", received=5, read=3),)


def test_c9_who_gives_a_chat_away_keeps_a_frozen_entry() -> None:
    given = posted(
        6, ME, kind="transfer", text=None, transfer=Transfer(to=COLLEAGUE, source=ME, by=ME, reason="transfer")
    )
    start = team(
        entry(open=True, blocked_by_team=True, waiting_since=3, markers=(Marker(account=BUYER.id, side="buyer"),))
    )
    frozen = after(start, given)
    assert frozen == entry(
        at=6, last_seq=6, last=given.message, read=6, received=6, holds=False, readable_to=6, holder=None, open=False
    )
    later = [
        posted(7), e.Handled(conversation=CHAT, ts=1), e.Waiting(conversation=CHAT, since=1),
        e.BlockChanged(conversation=CHAT, blocked_by_buyer=True, blocked_by_team=True),
        e.MarkerMoved(conversation=CHAT, marker=Marker(account=BUYER.id, side="buyer", read=7)),
    ]  # fmt: skip
    assert after(start, given, *later) == frozen
    recalled = after(start, given, e.MessageRecalled(conversation=CHAT, seq=6, ts=1))
    assert recalled.last is not None
    assert recalled.last.recalled
    pinned = after(start, given, e.ContactMarked(conversation=CHAT, pinned_at=4))
    assert pinned.pinned_at == 4


def test_w9_who_moves_a_chat_between_two_others_has_not_read_it() -> None:
    manager = Person(id=UUID(int=4), name="Wang")
    moved = Transfer(to=ME, source=COLLEAGUE, by=manager, reason="transfer")
    for sender, markers in (
        (manager, ()),
        (COLLEAGUE, (Marker(account=COLLEAGUE.id, side="team", received=6, read=6),)),
    ):
        event = posted(6, sender, (entry(last_seq=6),), kind="transfer", text=None, transfer=moved)
        assert after(team(), event).markers == markers


def test_c8_a_transfer_names_the_new_holder_to_the_buyer() -> None:
    exhibitor = entry(contact=ExhibitorCard(id=CHAT, name_zh="", name_en=""), holds=False, holder=ME)
    event = posted(6, None, kind="transfer", text=None, transfer=Transfer(to=COLLEAGUE))
    seen = after(State(BUYER_ACCOUNT, {CHAT: exhibitor}), event)
    assert (seen.holder, seen.holds, seen.readable_to) == (COLLEAGUE, False, None)


def test_w5_an_event_that_brings_a_chat_into_view_carries_its_entry() -> None:
    to_me = Transfer(to=ME, source=COLLEAGUE, by=COLLEAGUE, reason="transfer")
    brought = entry(chat(1), at=8, last_seq=9, open=True)
    event = posted(9, COLLEAGUE, (brought,), conversation=chat(1), kind="transfer", text=None, transfer=to_me)
    state = apply(team(), event, 8, NOW)
    assert state.entries[chat(1)].holds
    assert state.entries[chat(1)].last == event.message
    assert state.windows[chat(1)] == (event.message,)


@pytest.mark.parametrize(
    "event",
    [
        posted(6, conversation=chat(9)), e.MessageRecalled(conversation=chat(9), seq=1, ts=1),
        e.Handled(conversation=chat(9), ts=1), e.Waiting(conversation=chat(9), since=1),
        e.MarkerMoved(conversation=chat(9), marker=Marker(account=ME.id, side="team", read=3)),
        e.BlockChanged(conversation=chat(9), blocked_by_buyer=True, blocked_by_team=False),
        e.Notice(kind="report", ts=1), UnknownEvent(type="booking", body={}), full(e.Announcement),
    ],
    ids=lambda event: type(event).__name__,
)  # fmt: skip
def test_w3_events_about_what_is_not_in_view_change_nothing(event: Any) -> None:
    state = team()
    assert apply(state, event, 6, NOW) == state


def test_c12_a_recalled_message_stays_without_its_content() -> None:
    state = apply(team(entry(open=True)), posted(6), 6, NOW)
    state = apply(state, e.MessageRecalled(conversation=CHAT, seq=6, ts=9), 7, NOW)
    gone = message(6, text=None, recalled=True)
    assert state.entries[CHAT].last == gone
    assert state.windows[CHAT] == (gone,)
    assert state.entries[CHAT].at == 6


def test_c8_offers_wait_until_answered_or_over() -> None:
    offer = Offer(id=chat(5), conversation=CHAT, source=COLLEAGUE, to=ME, expires_at=NOW + 1, contact=CARD)
    state = apply(team(), e.OfferMade(offer=offer), 6, NOW)
    assert state.offers == {offer.id: offer}
    closed = e.OfferClosed(id=offer.id, conversation=CHAT, outcome="declined")
    assert apply(state, closed, 7, NOW).offers == {}
    assert apply(state, posted(6), 7, NOW + 1).offers == {}


def test_k3_k4_marks_reach_stars_beyond_the_list() -> None:
    state = apply(team(), e.ContactMarked(conversation=chat(7), starred=True), 6, NOW)
    assert state.starred == {chat(7)}
    state = apply(state, e.ContactMarked(conversation=CHAT, pinned_at=4, starred=True), 7, NOW)
    assert (state.entries[CHAT].pinned_at, state.entries[CHAT].starred) == (4, True)
    state = apply(state, e.ContactMarked(conversation=CHAT), 8, NOW)
    assert (state.entries[CHAT].pinned_at, state.entries[CHAT].starred, state.starred) == (
        None,
        False,
        frozenset({chat(7)}),
    )
    assert state.entries[CHAT].at == 5


def test_names_change_but_for_those_a_transfer_keeps() -> None:
    transfer = Transfer(to=ME, source=COLLEAGUE, by=COLLEAGUE)
    state = team(entry(holder=COLLEAGUE, open=True, last=message(5, COLLEAGUE, kind="transfer", transfer=transfer)))
    fresh = Person(id=COLLEAGUE.id, name="Mei Ling")
    renamed = apply(state, e.PersonRenamed(person=fresh), 6, NOW).entries[CHAT]
    assert renamed.holder == fresh
    assert renamed.last is not None
    assert renamed.last.transfer is not None
    assert (renamed.last.sender, renamed.last.transfer.source, renamed.last.transfer.to) == (fresh, COLLEAGUE, ME)
    card = msgspec.structs.replace(CARD, name="Ana B.", in_base=True)
    changed = apply(team(), e.ContactChanged(contact=card), 6, NOW).entries[CHAT]
    assert changed.contact == card
    assert changed.last is not None
    assert changed.last.sender == Person(id=BUYER.id, name="Ana B.")


def test_account_and_block() -> None:
    account = msgspec.structs.replace(TEAM, name="I", language="en")
    assert apply(team(), e.AccountChanged(account=account), 6, NOW).account == account
    blocked = after(team(), e.BlockChanged(conversation=CHAT, blocked_by_buyer=True, blocked_by_team=False))
    assert (blocked.blocked_by_buyer, blocked.blocked_by_team) == (True, False)


def test_w5_windows_are_a_suffix_without_gaps_of_the_newest_open_chats() -> None:
    state = team(*(entry(chat(number), at=number, last_seq=5) for number in range(30)))
    pos = 30
    for number in range(25):
        for seq in range(6, 6 + 23):
            pos += 1
            state = apply(state, posted(seq, conversation=chat(number)), pos, NOW)
    assert set(state.windows) == {chat(number) for number in range(25 - WINDOWS_MAX, 25)}
    for window in state.windows.values():
        assert [x.seq for x in window] == list(range(29 - WINDOW_MESSAGES, 29))
    state = apply(state, posted(40, conversation=chat(24)), pos + 1, NOW)
    assert [x.seq for x in state.windows[chat(24)]] == [40]  # 29…39 are not known
    state = apply(state, e.Handled(conversation=chat(24), ts=1), pos + 2, NOW)
    assert chat(24) not in state.windows


def test_w5_the_first_state_is_put_together_from_its_parts() -> None:
    open_entry = entry(open=True)
    offer = Offer(id=chat(5), conversation=CHAT, source=COLLEAGUE, to=ME, expires_at=NOW, contact=CARD)
    alive = msgspec.structs.replace(offer, id=chat(6), expires_at=NOW + 1)
    parts = [
        Snapshot(part=0, last=False, account=TEAM, entries=(open_entry,), offers=(offer, alive)),
        Snapshot(part=1, last=True, starred=(CHAT,), messages=(message(5), message(4))),
    ]
    state = State.from_snapshot(parts, now=NOW)
    assert state == State(
        TEAM, {CHAT: open_entry}, frozenset({CHAT}), {CHAT: (message(4), message(5))}, {alive.id: alive}
    )
    with pytest.raises(ValueError, match="account"):
        State.from_snapshot([Snapshot(part=0, last=True)])


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("message"), st.integers(0, 8)),
            st.tuples(st.just("pin"), st.integers(0, 2)),
            st.tuples(st.just("unpin"), st.integers(0, 2)),
        ),
        min_size=20,
        max_size=60,
    )
)
def test_k1_k4_the_cap_evicts_exactly_the_oldest_unpinned(steps: list[tuple[str, int]]) -> None:
    """Against a plain model of the rule with a cap of 5: everything ever seen, pinned ones kept, the newest of the rest."""
    limit = 5
    state = State(TEAM, limit=limit)
    shown: dict[UUID, tuple[int, bool]] = {}
    for pos, (what, number) in enumerate(steps, 1):
        key = chat(number)
        if what == "message":
            pinned = shown.get(key, (0, False))[1]
            at = entry(key, at=pos, last_seq=pos, pinned_at=1 if pinned else None)
            state = apply(state, posted(pos, entries=(at,), conversation=key), pos, NOW)
            shown[key] = (pos, pinned)
        elif key in shown:
            shown[key] = (shown[key][0], what == "pin")
            state = apply(state, e.ContactMarked(conversation=key, pinned_at=1 if what == "pin" else None), pos, NOW)
        while len(shown) > limit:
            del shown[min((key for key, (_, pinned) in shown.items() if not pinned), key=lambda key: shown[key][0])]
        order = sorted(shown, key=lambda key: (not shown[key][1], -shown[key][0]))
        assert [x.conversation for x in state.recent] == order


@given(st.lists(st.sampled_from(EVENT_TYPES), max_size=15), st.integers(0, 3))
def test_applying_any_event_gives_a_state_and_changes_no_old_one(kinds: list[Any], start: int) -> None:
    state = team(*(entry(chat(number), at=number) for number in range(1 + start)))
    for pos, kind in enumerate(kinds, 10):
        before = (dict(state.entries), dict(state.windows), state.starred, dict(state.offers))
        following = apply(state, full(kind), pos, NOW)
        assert before == (state.entries, state.windows, state.starred, state.offers)
        assert len(following.entries) <= following.limit
        assert set(following.windows) <= set(following.entries)
        state = following
