"""`Packed`: arrays of MessagePack that are cut and filled in without being read (W5)."""

from __future__ import annotations

import pytest

from fairwire_protocol.codec import MSGPACK
from fairwire_server.streams.packed import Packed

WORDS = ["a", "bb", "", "c" * 40, "展会", "d" * 300]


def packed(values: list[str | None]) -> Packed[str]:
    """As PostgreSQL hands them over."""
    return Packed(str, len(values), b"".join(MSGPACK.encode(value) for value in values))


def test_it_is_its_values() -> None:
    assert list(packed([*WORDS])) == WORDS
    assert len(packed([*WORDS])) == len(WORDS)
    assert not Packed(str)
    assert list(Packed(str)) == []


@pytest.mark.parametrize("most", [1, 5, 50, 310, 1000])
def test_pieces_are_all_of_it_in_order_and_none_is_too_large_that_could_be_smaller(most: int) -> None:
    pieces = [MSGPACK.decode(b"".join(piece), list[str]) for piece in packed([*WORDS]).pieces(most)]
    assert [word for piece in pieces for word in piece] == WORDS
    for piece in pieces:
        assert len(piece) == 1 or sum(len(MSGPACK.encode(word)) for word in piece) <= most


def test_nil_at_the_end_of_a_value_is_filled_in_order_c8() -> None:
    values = packed(["first", None, "third", None])
    assert list(values.filled([MSGPACK.encode("second"), MSGPACK.encode("fourth")])) == [
        "first",
        "second",
        "third",
        "fourth",
    ]
