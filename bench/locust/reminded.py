"""What the two processes of a reminder run tell each other: how much was planned, and how it ended."""

from __future__ import annotations

import msgspec

__all__ = ["Ended", "Planned"]


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """How many meetings were made, and how many reminders of theirs fall due at that instant."""

    meetings: int
    reminders: int


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How reminders ended. `late`: by channel, how many ended how many milliseconds after they were due; taken back ones are not there."""

    states: dict[str, int]
    reasons: dict[str, int]
    """Why those were skipped or failed."""
    late: dict[str, dict[int, int]]
    instead: int = 0
    """Made because another channel could not deliver (N6); they count in `states` too."""
    early: int = 0
    maybe: int = 0
    """Sent once more because an attempt was lost, and flagged (N4)."""
    twice: int = 0
    """Sent more than once, and not flagged."""

    @property
    def unfinished(self) -> int:
        """Neither sent nor ended otherwise."""
        return self.states.get("planned", 0) + self.states.get("claimed", 0)
