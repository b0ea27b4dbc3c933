"""The log during a test: kept instead of printed, and without a fault in it at the end.

A handler that fails answers `internal` and writes one line; a task that fails writes one line and nobody hears of it. Tests of
bad input would stay green over both, so they end by looking here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog

__all__ = ["quiet_log"]


class _Keeper(logging.Handler):
    """Errors of asyncio, aiohttp and other libraries: exceptions nobody took."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._faults = faults

    def emit(self, record: logging.LogRecord) -> None:
        self._faults.append(self.format(record))


@contextmanager
def quiet_log() -> Iterator[list[str]]:
    """What was logged as an error meanwhile; asserts at the end that nothing was."""
    faults: list[str] = []

    def keep(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if method in {"error", "exception", "critical"}:
            structlog.processors.format_exc_info(logger, method, event)
            faults.append(str(dict(event)))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[keep], wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    keeper = _Keeper(faults)
    logging.getLogger().addHandler(keeper)
    try:
        yield faults
    finally:
        logging.getLogger().removeHandler(keeper)
        structlog.configure(**before)
    assert not faults, "logged as errors:\n" + "\n".join(faults)
