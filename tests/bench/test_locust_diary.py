"""What a load run counts of bookings, without a server: every way in which lists, events and acknowledgements can disagree."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from bench.locust.diary import BookingVerdict, Diary, Page, judge_bookings
from bench.locust.ledger import Ledger
from fairwire_protocol.models import Booking, BookingState, Company, Person, Visitor

NOW = 1_795_302_000_000
HOUR = 3_600_000
BUYER, OTHER, EXHIBITOR, SALES, MAIN, SLOT = (UUID(int=number) for number in range(1, 7))


def booking(
    number: int = 1, state: BookingState = "pending", *, buyer: UUID = BUYER, receiver: UUID | None = None, hour: float = 1,
    changed: int = 1,
) -> Booking:  # fmt: skip
    """Half an hour, so many hours from now."""
    starts_at = NOW + int(hour * HOUR)
    return Booking(
        id=UUID(int=100 + number), slot=SLOT, conversation=UUID(int=7), exhibitor=Company(id=EXHIBITOR, name_zh="商", name_en="E"),
        buyer=Visitor(id=buyer, name="B"), state=state, starts_at=starts_at, ends_at=starts_at + HOUR // 2,
        receiver=None if receiver is None else Person(id=receiver, name="R"), changed_at=NOW + changed,
    )  # fmt: skip


class Scene:
    """A buyer and a main account, both connected, and their lists."""

    def __init__(self) -> None:
        self.diary = Diary()
        ledger = Ledger()
        self.devices = {name: ledger.device(name, buyer=name == "buyer") for name in ("buyer", "main", "sales")}
        self.buyer = self._page("buyer", BUYER, None)
        self.main = self._page("main", MAIN, EXHIBITOR)

    def _page(self, name: str, account: UUID, exhibitor: UUID | None) -> Page:
        self.devices[name].present = True
        return self.diary.page(self.devices[name], account, exhibitor, "all" if name == "main" else "own")

    def told(self, *bookings: Booking) -> None:
        """Both are."""
        for one in bookings:
            self.buyer.told(one)
            self.main.told(one)

    def listed(self, *bookings: Booking, capacity: int = 5) -> BookingVerdict:
        """What both lists have in the end."""
        self.diary.listed(BUYER, [one for one in bookings if one.buyer.id == BUYER], NOW)
        self.diary.listed(EXHIBITOR, bookings, NOW, capacity)
        return judge_bookings([self.diary.rows()])


def acknowledged(*bookings: Booking) -> Scene:
    """Everybody knows these, as they should."""
    scene = Scene()
    for one in bookings:
        scene.diary.acked(one.id, one.buyer.id, EXHIBITOR)
    scene.told(*bookings)
    return scene


def test_what_was_acknowledged_told_and_listed_alike_is_clean() -> None:
    scene = acknowledged(booking())
    taken = booking(state="assigned", receiver=SALES, changed=2)
    scene.told(taken)
    scene.diary.changed(taken)
    verdict = scene.listed(taken)
    assert verdict.clean
    assert (verdict.counts.acked, verdict.counts.changed, verdict.counts.told, verdict.listed) == (1, 1, 4, 1)


def test_an_acknowledged_booking_that_is_in_nobodys_list_is_lost() -> None:
    """M4, W7: once for each list that lacks it, and for each device that was told of it."""
    assert acknowledged(booking()).listed().lost == 4


def test_a_list_of_one_side_that_lacks_it_is_enough() -> None:
    scene = acknowledged(booking())
    scene.diary.listed(BUYER, [], NOW)
    scene.diary.listed(EXHIBITOR, [booking()], NOW, 5)
    assert judge_bookings([scene.diary.rows()]).lost == 1


@pytest.mark.parametrize(
    "final",
    [
        booking(state="cancelled"),
        booking(state="assigned", receiver=SALES),
        booking(hour=2),
    ],
    ids=["state", "receiver", "time"],
)
def test_an_event_that_the_lists_contradict_is_counted_for_each_device(final: Booking) -> None:
    """M6, W5: state, receiving account and time."""
    assert acknowledged(booking()).listed(final).lost == 2


def test_a_booking_whose_lists_nobody_could_read_is_said() -> None:
    assert judge_bookings([acknowledged(booking()).diary.rows()]).unseen == 1
    assert acknowledged(booking()).listed(booking()).unseen == 0


def test_a_device_that_was_never_told_is_counted_unless_it_is_away() -> None:
    scene = Scene()
    assert scene.listed(booking()).lost == 2
    scene.devices["buyer"].present = False
    assert scene.listed(booking()).lost == 1


def test_a_business_account_owes_what_it_receives_only() -> None:
    """A7: *own*."""
    scene = acknowledged(booking(1, "assigned", receiver=SALES), booking(2, hour=2))
    sales = scene._page("sales", SALES, EXHIBITOR)
    verdict = scene.listed(booking(1, "assigned", receiver=SALES), booking(2, hour=2))
    assert verdict.lost == 1
    sales.told(booking(1, "assigned", receiver=SALES))
    assert judge_bookings([scene.diary.rows()]).clean


def test_a_first_state_makes_up_for_what_was_missed_and_has_no_ended_ones() -> None:
    """W5."""
    scene = Scene()
    scene.told(booking(1), booking(2, hour=2))
    ended = booking(1, "rejected", changed=2)
    for page in (scene.buyer, scene.main):
        page.resync([booking(2, hour=2)])
    assert scene.listed(ended, booking(2, hour=2)).clean


def test_a_list_older_than_an_acknowledged_change_is_counted() -> None:
    scene = acknowledged(booking())
    scene.diary.changed(booking(state="cancelled", changed=2))
    assert scene.listed(booking()).lost == 1


@pytest.mark.parametrize(
    ("bookings", "overlaps"),
    [
        ((booking(1), booking(2, hour=1.25)), 1),
        ((booking(1), booking(2, hour=1.5)), 0),
        ((booking(1), booking(2, "rejected", hour=1.25)), 0),
        ((booking(1, "assigned", receiver=SALES), booking(2, "assigned", buyer=OTHER, receiver=SALES)), 1),
        ((booking(1, "assigned", receiver=SALES), booking(2, "assigned", buyer=OTHER, receiver=MAIN)), 0),
        ((booking(1, "assigned", receiver=SALES), booking(2, buyer=OTHER)), 0),
    ],
    ids=["buyer", "one_after_the_other", "ended", "receiver", "two_receivers", "pending"],
)
def test_nobody_is_in_two_meetings_at_once(bookings: tuple[Booking, ...], overlaps: int) -> None:
    """M4: a buyer's pending and assigned ones, a receiving account's assigned ones."""
    verdict = acknowledged(*bookings).listed(*bookings)
    assert (verdict.lost, verdict.overlaps) == (0, overlaps)
    assert verdict.clean is not bool(overlaps)


def test_live_bookings_above_a_slots_capacity_are_counted() -> None:
    """M2: pending and assigned ones use capacity."""
    bookings = [booking(number, buyer=UUID(int=50 + number)) for number in range(4)]
    bookings[0] = booking(0, "cancelled", buyer=UUID(int=50))
    assert acknowledged(*bookings).listed(*bookings, capacity=2).overlaps == 1
    assert acknowledged(*bookings).listed(*bookings, capacity=3).overlaps == 0


def test_a_reminder_twice_in_the_app_is_counted() -> None:
    """N4."""
    scene = acknowledged(booking())
    for _ in range(2):
        assert scene.buyer.reminded(booking().id, NOW + 1)
    assert not scene.main.reminded(booking().id, NOW)  # assigned after T−15: told at once, and not late (N3)
    verdict = scene.listed(booking())
    assert (verdict.counts.reminded, verdict.counts.twice) == (3, 1)
    assert not verdict.clean


def test_generators_are_put_together() -> None:
    """What one was told is owed by the list that another has read."""
    one, other = acknowledged(booking()), Scene()
    other.told(booking())
    other.listed(booking(state="cancelled", changed=2))
    verdict = judge_bookings([one.diary.rows(), other.diary.rows()])
    assert (verdict.counts.acked, verdict.lost) == (1, 4)


def test_news_are_told_from_what_is_known_already() -> None:
    """The fan-out counts changes: a proposal is told with the same state, time and account."""
    scene = Scene()
    changes: list[Callable[[], Booking]] = [booking, booking, lambda: booking(state="cancelled")]
    assert [scene.buyer.told(make()) for make in changes] == [True, False, True]
