"""What buyers and exhibitors' people have in common: they read, type, write and send pictures."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Final
from uuid import UUID

import gevent
import msgspec

from bench.locust.person import Chat, Person
from bench.locust.texts import text
from fairwire_protocol.models import Image, Message
from fairwire_protocol.operations.chat import LOOKING, MARK_READ, TYPING, MarkRead, ShowTyping

__all__ = ["Writer"]

TYPING_S: Final = 3.0  # how often a client repeats that its user types


class Writer(Person):
    """Somebody who chats. `answer` and `answers` name the habits of its side."""

    abstract = True
    answer: str
    answers: str

    def is_for_me(self, message: Message, chat: Chat) -> bool:
        """What the other side wrote: to the buyer, or to the holder."""
        return message.side != ("buyer" if self.role == "buyer" else "team") and self._speaks(chat)

    def received(self, chat: Chat) -> None:
        """It is looked at soon, and mostly answered later; several messages get one answer."""
        if not chat.reading:
            chat.reading = True
            self.later("both.read", lambda: self._look(chat))
        if not chat.answering and self.station.habits.happens(self.answers, self.chance):
            chat.answering = True
            self.later(self.answer, lambda: self._reply(chat))

    def write(self, chat: Chat) -> None:
        """Type and send one message, or send a picture."""
        if self.station.habits.happens("both.image", self.chance):
            if (image := self._upload()) is not None:
                self.say(chat, image=image)
            return
        words = text(self.station.habits, self.chance)
        until = time.monotonic() + self.station.habits.delay("both.typing", self.chance)
        while (left := until - time.monotonic()) > 0:
            self.show(TYPING, ShowTyping(conversation=chat.id))
            gevent.sleep(min(TYPING_S, left))
        if not self.station.quiet and self._speaks(chat):  # it may have been given away while this was typed
            self.say(chat, text=words)

    def _look(self, chat: Chat) -> None:
        chat.reading = False
        if self.role == "team":
            self.show(LOOKING, ShowTyping(conversation=chat.id))
        if chat.last > chat.read:
            chat.read = chat.last
            self.call(MARK_READ, MarkRead(conversation=chat.id, seq=chat.last), may_fail=("not_found",))

    def _reply(self, chat: Chat) -> None:
        chat.answering = False
        if self._speaks(chat):
            self.write(chat)

    def _speaks(self, chat: Chat) -> bool:
        """Whether it is the one of its side who writes."""
        return chat.holds or self.role == "buyer"

    def _upload(self) -> UUID | None:
        """By HTTP, through locust's own client, which counts it."""
        if (token := self.keys.get()) is None:
            return None
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream"}
        with self.client.post(
            "/v1/images", data=self.chance.choice(self.station.photographs),  # type: ignore[arg-type]  # bytes go as they are
            headers=headers, name="/v1/images",
            catch_response=True,
        ) as response:  # fmt: skip
            if response.status_code in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
                response.success()  # put off; the person does something else
                return None
            if response.status_code != HTTPStatus.OK:
                response.failure(f"HTTP {response.status_code}")
                return None
            response.success()
            return msgspec.json.decode(response.content or b"", type=Image).id
