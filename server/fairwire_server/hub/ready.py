"""Sockets that an announcement need not look at: live, written to as far as they go, and all at the same position.

Among thousands, whatever is looked at of each socket comes from memory, line by line: the write to the one before has taken the
processor's caches. Of these sockets nothing is looked at but their descriptors, which lie side by side. As soon as anything else
becomes true of one, it leaves.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable
from typing import Final

from fairwire_protocol.codec import Codec
from fairwire_server.hub.socket import Socket

__all__ = ["Ready"]

GAP: Final = -1
"""In the place of a socket that has left; nobody can be written to there."""


class Ready:
    """Those of one codec. `left` is called with each that leaves."""

    __slots__ = ("_at", "_before", "_end", "_fds", "_gaps", "_last", "_left", "_sockets", "codec")

    def __init__(self, codec: Codec, left: Callable[[Socket], None]) -> None:
        self.codec = codec
        self._left = left
        self._fds = array("i")
        self._sockets: list[Socket | None] = []
        self._gaps = 0
        self._before = self._last = 0
        self._at = self._end = 0
        """Whose turn in an announcement is to come: from here to there, and they stand at `_before`; all others at `_last`."""

    def __len__(self) -> int:
        return len(self._sockets) - self._gaps

    @property
    def waiting(self) -> bool:
        """Whether somebody has not had the announcement."""
        return self._at < self._end

    def position(self, place: int) -> int:
        """What the socket at this place has been handed last of the fair stream."""
        return self._before if self._at <= place < self._end else self._last

    def add(self, socket: Socket) -> None:
        """It stands where the last announcement has brought, or brings, all of them, and nothing waits for it."""
        if not len(self):
            self._close_up()
            self._last = socket.fair_cursor
        assert socket.fair_cursor == self._last
        socket.place = len(self._sockets)
        socket.ready = self
        socket.link.busy = socket.unready
        self._fds.append(socket.link.fd)
        self._sockets.append(socket)

    def remove(self, socket: Socket) -> None:
        """It has to be looked at from now on."""
        place = socket.place
        socket.ready = None
        socket.fair_cursor = self.position(place)
        socket.link.busy = None
        self._fds[place] = GAP
        self._sockets[place] = None
        self._gaps += 1
        self._left(socket)

    def begin(self, before: int, last: int) -> None:
        """What `write` writes from now on brings each of them from `before` to `last`. Whoever stands elsewhere leaves:
        an event may be told again after the channel was told wrongly how far its stream reaches."""
        if before != self._last:
            for socket in list(self._sockets):
                if socket is not None:
                    self.remove(socket)
        if 4 * self._gaps > len(self._sockets):
            self._close_up()
        self._before, self._last = before, last
        self._at, self._end = 0, len(self._sockets)

    def write(self, data: bytes, most: int) -> int:
        """To the next of them; the number of those who got it."""
        start = self._at
        self._at = stop = min(self._end, start + most)
        write, size, count = os.write, len(data), stop - start
        for place, fd in enumerate(self._fds[start:stop], start):
            try:
                sent = write(fd, data)
            except OSError:  # a gap, no room, or nobody there: the connection finds out which
                sent = 0
            if sent != size:
                socket = self._sockets[place]
                if socket is None:
                    count -= 1
                else:
                    socket.write(data[sent:])
        return count

    def _close_up(self) -> None:
        """Without gaps, while no announcement is under way."""
        sockets = [socket for socket in self._sockets if socket is not None]
        for place, socket in enumerate(sockets):
            socket.place = place
        self._sockets[:] = sockets
        self._fds = array("i", [fd for fd in self._fds if fd != GAP])
        self._gaps = self._at = self._end = 0
