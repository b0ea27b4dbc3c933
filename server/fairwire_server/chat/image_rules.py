"""Who may see an image: pure (A1, A4, C4, C9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from fairwire_protocol.errors import Refused
from fairwire_server.accounts.rules import Caller
from fairwire_server.contacts.rules import Sight, check_visible

__all__ = ["Showing", "may_see_image"]


@dataclass(frozen=True, slots=True)
class Showing:
    """A message that shows the image, and the caller's relation to its conversation."""

    seq: int
    sight: Sight


def may_see_image(caller: Caller, *, fair: UUID, owner: UUID, unsent: bool, showings: Sequence[Showing]) -> bool:
    """Its uploader until it is sent; afterwards whoever may read a message that shows it. A recalled message shows nothing,
    so what was sent and recalled is seen by nobody, its uploader included."""
    if caller.fair != fair:
        return False
    if unsent:
        return caller.account == owner
    return any(_reads(caller, showing) for showing in showings)


def _reads(caller: Caller, showing: Showing) -> bool:
    try:
        sight = check_visible(caller, showing.sight)
    except Refused:
        return False
    former = caller.side == "team" and not caller.reads_all() and sight.readable_to is not None
    return not former or showing.seq <= (sight.readable_to or 0)
