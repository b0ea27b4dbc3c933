"""The limit of everything that is sent to many: a bare loop of `os.write` over as many sockets, and nothing else.

    python -m bench.bare_write COUNT

Takes COUNT connections and one more, whose lines are orders: `FIRST LAST SIZE TIMES` writes a WebSocket frame of SIZE bytes to
the connections FIRST to LAST, so many times over. What does not fit at once is waited for.
"""

from __future__ import annotations

import os
import select
import socket
import sys


def frame(size: int) -> bytes:
    """A binary frame of that size, its head included."""
    payload = size - 4 if size >= 130 else size - 2
    head = bytes((0x82, 126, payload >> 8, payload & 0xFF)) if size >= 130 else bytes((0x82, payload))
    return head + bytes(payload)


def write_all(fd: int, data: bytes) -> None:
    """Where the buffer is full: wait for the reader."""
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            waiting = select.poll()
            waiting.register(fd, select.POLLOUT)
            waiting.poll()


def main(count: int) -> None:
    """Serve one generator, then end."""
    server = socket.create_server(("127.0.0.1", 0), backlog=4096)
    host, port = server.getsockname()
    print(f"bare at {host}:{port}", flush=True)
    *listeners, control = [server.accept()[0] for _ in range(count + 1)]
    for one in listeners:
        one.setblocking(False)
    fds = [one.fileno() for one in listeners]
    write = os.write
    for line in control.makefile("r"):
        first, last, size, times = map(int, line.split())
        data, chosen = frame(size), fds[first:last]
        for _ in range(times):
            for fd in chosen:
                try:
                    sent = write(fd, data)
                except BlockingIOError:
                    sent = 0
                if sent < size:
                    write_all(fd, data[sent:])


if __name__ == "__main__":
    main(int(sys.argv[1]))
