"""A real worker that dies at a named point of a notice's life: `python -m tests.harness.mortal POINT:NTH`.

Everything runs as it does in `python -m fairwire_server worker`; only when the point is reached for the NTH time, the process kills
itself with SIGKILL there, so that not one more of its instructions runs.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from itertools import count
from typing import Any, Final

from fairwire_server.__main__ import main
from fairwire_server.channels import email, smpp
from fairwire_server.jobs.lanes import Lanes
from fairwire_server.notices.claiming import Claims
from fairwire_server.notices.outcomes import Outcomes
from fairwire_server.notices.rendering import Rendering

__all__ = ["POINTS"]

POINTS: Final[dict[str, tuple[tuple[Any, str, bool], ...]]] = {
    "claiming": ((Claims, "_end", False),),
    "claimed": ((Lanes, "_hand_over", False),),
    "rendered": ((Rendering, "parcel", True),),
    "leaving": ((email._Conversation, "_write", False), (smpp._Leave, "begin", True)),
    "taken": ((email.EmailChannel, "send", True), (smpp.SmppChannel, "send", True)),
    "writing": ((Outcomes, "_tell_providers", False),),
    "written": ((Outcomes, "write", True),),
}
"""What is passed there, and whether the end comes after it: in the claim's transaction, after its commit, with the parcel rendered,
before its first byte, when the provider has taken it, in the outcome's transaction, after its commit."""


def _die_at(point: str, nth: int) -> None:
    times = count(1)

    def pass_by() -> None:
        if next(times) == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    for owner, name, after in POINTS[point]:
        was = getattr(owner, name)
        setattr(owner, name, (_after if after else _before)(was, pass_by))


def _before(was: Callable[..., Any], pass_by: Callable[[], None]) -> Callable[..., Any]:
    @wraps(was)
    def instead(*args: Any, **more: Any) -> Any:
        pass_by()
        return was(*args, **more)

    return instead


def _after(was: Callable[..., Any], pass_by: Callable[[], None]) -> Callable[..., Any]:
    @wraps(was)
    def instead(*args: Any, **more: Any) -> Any:
        result = was(*args, **more)
        if hasattr(result, "__await__"):
            return _then(result, pass_by)
        pass_by()
        return result

    return instead


async def _then(result: Any, pass_by: Callable[[], None]) -> Any:
    answer = await result
    pass_by()
    return answer


if __name__ == "__main__":
    place, _, nth_time = sys.argv[1].partition(":")
    _die_at(place, int(nth_time))
    sys.argv[1:] = ["worker"]
    main()
