"""A real server or worker that also tells what it holds: `python -m tests.harness.inspected serve`.

Everything runs as it does in `python -m fairwire_server`; `/inside` on the admin address counts, once garbage has been collected,
objects by type, the entries of every container that an object of ours has as an attribute, tasks by their coroutine, and file
descriptors by kind. Nothing of it is a list that somebody keeps: a map that is added tomorrow is counted tomorrow.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import re
from collections import Counter, deque
from collections.abc import Iterator
from functools import wraps
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import web

from fairwire_server.__main__ import main
from fairwire_server.compose import doors
from fairwire_server.doors.health import build_admin_app

__all__ = ["Inside"]

OURS: Final = ("fairwire_server", "fairwire_protocol")
CONTAINERS: Final = (dict, set, list, deque)
_RESIDENT: Final = re.compile(r"^VmRSS:\s+(\d+) kB", re.MULTILINE)


class Inside(msgspec.Struct, frozen=True):
    """What a process holds."""

    resident: int
    """Bytes, after the allocator has given back what it can."""
    types: dict[str, int]
    """Objects that the garbage collector knows, by type."""
    entries: dict[str, int]
    """Entries of all containers that are attributes of our objects, by class and attribute, one level of nesting included."""
    tasks: dict[str, int]
    files: dict[str, int]
    garbage: dict[str, int]
    """Objects of ours that only the garbage collector could free, by type, since the process began."""


_garbage: Final = Counter[str]()


def look() -> Inside:
    """Count everything. What was frozen as living for ever is looked at again, and stays so."""
    _see_garbage()
    gc.unfreeze()
    gc.collect()
    gc.collect()
    things = gc.get_objects()
    types = Counter(f"{type(thing).__module__}.{type(thing).__qualname__}" for thing in things)
    entries = Counter[str]()
    for thing in things:
        if str(type(thing).__module__).startswith(OURS):
            for name, value in _attributes(thing):
                if isinstance(value, CONTAINERS):
                    entries[f"{type(thing).__qualname__}.{name}"] += _size(value)
    del things
    ctypes.CDLL(None).malloc_trim(0)
    found = _RESIDENT.search(Path("/proc/self/status").read_text("ascii"))
    assert found is not None
    return Inside(int(found[1]) * 1024, dict(types), dict(entries), _tasks(), _files(), dict(_garbage))


def _see_garbage() -> None:
    """Count what lies in a cycle of references and is of ours."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    gc.set_debug(0)
    kinds = (type(thing) for thing in gc.garbage)
    _garbage.update(f"{kind.__module__}.{kind.__qualname__}" for kind in kinds if str(kind.__module__).startswith(OURS))
    gc.garbage.clear()


def _attributes(thing: object) -> Iterator[tuple[str, object]]:
    """Those that lie in the object, whether it has a dictionary or slots; properties are not asked."""
    for kind in type(thing).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if not name.startswith("__"):
                yield name, getattr(thing, name, None)
    yield from list(getattr(thing, "__dict__", {}).items())


def _size(container: Any) -> int:
    values = container.values() if isinstance(container, dict) else container
    return len(container) + sum(len(value) for value in values if isinstance(value, CONTAINERS))


def _tasks() -> dict[str, int]:
    coroutines = (task.get_coro() for task in asyncio.all_tasks())
    return dict(Counter(str(getattr(coroutine, "__qualname__", coroutine)) for coroutine in coroutines))


def _files() -> dict[str, int]:
    kinds = Counter[str]()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            kinds[str(descriptor.readlink()).partition(":[")[0]] += 1
        except FileNotFoundError:
            continue  # the one that listed the others
    return dict(kinds)


async def _show(_: web.Request) -> web.Response:
    return web.Response(body=msgspec.json.encode(look()), content_type="application/json")


def _with_a_window() -> None:
    @wraps(build_admin_app)
    def instead(*args: Any) -> web.Application:
        app = build_admin_app(*args)
        app.router.add_get("/inside", _show)
        return app

    setattr(doors, build_admin_app.__name__, instead)


if __name__ == "__main__":
    _with_a_window()
    main()
