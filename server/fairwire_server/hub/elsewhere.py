"""Who is at other nodes, as these nodes tell it (C17): nothing of it is stored anywhere but in every node's memory.

A node tells each change once, and now and then that it lives and how many changes it has told. Whoever has missed one asks for all
of it. A node that is not heard of for the presence grace is forgotten, whether it died or drained: its accounts stay what they were
for just that long (W14).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final
from uuid import UUID

from fairwire_protocol.models import PresenceState
from fairwire_server.hub.peers import Beat, Changes, Here

__all__ = ["RANK", "Elsewhere", "best"]

RANK: Final[dict[str, int]] = {"offline": 0, "away": 1, "busy": 2, "online": 3}


def best(states: Iterable[PresenceState]) -> PresenceState:
    """C17: the best of several devices or accounts."""
    return max(states, key=RANK.__getitem__, default="offline")


class _Node:
    """Another node: when it was heard last, which of its changes was the last, and what it has."""

    __slots__ = ("accounts", "before", "heard_at", "number")

    def __init__(self, now: float) -> None:
        self.heard_at = now
        self.number: int | None = None
        """None until a full account of it has come."""
        self.accounts: dict[UUID, Here] = {}
        self.before: set[UUID] | None = None
        """While pages come: what was known before and has not been named again."""


class Elsewhere:
    """Accounts at other nodes. `touched` is called with an account and its exhibitor when what is shown of it may have changed."""

    def __init__(self, touched: Callable[[UUID, UUID | None], None]) -> None:
        self._touched = touched
        self._nodes: dict[UUID, _Node] = {}
        self._accounts: dict[UUID, dict[UUID, Here]] = {}
        self._receiving: dict[UUID, set[UUID]] = {}

    # what other nodes say

    def changed(self, changes: Changes, now: float) -> bool:
        """Take changes; False when some before them are missing."""
        node = self._node(changes.node, now)
        if changes.pages and changes.page == 0:
            node.before = set(node.accounts)
        elif node.number is None or changes.number != node.number + 1:
            node.number = None
            return False
        node.number = changes.number
        for here in changes.accounts:
            self._put(changes.node, node, here)
            if node.before is not None:
                node.before.discard(here.account)
        if node.before is not None and changes.page == changes.pages - 1:
            for account in node.before:
                self._drop(changes.node, node, account)
            node.before = None
        return True

    def beat(self, beat: Beat, now: float) -> bool:
        """A node lives; False when changes of it are missing."""
        return self._node(beat.node, now).number == beat.number

    def forget(self, silent_since: float) -> list[UUID]:
        """Drop nodes not heard of since then, and answer which."""
        gone = [id_ for id_, node in self._nodes.items() if node.heard_at <= silent_since]
        for id_ in gone:
            node = self._nodes[id_]
            for account in list(node.accounts):
                self._drop(id_, node, account)
            del self._nodes[id_]
        return gone

    def _node(self, id_: UUID, now: float) -> _Node:
        node = self._nodes.get(id_)
        if node is None:
            node = self._nodes[id_] = _Node(now)
        node.heard_at = now
        return node

    def _put(self, id_: UUID, node: _Node, here: Here) -> None:
        if here.state == "offline" and not here.devices:
            self._drop(id_, node, here.account)
            return
        node.accounts[here.account] = here
        self._accounts.setdefault(here.account, {})[id_] = here
        self._note(here)

    def _drop(self, id_: UUID, node: _Node, account: UUID) -> None:
        here = node.accounts.pop(account, None)
        if here is None:
            return
        places = self._accounts[account]
        del places[id_]
        if not places:
            del self._accounts[account]
        self._note(here)

    def _note(self, here: Here) -> None:
        """Keep up who receives an exhibitor's chats, and say that something may have changed."""
        if here.exhibitor is not None:
            receives = any(place.receives for place in self._accounts.get(here.account, {}).values())
            receiving = self._receiving.setdefault(here.exhibitor, set())
            (receiving.add if receives else receiving.discard)(here.account)
            if not receiving:
                del self._receiving[here.exhibitor]
        self._touched(here.account, here.exhibitor)

    # what is known

    @property
    def nodes(self) -> int:
        """How many other nodes there are."""
        return len(self._nodes)

    def state(self, account: UUID) -> PresenceState:
        """The best of what other nodes show of an account."""
        places = self._accounts.get(account)
        return "offline" if places is None else best(here.state for here in places.values())

    def receiving(self, exhibitor: UUID) -> Iterable[UUID]:
        """Accounts at other nodes that receive the exhibitor's chats."""
        return self._receiving.get(exhibitor, ())

    def devices(self, account: UUID) -> set[str]:
        """Devices by which an account is connected to other nodes (W13)."""
        return {device for here in self._accounts.get(account, {}).values() for device in here.devices}

    def of_fair(self, fair: UUID) -> Iterator[Here]:
        """What other nodes have of a fair with a device connected; an account may come once per node."""
        for places in self._accounts.values():
            for here in places.values():
                if here.fair == fair and here.devices:
                    yield here
