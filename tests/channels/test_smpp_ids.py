"""Receipts find their messages whatever form a centre tells ids in (N6; SMPP 3.4, appendix B)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwire_server.channels.smpp_ids import KEPT, ReceiptIds
from fairwire_server.channels.smpp_rules import MESSAGE_PAYLOAD, read_receipt

FORMS = {
    "same": lambda number: (f"{number:x}", f"{number:x}"),
    "same decimal": lambda number: (str(number), str(number)),
    "other case": lambda number: (f"{number:x}", f"{number:X}"),
    "decimal of hexadecimal": lambda number: (f"{number:X}", f"{number:010}"),
    "hexadecimal of decimal": lambda number: (str(number), f"{number:08x}"),
    "padded": lambda number: (str(number), f"{number:010}"),
}


@pytest.mark.parametrize("form", FORMS)
@given(numbers=st.lists(st.integers(0x10000000, 0xFFFFFFFF), min_size=2, max_size=20, unique=True))
def test_a_receipt_is_about_the_message_that_was_given_its_id_n6(form: str, numbers: list[int]) -> None:
    ids = ReceiptIds()
    for number in numbers:
        ids.given([FORMS[form](number)[0]])
    for number in numbers:
        given_id, told = FORMS[form](number)
        assert ids.message_of(told) == (given_id, True)


@pytest.mark.parametrize("form", FORMS)
def test_parts_are_about_their_message_in_every_form_n6(form: str) -> None:
    ids = ReceiptIds()
    given_ids, told = zip(*(FORMS[form](0xABC0FFE0 + number) for number in range(3)), strict=True)
    ids.given(given_ids)
    assert [ids.message_of(one) for one in told] == [(given_ids[0], True), (given_ids[0], False), (given_ids[0], False)]


def test_the_form_of_ids_from_before_a_restart_is_the_one_that_was_learned_n6() -> None:
    ids = ReceiptIds()
    assert ids.message_of("2881552100") == ("2881552100", True)  # nothing is known yet
    ids.given(["abc0ffee"])
    assert ids.message_of("2881552366") == ("abc0ffee", True)
    assert ids.message_of("2881552100") == ("abc0fee4", True)


def test_small_numbers_teach_nothing_n6() -> None:
    """A counter from 1 on: the receipt of message 10, forgotten since, is not about 16, and says nothing of how ids are told."""
    ids = ReceiptIds()
    ids.given(["16"])
    ids.message_of("10")
    ids.given(["10"])
    assert ids.message_of("10") == ("10", True)
    assert ids.message_of("16") == ("16", True)


def test_ids_are_forgotten_in_the_order_in_which_they_were_given() -> None:
    ids = ReceiptIds()
    ids.given(["first", "second"])
    for number in range(KEPT - 1):
        ids.given([f"other-{number}"])
    assert ids.message_of("second") == ("first", False)
    ids.given(["last"])
    assert ids.message_of("second") == ("second", True)


def test_a_receipt_may_stand_in_the_payload_n6() -> None:
    """SMPP 3.4 §4.6.1: a text stands in short_message or in message_payload."""
    text = b"id:ABC sub:001 dlvrd:001 submit date:2611221630 done date:2611221630 stat:UNDELIV err:042 text:"
    assert read_receipt(4, b"", {MESSAGE_PAYLOAD: text}) == ("ABC", "failed", "err_042")
