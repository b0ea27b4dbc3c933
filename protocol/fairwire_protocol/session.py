"""The protocol of one socket, without a socket: bytes in, events out (W1, W6, W7, W11, W13).

Neither side awaits, reads a clock or keeps a queue; whoever owns the socket feeds what arrived and sends what it is handed.
The same objects therefore run under asyncio, under gevent and in a test, and two of them can talk in memory.

Each side is a state machine whose whole law is one table, `SERVER_TRANSITIONS` and `CLIENT_TRANSITIONS`: state × kind of frame
→ next state, or the close code that ends the socket. What a table cannot say (does the snapshot's last part end it? is this
position the next one?) is decided in the one method that takes such a frame.

    server:  OPENING ──hello──▶ OPEN ──call, ack, refresh──▶ OPEN          anything else ──▶ CLOSED

    client:  START ──hello()──▶ GREETING ──welcome──▶ WELCOMED ──resumed──▶ REPLAYING ──live──▶ LIVE ──bye──▶ LEAVING
                                                         └──resumed{false}──▶ SNAPSHOT ──last part──┘
"""

from __future__ import annotations

from fairwire_protocol.client_session import (
    ACK_EVENTS,
    ACK_SECONDS,
    CLIENT_TRANSITIONS,
    Body,
    ClientSession,
    ClientState,
    Delivered,
    Resync,
    SessionEvent,
    UnknownEvent,
    UnknownFrame,
    Voided,
)
from fairwire_protocol.closing import FRAME_BYTES, CloseAction, Violation, close_action
from fairwire_protocol.server_session import FAULTS_MAX, SERVER_TRANSITIONS, FrameRefused, ServerSession, ServerState

__all__ = [
    "ACK_EVENTS", "ACK_SECONDS", "CLIENT_TRANSITIONS", "FAULTS_MAX", "FRAME_BYTES", "SERVER_TRANSITIONS", "Body",
    "ClientSession", "ClientState", "CloseAction", "Delivered", "FrameRefused", "Resync", "ServerSession", "ServerState",
    "SessionEvent", "UnknownEvent", "UnknownFrame", "Violation", "Voided", "close_action",
]  # fmt: skip
