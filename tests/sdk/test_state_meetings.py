"""What the reducer makes of bookings and places: kept while they are ahead, with the names of now (M5, M13, W5)."""

from __future__ import annotations

from uuid import UUID

from msgspec import structs

from fairwire import State, apply
from fairwire_protocol import events as e
from fairwire_protocol.frames import Snapshot
from fairwire_protocol.models import Account, Booking, BuyerCard, Company, Person, Place, Proposal, Visitor

ME = Account(id=UUID(int=1), kind="main", name="Main")
BUYER, SALES, SLOT = UUID(int=2), UUID(int=3), UUID(int=4)
NOW = 1_000_000
COMPANY = Company(id=UUID(int=9), name_zh="公司", name_en="Acme")
PLACE = Place(id=UUID(int=7), slot=SLOT, exhibitor=COMPANY, starts_at=NOW + 100, ends_at=NOW + 200)
BOOKING = Booking(
    id=UUID(int=5),
    slot=SLOT,
    conversation=UUID(int=6),
    exhibitor=COMPANY,
    buyer=Visitor(id=BUYER, name="Ana", country="BR", interests=("engines",), avatar="a.png"),
    state="assigned",
    starts_at=NOW + 100,
    ends_at=NOW + 200,
    receiver=Person(id=SALES, name="Sales"),
    proposal=Proposal(
        id=UUID(int=8),
        slot=UUID(int=10),
        starts_at=NOW + 300,
        ends_at=NOW + 400,
        side="team",
        by=Person(id=SALES, name="Sales"),
        expires_at=NOW + 50,
    ),
)


def state(account: Account = ME) -> State:
    part = Snapshot(part=0, last=True, account=account, bookings=(BOOKING,), places=(PLACE,))
    return State.from_snapshot([part], now=NOW)


def after(event: object, before: State | None = None, now: int = NOW) -> State:
    return apply(before or state(), event, 6, now)  # type: ignore[arg-type]


def test_m5_a_booking_enters_with_its_event_and_leaves_when_it_ends() -> None:
    later = structs.replace(BOOKING, starts_at=NOW + 500, ends_at=NOW + 600, time_revision=1)
    assert after(e.BookingChanged(booking=later)).schedule == (later,)
    for ended in ("rejected", "cancelled"):
        assert after(e.BookingChanged(booking=structs.replace(BOOKING, state=ended))).bookings == {}
    assert after(e.PersonRenamed(person=Person(id=UUID(int=99), name="X")), now=NOW + 200).bookings == {}
    assert after(e.BookingChanged(booking=BOOKING), now=NOW + 200).bookings == {}


def test_m13_a_place_is_kept_until_it_is_over_or_its_slot_begins() -> None:
    offered = structs.replace(PLACE, expires_at=NOW + 50)
    assert after(e.PlaceChanged(place=offered)).places == {PLACE.id: offered}
    assert after(e.PlaceChanged(place=offered, outcome="accepted")).places == {}
    assert after(e.BookingChanged(booking=BOOKING), now=NOW + 100).places == {}


def test_w5_a_changed_buyer_changes_in_the_bookings_that_show_it() -> None:
    card = BuyerCard(id=BUYER, name="Ana Silva", country="PT", interests=("pumps",), avatar="b.png", in_base=True)
    [booking] = after(e.ContactChanged(contact=card)).schedule
    assert booking.buyer == Visitor(id=BUYER, name="Ana Silva", country="PT", interests=("pumps",), avatar="b.png")
    stranger = structs.replace(card, id=UUID(int=77))
    assert after(e.ContactChanged(contact=stranger)).schedule == (BOOKING,)


def test_w5_a_buyer_sees_itself_in_its_bookings_and_keeps_its_picture() -> None:
    me = Account(id=BUYER, kind="buyer", name="Ana", country="BR", interests=("engines",))
    renamed = structs.replace(me, name="Ana Silva", country="PT", interests=("pumps",))
    [booking] = after(e.AccountChanged(account=renamed), state(me)).schedule
    assert booking.buyer == Visitor(id=BUYER, name="Ana Silva", country="PT", interests=("pumps",), avatar="a.png")


def test_w5_a_renamed_colleague_changes_as_receiver_and_as_who_proposes() -> None:
    person = Person(id=SALES, name="Sales Two")
    [booking] = after(e.PersonRenamed(person=person)).schedule
    assert booking.receiver == person
    assert booking.proposal is not None
    assert booking.proposal.by == person
