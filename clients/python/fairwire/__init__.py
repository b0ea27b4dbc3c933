"""Fairwire's SDK: chat at an online trade fair, over one socket that resumes by itself.

    import fairwire

    async with fairwire.connect("http://127.0.0.1:8080", fair="demo", login="…", password="…") as client:

        @client.on("message")
        async def greet(event: fairwire.Delivered) -> None:
            message = event.body.message
            if message.side == "buyer":
                await client.chat.send(conversation=message.conversation, text="Hello!")

        for entry in client.state.recent:
            print(entry.contact, entry.last_seq - entry.read)

See `README.md` beside this file, and `protocol/README.md` for the wire itself.
"""

from __future__ import annotations

from fairwire.calls import Operations
from fairwire.client import Client
from fairwire.connecting import Door, connect
from fairwire.errors import FairwireError, Pending, Refused, Stopped, Unavailable
from fairwire.feed import Feed, Happening, Offline, Online, Resynced, SendFailed, SendQueued
from fairwire.outbox import Unsent
from fairwire.state import State, apply
from fairwire.timing import Timing
from fairwire_protocol.session import Delivered, UnknownEvent

__all__ = [
    "Client", "Delivered", "Door", "FairwireError", "Feed", "Happening", "Offline", "Online", "Operations", "Pending",
    "Refused", "Resynced", "SendFailed", "SendQueued", "State", "Stopped", "Timing", "Unavailable", "UnknownEvent", "Unsent",
    "apply", "connect",
]  # fmt: skip
