"""Who plays: the accounts of a run, read from a file, and which of them each generator gets.

The file has a JSON object a line, as `fairwire_server demo --accounts-out` (logins, signed in with the demo password) or
`fairwire_server token --all --out` (with tokens, which is what thousands of users need) write it. Buyers come from the
front of the file; those that a holder only keeps connected from its end. Exhibitors are staffed one after the other, so
that a chat opened at a staffed one finds somebody who answers. Every generator reads the same file and comes to the same
cast; the conductor gives its places away, one at a time, since locust decides which generator starts which user.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from uuid import UUID

import msgspec

__all__ = ["BUYERS", "TEAM", "Actor", "Cast", "Role", "read_actors"]

Role = Literal["buyer", "team", "organiser"]
BUYERS: Final = 7
TEAM: Final = 3
"""Of ten active users."""
STAFF: Final = 3  # people of one exhibitor who are here at once
SPARE: Final = 16  # accounts beyond the exact share: locust rounds the shares of its users per generator
ANSWERING: Final = {"business": 0, "main": 1, "manager": 2}


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """One account of the file."""

    id: UUID
    fair: str
    login: str
    kind: Literal["buyer", "main", "manager", "business", "exhibit", "organiser"]
    exhibitor: UUID | None = None
    token: str = ""


def read_actors(path: Path) -> list[Actor]:
    """The accounts of a file."""
    decoder = msgspec.json.Decoder(Actor)
    with path.open("rb") as lines:
        return [decoder.decode(line) for line in lines if line.strip()]


@dataclass(frozen=True, slots=True)
class Cast:
    """The accounts of a run. `staffed` are the exhibitors that buyers turn to."""

    buyers: tuple[Actor, ...]
    team: tuple[Actor, ...]
    organisers: tuple[Actor, ...]
    staffed: tuple[UUID, ...]
    held: tuple[Actor, ...]

    @classmethod
    def of(cls, actors: Iterable[Actor], users: int, hold: int = 0) -> Cast:
        """For so many active users and so many that are only held. Raises ValueError when there are not enough accounts."""
        buyers, organisers = [], []
        teams: dict[UUID, list[Actor]] = defaultdict(list)
        for actor in actors:
            if actor.kind == "buyer":
                buyers.append(actor)
            elif actor.kind == "organiser":
                organisers.append(actor)
            elif actor.kind in ANSWERING and actor.exhibitor is not None:
                teams[actor.exhibitor].append(actor)
        share = -(-users * TEAM // (BUYERS + TEAM))
        team, staffed, rest = _staff(teams, share)
        acting = users * BUYERS // (BUYERS + TEAM) + SPARE
        idle = [*buyers[acting:], *rest]
        if len(team) < share or len(buyers) < acting - SPARE or not organisers or len(idle) < hold:
            raise ValueError(
                f"{users} active users and {hold} held ones need {acting} buyers, {share} people of exhibitors, an organiser "
                f"and {hold} others; the file has {len(buyers)}, {sum(map(len, teams.values()))}, {len(organisers)} and {len(idle)}"
            )
        held = idle[len(idle) - hold :]
        return cls(tuple(buyers[:acting]), tuple(team), tuple(organisers), tuple(staffed), tuple(held))

    def of_role(self, role: Role) -> tuple[Actor, ...]:
        """All who play it."""
        return {"buyer": self.buyers, "team": self.team, "organiser": self.organisers}[role]


def _staff(teams: dict[UUID, list[Actor]], wanted: int) -> tuple[list[Actor], list[UUID], Sequence[Actor]]:
    """The people who are here, whose exhibitors buyers may turn to, and everybody else."""
    team: list[Actor] = []
    staffed: list[UUID] = []
    rest: list[Actor] = []
    for exhibitor, people in teams.items():
        if len(team) >= wanted + SPARE:
            rest += people
            continue
        ordered = sorted(people, key=lambda actor: ANSWERING[actor.kind])
        if len(team) < wanted:
            staffed.append(exhibitor)
        team += ordered[:STAFF]
        rest += ordered[STAFF:]
    return team, staffed, rest
