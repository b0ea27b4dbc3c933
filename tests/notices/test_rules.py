"""The decisions about notices, by table and by the thousand (N1, N3, N4, N6, N7, N9, N10)."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwire_protocol.events import NoticeKind
from fairwire_server.notices.rules import (
    KINDS,
    Addressee,
    Budget,
    Failure,
    Spend,
    after_failure,
    after_loss,
    channels_for,
    fall_over,
    may_spend,
    planned_state,
    prescribed,
    quiet_until,
)

NOW = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
ALL: tuple[NoticeKind, ...] = get_args(NoticeKind)
N1: tuple[NoticeKind, ...] = (
    "assigned", "reassigned", "changed", "rejected", "cancelled", "reminder_day", "reminder_soon"
)  # fmt: skip


def test_every_kind_has_its_row_and_only_n1s_may_be_an_sms_n10() -> None:
    assert set(KINDS) == set(ALL)
    assert {kind for kind in ALL if KINDS[kind].n1} == set(N1)
    assert min(KINDS["reminder_soon"].priority, 0) == KINDS["reminder_soon"].priority < KINDS["assigned"].priority
    assert KINDS["reminder_day"].priority > KINDS["assigned"].priority


@pytest.mark.parametrize(
    ("who", "channel"),
    [
        (Addressee(side="team", domicile="domestic", added={}), "sms"),
        (Addressee(side="team", domicile="domestic", email=True, added={}), "sms"),
        (Addressee(side="team", domicile="overseas", mobile=True, domestic_number=True, added={}), "email"),
        (Addressee(side="buyer", country="CN", email=True, mobile=True, added={}), "email"),
        (Addressee(side="buyer", country="CN", mobile=True, added={}), "sms"),
        (Addressee(side="buyer", country="BR", mobile=True, domestic_number=True, added={}), "email"),
        (Addressee(side="buyer", mobile=True, domestic_number=True, added={}), "sms"),
        (Addressee(side="buyer", mobile=True, added={}), "email"),
    ],
)
def test_the_prescribed_channel_n1(who: Addressee, channel: str) -> None:
    assert {prescribed(kind, who) for kind in N1} == {channel}
    assert {prescribed(kind, who) for kind in ALL if kind not in N1} == {None}


people = st.builds(
    Addressee,
    side=st.sampled_from(["buyer", "team"]),
    domicile=st.sampled_from(["domestic", "overseas"]),
    country=st.sampled_from([None, "CN", "BR"]),
    email=st.booleans(),
    mobile=st.booleans(),
    domestic_number=st.booleans(),
    added=st.dictionaries(st.sampled_from(ALL), st.lists(st.sampled_from(["email", "sms"]), max_size=2).map(tuple)),
    reminders_by_mail=st.booleans(),
)


@given(people, st.sampled_from(ALL))
def test_a_preference_takes_nothing_away_that_n1_prescribes_n9(who: Addressee, kind: NoticeKind) -> None:
    chosen = channels_for(kind, who)
    assert "in_app" in chosen
    own = prescribed(kind, who)
    if own is not None and kind != "reminder_day":
        assert own in chosen
    if kind not in N1:
        assert "sms" not in chosen
    if kind == "reminder_day" and not who.reminders_by_mail:
        assert "email" not in chosen


@given(st.sampled_from(ALL), st.integers(-90_000, 90_000), st.integers(1, 90_000), st.booleans())
def test_what_is_planned_is_of_use_n3(kind: NoticeKind, due_s: int, more_s: int, at_once: bool) -> None:
    due = NOW if at_once else NOW + timedelta(seconds=due_s)
    useless = due + timedelta(seconds=more_s)
    state, reason = planned_state(kind, due_at=due, useless_at=useless, at_once=at_once, now=NOW)
    if useless <= NOW:
        assert (state, reason) == ("skipped", "too_late")
    elif not at_once and due <= NOW:
        assert state == ("planned" if kind == "reminder_soon" else "skipped")
    else:
        assert state == "planned"


@given(
    st.sampled_from(ALL), st.integers(1, 30), st.booleans(), st.booleans(), st.booleans(),
    st.one_of(st.none(), st.floats(0, 10_000)), st.integers(-10, 200_000), st.floats(0, 1),
)  # fmt: skip
def test_every_failure_ends_or_is_tried_again_while_of_use_n6(
    kind: NoticeKind,
    attempts: int,
    final: bool,
    maybe: bool,
    duplicate: bool,
    after: float | None,
    left_s: int,
    jitter: float,
) -> None:
    useless = NOW + timedelta(seconds=left_s)
    failure = Failure(reason="x", final=final, maybe_sent=maybe and not final, after_s=after)
    verdict = after_failure(
        kind, failure, attempts=attempts, duplicate=duplicate, now=NOW, useless_at=useless, jitter=jitter
    )
    if verdict.state == "planned":
        assert verdict.due_at is not None
        assert NOW <= verdict.due_at < useless
        if after is not None:
            assert (verdict.due_at - NOW).total_seconds() >= after - 1e-3, "429 is obeyed"
        if failure.maybe_sent:
            assert verdict.maybe_duplicate
            assert KINDS[kind].again
    else:
        assert verdict.state in ("failed", "unknown")
        assert verdict.falls_over == (final and useless > NOW)


def test_a_lost_attempt_n4() -> None:
    later = NOW + timedelta(minutes=5)
    again = after_loss("reminder_soon", duplicate=False, now=NOW, useless_at=later)
    assert (again.state, again.maybe_duplicate, again.due_at) == ("planned", True, NOW)
    assert after_loss("reminder_soon", duplicate=True, now=NOW, useless_at=later).state == "unknown", (
        "once more, not twice"
    )
    assert after_loss("assigned", duplicate=False, now=NOW, useless_at=later).state == "planned"
    assert after_loss("reminder_day", duplicate=False, now=NOW, useless_at=later).state == "unknown"
    assert after_loss("assigned", duplicate=False, now=later, useless_at=later).state == "unknown"


def test_sms_falls_over_to_email_and_email_to_the_app_n6() -> None:
    assert [fall_over(channel, "assigned") for channel in ("sms", "email", "in_app")] == ["email", "in_app", None]


@given(st.lists(st.sampled_from(["reminder_soon", "reminder_day", "assigned", "changed"]), max_size=60))
def test_the_budget_keeps_its_shares_and_never_withholds_a_t15_n7(wanted: list[NoticeKind]) -> None:
    spent: dict[Spend, int] = {"soon": 0, "assigned": 0, "day_ahead": 0}
    for kind in wanted:
        fits = may_spend(kind, spent, Budget())
        assert fits or kind != "reminder_soon"
        spend = KINDS[kind].spend
        if fits and spend is not None:
            spent[spend] += 1
    assert spent["day_ahead"] <= 3
    assert spent["day_ahead"] + spent["assigned"] <= 6
    assert spent["soon"] == wanted.count("reminder_soon")


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 - the zone is the next argument
    st.sampled_from(["Asia/Shanghai", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Kiritimati", "Europe/Paris"]),
    st.times(), st.times(),
)  # fmt: skip
def test_quiet_hours_end_within_a_day_at_their_hour_n9(at: datetime, zone: str, first: time, last: time) -> None:
    local = at.replace(tzinfo=ZoneInfo(zone))
    until = quiet_until(local, first, last)
    if until is None:
        return
    assert (until.hour, until.minute) == (last.hour, last.minute)
    assert timedelta() <= until.replace(tzinfo=None) - local.replace(tzinfo=None) <= timedelta(days=1)
