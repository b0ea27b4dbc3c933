"""The log: one event with fields a line, JSON for machines or coloured for people, never what people wrote (quality, habit 9).

Every line written while a call runs carries the call's correlation id, from the door to the database. Keys that name message
text, phone numbers, addresses, passwords or tokens lose their value before anything is written, and a traceback shows no
local variables, so that a careless line cannot leak.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import Processor

__all__ = ["CORRELATION", "HIDDEN", "REDACTED", "configure_logs", "hide_private", "new_correlation"]

CORRELATION: Final[ContextVar[str | None]] = ContextVar("correlation", default=None)
"""The id of the call that runs in this context."""

HIDDEN: Final = frozenset(
    {
        "text",
        "body",
        "note",
        "message_text",
        "query",
        "args",
        "mobile",
        "phone",
        "email",
        "address_to",
        "recipient",
        "login",
    }
    | {
        "password",
        "token",
        "access_token",
        "refresh_token",
        "authorization",
        "code_sent",
        "secret",
        "cookie",
        "content",
    }
)
"""Keys whose values are never logged, at any depth."""
REDACTED: Final = "[hidden]"
LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def new_correlation() -> str:
    """An id for one call; random, since it is all a stranger is told of a fault."""
    return os.urandom(8).hex()


def hide_private(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Processor: values of `HIDDEN` keys become `[hidden]`."""
    for key, value in event.items():
        if key.lower() in HIDDEN:
            event[key] = REDACTED
        elif isinstance(value, dict | list | tuple):
            event[key] = _hidden_within(value)
    return event


def _hidden_within(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: REDACTED if str(key).lower() in HIDDEN else _hidden_within(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden_within(item) for item in value]
    return value


def _add_correlation(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if (correlation := CORRELATION.get()) is not None:
        event.setdefault("correlation", correlation)
    return event


def _in_a_line(record: logging.LogRecord) -> bool:
    """While PostgreSQL is away its pool tries again each second, and says so with a traceback that is always the same."""
    if record.exc_info and record.exc_info[0] is not None:
        record.msg, record.args = "%s (%s)", (record.getMessage(), record.exc_info[0].__name__)
        record.exc_info = None
    return True


def configure_logs(
    *,
    level: Literal["debug", "info", "warning", "error"],
    shape: Literal["auto", "json", "console"],
    stream: TextIO | None = None,
) -> None:
    """Set the whole process's log up, standard-library loggers of our libraries included. Call it once, from a command."""
    out = stream or sys.stderr
    console = shape == "console" or (shape == "auto" and out.isatty())
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_correlation,
        hide_private,
    ]
    last: list[Processor] = (
        [structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    # asyncio, aiohttp, asyncpg: their warnings go through the same lines.
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    logging.getLogger("asyncpg.pool").addFilter(_in_a_line)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(LEVELS[level], logging.WARNING))
