"""The receiving end of a reference, in a process of its own: a process may often have 20,000 files, and two crowds are more.

    python -m bench.drained HOST PORT COUNT

Opens COUNT connections and one more for orders. A line `FRAMES SIZE ORDER` on standard input sends the order and takes so many
frames in; the answer is a line with the seconds that took and the processor's. `Drained` is the side that asks.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from typing import IO

from bench.common import Served, more_files
from bench.crowd import Crowd

__all__ = ["Drained"]


class Drained:
    """A reference with its listeners. Runs where this process runs, only when this process waits for it."""

    def __init__(self, served: Served, count: int) -> None:
        self.pid = served.pid
        command = [sys.executable, "-m", "bench.drained", served.host, str(served.port), str(count)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._say: IO[str] = self._process.stdin
        self._answers: IO[str] = self._process.stdout
        self._answers.readline()

    def round(self, order: str, frames: int, size: int) -> tuple[float, float]:
        """Seconds until so many frames have come after the order, and CPU seconds of taking them in."""
        self._say.write(f"{frames} {size} {order}\n")
        self._say.flush()
        seconds, cpu = self._answers.readline().split()
        return float(seconds), float(cpu)

    def end(self) -> None:
        """Close all connections."""
        self._say.close()
        self._process.wait()
        self._answers.close()


def main(host: str, port: int, count: int) -> None:
    """Answer orders until there are no more."""
    more_files()
    crowd = Crowd(host, port)
    crowd.plain(count)
    control = socket.create_connection((host, port))
    control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    time.sleep(0.3)  # the other side takes the last of them
    print("ready", os.getpid(), flush=True)
    for line in sys.stdin:
        frames, size, order = line.rstrip("\n").split(" ", 2)
        cpu, began = time.process_time(), time.perf_counter()
        control.sendall(order.encode() + (b"\n" if " " in order else b""))
        crowd.drain(int(frames), int(size))
        print(time.perf_counter() - began, time.process_time() - cpu, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
