"""The organiser: announces to everybody, and looks at the live figures."""

from __future__ import annotations

from typing import Final

from bench.locust.agenda import Act
from bench.locust.person import Person
from fairwire_protocol.operations.base import Request
from fairwire_protocol.operations.organiser import ANNOUNCE, FIGURES, Announce

__all__ = ["Organiser"]

TEXT: Final = "请各位参展商与采购商注意：主论坛将于下午两点在三号馆开始，届时有同声传译。The main forum begins at 2 p.m. in hall 3."


class Organiser(Person):
    """The one organiser of a run."""

    fixed_count = 1
    role = "organiser"

    def acts(self) -> dict[str, Act]:
        """By habit."""
        return {"organiser.announce": self.announce, "organiser.figures": self.figures}

    def announce(self) -> None:
        """To everybody."""
        self.call(ANNOUNCE, Announce(title="论坛开始", text=TEXT))

    def figures(self) -> None:
        """The live figures."""
        self.call(FIGURES, Request())
