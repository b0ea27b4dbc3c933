"""The life of a booking as its table has it, walked pair by pair (M4–M7, M14)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import get_args
from uuid import uuid4

import pytest

from fairwire_protocol.errors import Refused
from fairwire_protocol.models import BookingState
from fairwire_server.accounts.rules import DEFAULT
from fairwire_server.meetings.rules import (
    ENDS_AT,
    TRANSITIONS,
    BookingFact,
    Candidate,
    Event,
    accepted,
    assigned,
    check_receiver,
    clean_text,
    ended,
    expiry,
    is_overdue,
    stepped,
)

STARTS = datetime(2026, 11, 5, 9, 0, tzinfo=UTC)
ENDS = STARTS + timedelta(minutes=30)
BEFORE, DURING, AFTER = STARTS - timedelta(hours=1), STARTS + timedelta(minutes=5), ENDS
STATES: tuple[BookingState, ...] = get_args(BookingState)
EVENTS: tuple[Event, ...] = get_args(Event)


def booking(state: BookingState = "pending") -> BookingFact:
    ids = [uuid4() for _ in range(6)]
    return BookingFact(
        id=ids[0],
        fair=ids[1],
        exhibitor=ids[2],
        buyer=ids[3],
        slot=ids[4],
        conversation=ids[5],
        starts_at=STARTS,
        ends_at=ENDS,
        state=state,
        receiver=uuid4() if state == "assigned" else None,
        receiver_name="Li Lei" if state == "assigned" else "",
        room_number="000000042" if state == "assigned" else None,
    )


# What the rules say in words, written anew: which events a state allows, and the last moment of each.
LIFE: dict[BookingState, dict[Event, tuple[BookingState, datetime]]] = {
    "pending": {
        "assign": ("assigned", DURING), "reject": ("rejected", AFTER), "cancel": ("cancelled", AFTER), "propose": ("pending", BEFORE),
        "accept": ("pending", BEFORE), "decline": ("pending", AFTER), "withdraw": ("pending", AFTER), "expire": ("pending", AFTER),
    },
    "assigned": {
        "assign": ("assigned", DURING), "cancel": ("cancelled", DURING), "propose": ("assigned", BEFORE), "accept": ("assigned", BEFORE),
        "decline": ("assigned", AFTER), "withdraw": ("assigned", AFTER), "expire": ("assigned", AFTER),
    },
    "rejected": {},
    "cancelled": {},
}  # fmt: skip


@pytest.mark.parametrize(("state", "event"), list(product(STATES, EVENTS)))
def test_every_pair_of_state_and_event_m5(state: BookingState, event: Event) -> None:
    allowed = LIFE[state].get(event)
    for now in (BEFORE, DURING, AFTER):
        if allowed is None:
            with pytest.raises(Refused) as refused:
                stepped(booking(state), event, now)
            assert refused.value.code == "wrong_state"
            assert refused.value.detail == {"state": state}
        elif now <= allowed[1]:
            assert stepped(booking(state), event, now) == allowed[0]
        else:
            with pytest.raises(Refused) as refused:
                stepped(booking(state), event, now)
            assert refused.value.code == "too_late"


def test_the_tables_name_no_pair_that_is_not_one() -> None:
    assert set(ENDS_AT) <= set(TRANSITIONS)


def test_counters_of_an_assignment_and_of_another_m6_m14() -> None:
    first, second = uuid4(), uuid4()
    kind, one = assigned(booking(), first, "Li Lei", "123456789")
    assert (kind, one.state, one.receiver, one.assignment, one.sequence, one.time_revision) == (
        "assigned",
        "assigned",
        first,
        1,
        1,
        0,
    )
    kind, two = assigned(one, second, "Han Meimei", "123456789")
    assert (kind, two.receiver, two.assignment, two.sequence) == ("reassigned", second, 2, 2)
    assert two.room_number == one.room_number


def test_rejected_and_cancelled_raise_the_sequence_and_keep_who_received_m14() -> None:
    before = booking("assigned")
    after = ended(before, "cancelled", "buyer", "ill")
    assert (after.state, after.ended_by, after.reason, after.sequence) == (
        "cancelled",
        "buyer",
        "ill",
        before.sequence + 1,
    )
    assert (after.receiver, after.assignment, after.time_revision) == (
        before.receiver,
        before.assignment,
        before.time_revision,
    )


def test_a_move_changes_the_time_alone_while_the_receiver_is_free_m6_m7() -> None:
    before, slot, later = booking("assigned"), uuid4(), STARTS + timedelta(days=1)
    [(kind, after)] = accepted(before, slot, later, later + timedelta(minutes=30), receiver_free=True)
    assert kind == "moved"
    assert (after.slot, after.starts_at, after.time_revision, after.sequence) == (slot, later, 1, 1)
    assert (after.state, after.receiver, after.assignment) == ("assigned", before.receiver, before.assignment)


def test_a_move_to_where_the_receiver_is_not_free_makes_it_pending_m2_m7() -> None:
    before, slot, later = booking("assigned"), uuid4(), STARTS + timedelta(days=1)
    (_, moved), (kind, after) = accepted(before, slot, later, later + timedelta(minutes=30), receiver_free=False)
    assert (moved.state, moved.assignment, moved.time_revision) == ("assigned", before.assignment, 1)
    assert (kind, after.state, after.receiver) == ("unassigned", "pending", None)
    assert (after.time_revision, after.assignment, after.sequence) == (1, before.assignment + 1, before.sequence + 2)
    [(_, still)] = accepted(booking(), slot, later, later + timedelta(minutes=30), receiver_free=True)
    assert (still.state, still.assignment) == ("pending", 0)


def test_a_proposal_never_waits_past_either_start_m7() -> None:
    day = timedelta(hours=24)
    assert expiry(STARTS - 3 * day, booking(), STARTS + day, day) == STARTS - 2 * day
    assert expiry(BEFORE, booking(), STARTS + day, day) == STARTS
    assert expiry(BEFORE, booking(), STARTS - timedelta(minutes=30), day) == STARTS - timedelta(minutes=30)


def test_overdue_is_pending_past_its_end_m6() -> None:
    assert not is_overdue("pending", ENDS, ENDS - timedelta(seconds=1))
    assert is_overdue("pending", ENDS, ENDS)
    assert not is_overdue("assigned", ENDS, ENDS + timedelta(days=1))


def candidate(**changes: object) -> Candidate:
    facts = Candidate(uuid4(), booking().exhibitor, "business", "active", "Li Lei", True, False, "domestic")
    return replace(facts, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "ok"),
        ({"kind": "exhibit"}, "bad_receiver"),
        ({"state": "disabled"}, "bad_receiver"),
        ({"state": "suspended"}, "bad_receiver"),
        ({"exhibitor": uuid4()}, "bad_receiver"),
        ({"exhibitor": None, "kind": "buyer"}, "bad_receiver"),
        ({"mobile_verified": False, "email_verified": True}, "receiver_unreachable"),
        ({"domicile": "overseas"}, "receiver_unreachable"),
        ({"domicile": "overseas", "email_verified": True}, "ok"),
    ],
)
def test_who_may_receive_a_meeting_a7_a8_m6(changes: dict[str, object], code: str) -> None:
    fact = booking()
    someone = replace(candidate(), exhibitor=fact.exhibitor)
    someone = replace(someone, **changes)  # type: ignore[arg-type]
    try:
        check_receiver(fact, someone, DEFAULT, confirmed=False)
        outcome = "ok"
    except Refused as refused:
        outcome = refused.code
    assert outcome == code
    if code == "receiver_unreachable":
        assert check_receiver(fact, someone, DEFAULT, confirmed=True) is someone


def test_a_reason_has_one_to_500_characters_m7() -> None:
    assert clean_text("  因为 ", "reason", needed=True)
    assert len(clean_text("😀" * 500, "reason", needed=True)) == 500
    for text, code in (("😀" * 501, "too_long"), (" \n", "invalid"), ("a\0b", "invalid")):
        with pytest.raises(Refused) as refused:
            clean_text(text, "reason", needed=True)
        assert (refused.value.code, refused.value.field) == (code, "reason")
    assert clean_text("  ", "note", needed=False) == ""
