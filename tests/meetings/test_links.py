"""M9: what a link proves, and what does not pass for one."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from fairwire_protocol.models import Side
from fairwire_server.accounts.tokens import Tokens
from fairwire_server.meetings.links import Invitation, Links

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def links(secret: bytes = b"s" * 32) -> Links:
    return Links(Tokens(secret, timedelta(minutes=15)).key, "https://fair.example/")


@pytest.mark.parametrize("side", ["buyer", "team"])
def test_a_link_is_derived_again_and_says_what_it_is_bound_to_m9(side: Side) -> None:
    invitation = Invitation(uuid4(), uuid4(), side)
    token = links().token(invitation)
    assert links().read(token) == invitation
    assert links().token(invitation) == token
    assert links().address(invitation) == f"https://fair.example/m/{token}"


def test_a_link_is_for_one_invitation_booking_and_side_m9() -> None:
    invitation = Invitation(uuid4(), uuid4(), "buyer")
    others = (
        Invitation(uuid4(), invitation.booking, "buyer"),
        Invitation(invitation.id, uuid4(), "buyer"),
        Invitation(invitation.id, invitation.booking, "team"),
    )
    token = links().token(invitation)
    for other in others:
        forged = links().token(other)[:44] + token[44:]  # another's payload under this one's MAC
        assert links().read(forged) is None
    assert links(b"t" * 32).read(token) is None


def test_every_changed_character_is_noticed_m9() -> None:
    """Also the bits of the last one that base64 does not use: a link has one spelling."""
    token = links().token(Invitation(uuid4(), uuid4(), "team"))
    for at in range(len(token)):
        for other in ALPHABET:
            if other != token[at]:
                assert links().read(token[:at] + other + token[at + 1 :]) is None


@pytest.mark.parametrize("guess", ["", "x", "é" * 66, "=" * 66, "A" * 66, "!" * 66, "A" * 10_000, "\x00" * 66])
def test_nonsense_is_no_link_m9(guess: str) -> None:
    assert links().read(guess) is None
    assert links().read(links().token(Invitation(uuid4(), uuid4(), "buyer")) + guess) is None or not guess


def test_a_room_is_called_the_same_for_everybody_and_its_name_is_not_its_booking_s_id() -> None:
    booking = uuid4()
    assert links().room_name(booking) == links().room_name(booking) != links(b"t" * 32).room_name(booking)
    assert booking.hex not in links().room_name(booking)
    assert links().room_page == "https://fair.example/room"
