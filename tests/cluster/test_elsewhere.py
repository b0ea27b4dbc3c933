"""What nodes tell of who is there, as numbers that must not have a gap (C17)."""

from __future__ import annotations

from uuid import UUID, uuid4

from fairwire_protocol.models import PresenceState
from fairwire_server.hub.elsewhere import Elsewhere
from fairwire_server.hub.peers import Beat, Changes, Here

FAIR, ACME, NODE, OTHER = (uuid4() for _ in range(4))
ANNA, BERT, CARL = (uuid4() for _ in range(3))


def here(account: UUID, state: PresenceState = "online", *devices: str) -> Here:
    return Here(account, FAIR, "business", ACME, True, state, devices)


def known(*accounts: Here, node: UUID = NODE) -> Elsewhere:
    """A node that has told all it has."""
    elsewhere = Elsewhere(lambda *_: None)
    assert elsewhere.changed(Changes(node, 1, accounts, 0, 1), now=0.0)
    return elsewhere


def test_changes_of_an_unknown_node_and_after_a_gap_ask_for_everything_c17() -> None:
    elsewhere = Elsewhere(lambda *_: None)
    assert not elsewhere.changed(Changes(NODE, 7, (here(ANNA, "online", "a"),)), now=0.0)
    elsewhere = known()
    assert elsewhere.changed(Changes(NODE, 2, (here(ANNA, "online", "a"),)), now=0.0)
    assert not elsewhere.changed(Changes(NODE, 4, ()), now=0.0)
    assert not elsewhere.changed(Changes(NODE, 5, ()), now=0.0), "a gap stays one until everything was told"
    assert not elsewhere.beat(Beat(NODE, 5), now=0.0)
    assert elsewhere.changed(Changes(NODE, 6, (), 0, 1), now=0.0)
    assert elsewhere.beat(Beat(NODE, 6), now=0.0)


def test_a_beat_tells_of_a_lost_last_change_c17() -> None:
    elsewhere = known()
    assert elsewhere.beat(Beat(NODE, 1), now=0.0)
    assert not elsewhere.beat(Beat(NODE, 2), now=0.0)


def test_pages_of_everything_replace_what_was_known_c17() -> None:
    elsewhere = known(here(ANNA, "online", "a"), here(BERT, "busy", "b"))
    assert elsewhere.changed(Changes(NODE, 2, (here(BERT, "away", "b"),), 0, 2), now=0.0)
    assert elsewhere.state(ANNA) == "online", "not before the last page"
    assert elsewhere.changed(Changes(NODE, 3, (here(CARL, "busy", "c"),), 1, 2), now=0.0)
    assert [elsewhere.state(one) for one in (ANNA, BERT, CARL)] == ["offline", "away", "busy"]
    assert set(elsewhere.receiving(ACME)) == {BERT, CARL}


def test_the_best_of_several_nodes_counts_and_one_that_is_forgotten_does_not_c17() -> None:
    elsewhere = known(here(ANNA, "away", "a"))
    assert elsewhere.changed(Changes(OTHER, 1, (here(ANNA, "online", "b"),), 0, 1), now=5.0)
    assert elsewhere.state(ANNA) == "online"
    assert elsewhere.devices(ANNA) == {"a", "b"}
    assert elsewhere.forget(0.0) == [NODE]
    assert (elsewhere.state(ANNA), elsewhere.devices(ANNA)) == ("online", {"b"})
    assert elsewhere.forget(5.0) == [OTHER]
    assert (elsewhere.state(ANNA), set(elsewhere.receiving(ACME)), elsewhere.nodes) == ("offline", set(), 0)


def test_an_account_in_its_grace_is_shown_but_counts_no_socket_a4_w14() -> None:
    elsewhere = known(here(ANNA, "online"))
    assert elsewhere.state(ANNA) == "online"
    assert list(elsewhere.of_fair(FAIR)) == []
    assert elsewhere.changed(Changes(NODE, 2, (here(ANNA, "offline"),)), now=0.0)
    assert elsewhere.state(ANNA) == "offline"
