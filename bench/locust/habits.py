"""How often people of a fair do what: one table, which the page for operators shows and every user of a load run obeys.

A habit is a mean rate (its clock is a Poisson process), a median delay (drawn from a lognormal, as human answers are), or
a share. `Habits` is the table as one run uses it: sped up by a factor, and with a shape's own factors on single rates.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["HABITS", "Habit", "Habits", "factors_of", "markdown_table"]

Unit = Literal["a minute", "seconds", "share", "characters", "chats", "meetings"]
SPREAD: Final = 0.8  # sigma of the delays: one answer in six takes more than twice the median


@dataclass(frozen=True, slots=True)
class Habit:
    """One line of the table."""

    name: str
    value: float
    unit: Unit
    meaning: str


HABITS: Final = (
    Habit("buyer.browse", 2.0, "a minute", "lists exhibitors by a word or turns the page, watches the presence of 20"),
    Habit("buyer.card", 1.5, "a minute", "opens an exhibitor's card with its exhibits"),
    Habit("buyer.open", 0.3, "a minute", "opens a chat from a card or an exhibit, and writes first"),
    Habit("buyer.chats", 12, "chats", "has at most so many, then writes in those instead of opening more"),
    Habit("buyer.write", 0.4, "a minute", "writes in one of the own chats without being asked"),
    Habit("buyer.answer", 15.0, "seconds", "median time to answer an exhibitor"),
    Habit("buyer.answers", 0.7, "share", "of the exhibitor's messages get an answer"),
    Habit("buyer.scroll", 0.2, "a minute", "reads a page of a chat's history"),
    Habit("buyer.leave", 0.05, "a minute", "leaves the fair (closes the page); comes back later and resumes"),
    Habit("buyer.away", 120.0, "seconds", "median time away"),
    Habit("buyer.book", 0.1, "a minute", "looks at an exhibitor's open slots and requests one, with a topic"),
    Habit("buyer.meetings", 6, "meetings", "has at most so many ahead, then books no more"),
    Habit("buyer.waits", 0.5, "share", "of the full slots that it wanted it stands in line for"),
    Habit("buyer.accepts", 0.7, "share", "of the times and seats that it is offered it takes"),
    Habit("buyer.cancel", 0.01, "a minute", "cancels one of the own meetings"),
    Habit("team.answer", 25.0, "seconds", "median time to answer a buyer"),
    Habit("team.answers", 0.9, "share", "of the buyers' messages get an answer"),
    Habit("team.transfer", 0.08, "a minute", "transfers a chat to a colleague who is here"),
    Habit("team.ask_first", 0.2, "share", "of the transfers ask first; the colleague accepts or lets it run out"),
    Habit("team.search", 0.3, "a minute", "searches names and chats, in Chinese and in Latin script"),
    Habit("team.star", 0.15, "a minute", "adds a buyer to the customer base and stars it"),
    Habit("team.pin", 0.1, "a minute", "pins a contact, or lets it go"),
    Habit("team.list", 0.3, "a minute", "lists the open chats, watches the presence of the buyers in them"),
    Habit("team.handle", 0.15, "a minute", "marks a chat as handled"),
    Habit(
        "team.slots",
        0.1,
        "a minute",
        "plans three days of slots where none are ahead (main, managers), the first time at once",
    ),
    Habit(
        "team.assign",
        1.0,
        "a minute",
        "lists pending bookings, assigns the oldest to a free colleague (main, managers)",
    ),
    Habit("team.reassign", 0.03, "a minute", "assigns a meeting to another colleague (main, managers)"),
    Habit("team.reject", 0.05, "a minute", "rejects a request, with a reason (main, managers)"),
    Habit("team.propose", 0.03, "a minute", "proposes another time, which the buyer answers (main, managers)"),
    Habit("team.cancel", 0.01, "a minute", "cancels a meeting (main, managers)"),
    Habit("both.read", 3.0, "seconds", "median time until a message is looked at and marked as read"),
    Habit("both.image", 0.03, "share", "of the messages are images, uploaded before; the others are text"),
    Habit("both.chinese", 0.6, "share", "of the texts are Chinese"),
    Habit("both.length", 18, "characters", "median length of a text, 6 to 60 (Latin script: times 2.5)"),
    Habit("both.typing", 4.0, "seconds", "median time of typing, shown every 3 s, before a text is sent"),
    Habit("organiser.announce", 1.0, "a minute", "announces to everybody"),
    Habit("organiser.figures", 2.0, "a minute", "looks at the live figures"),
)


class Habits:
    """The table of one run. `speed` makes everybody so many times quicker; `factors` scale single rates."""

    def __init__(self, speed: float = 1.0, factors: Mapping[str, float] | None = None) -> None:
        scale = factors or {}
        if unknown := scale.keys() - {habit.name for habit in HABITS}:
            raise KeyError(f"no such habit: {min(unknown)}")
        self._rates = {
            habit.name: habit.value / 60 * speed * scale.get(habit.name, 1.0)
            for habit in HABITS
            if habit.unit == "a minute"
        }
        self._delays = {habit.name: habit.value / speed for habit in HABITS if habit.unit == "seconds"}
        self._others = {habit.name: habit.value for habit in HABITS if habit.unit not in {"a minute", "seconds"}}

    def rates(self, who: str) -> dict[str, float]:
        """Per second, of everything that `who` does by itself."""
        return {name: rate for name, rate in self._rates.items() if name.startswith(f"{who}.") and rate > 0}

    def delay(self, name: str, chance: random.Random) -> float:
        """Seconds, drawn around the median."""
        return self._delays[name] * chance.lognormvariate(0, SPREAD)

    def value(self, name: str) -> float:
        """A share, length or number."""
        return self._others[name]

    def happens(self, name: str, chance: random.Random) -> bool:
        """Whether this time is one of the share."""
        return chance.random() < self._others[name]


def factors_of(shape: Mapping[str, float], text: str) -> dict[str, float]:
    """The shape's factors, times those of `text`, as in `buyer.book=5,buyer.open=0`. Raises ValueError for what is none."""
    factors = dict(shape)
    for one in filter(None, text.split(",")):
        name, _, factor = one.partition("=")
        factors[name] = factors.get(name, 1.0) * float(factor)
    return factors


def markdown_table() -> str:
    """The table of bench/README.md."""
    rows = [f"| `{habit.name}` | {habit.value:g} | {habit.unit} | {habit.meaning} |" for habit in HABITS]
    return "\n".join(["| habit | value | unit | what it is |", "|---|---|---|---|", *rows, ""])
