"""Logs that cannot leak, metrics that Prometheus reads, health that tells the truth."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from fairwire_protocol.errors import Unavailable
from fairwire_server.doors.health import Health, build_admin_app
from fairwire_server.doors.listen import listening
from fairwire_server.observe import CORRELATION, LoopLag, Metrics, configure_logs, exposition
from fairwire_server.observe.logs import HIDDEN
from tests.harness.clock import ManualClock

# logs


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The process's log as JSON, put back as it was afterwards."""
    out, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logs(level="debug", shape="json", stream=out)
    yield out
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(log: io.StringIO) -> list[dict[str, object]]:
    """What was logged."""
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_line_is_an_event_with_fields_and_the_running_calls_correlation(log: io.StringIO) -> None:
    outer = CORRELATION.set("c0ffee")
    structlog.get_logger().info("sent", operation="chat.send")
    CORRELATION.reset(outer)
    (line,) = lines(log)
    assert (line["event"], line["operation"], line["correlation"], line["level"]) == (
        "sent",
        "chat.send",
        "c0ffee",
        "info",
    )


@pytest.mark.parametrize("key", sorted(HIDDEN))
def test_private_values_never_reach_the_log(log: io.StringIO, key: str) -> None:
    """Habit 9: no message text, phone number or token, at any depth, in any case."""
    structlog.get_logger().warning("x", **{key: "canary", key.upper(): "canary"}, nested={"deep": [{key: "canary"}]})
    assert "canary" not in log.getvalue()
    assert lines(log)[0][key] == "[hidden]"


@pytest.mark.parametrize("shape", ["json", "console"])
def test_a_traceback_shows_no_local_variables(shape: str) -> None:
    out = io.StringIO()
    configure_logs(level="info", shape="json" if shape == "json" else "console", stream=out)

    def fails(password: str) -> None:
        raise ValueError("wrong", len(password))

    try:
        fails("canary-" + "in-a-local")
    except ValueError:
        structlog.get_logger().exception("fault")
    structlog.reset_defaults()
    assert "ValueError" in out.getvalue()
    assert "canary-in-a-local" not in out.getvalue()


def test_libraries_warnings_are_lines_of_the_same_shape(log: io.StringIO) -> None:
    logging.getLogger("asyncio").warning("slow %s", "callback")
    logging.getLogger("asyncio").info("chatter")
    (line,) = lines(log)
    assert (line["event"], line["level"]) == ("slow callback", "warning")


def test_the_pool_that_tries_again_says_so_in_a_line(log: io.StringIO) -> None:
    """PostgreSQL is away for minutes sometimes: a traceback each second hides what else is logged."""
    try:
        raise ConnectionRefusedError(111, "refused")
    except ConnectionRefusedError:
        logging.getLogger("asyncpg.pool").warning("Failed to restore the floor; retrying", exc_info=True)
    (line,) = lines(log)
    assert line["event"] == "Failed to restore the floor; retrying (ConnectionRefusedError)"
    assert "exception" not in line


# metrics


def test_every_metric_is_read_back_by_prometheus_own_parser() -> None:
    metrics = Metrics()
    metrics.sockets = 3
    metrics.frames_out += 7
    metrics.sockets_closed[4001] += 2
    metrics.batch_size.observe(3)
    metrics.batch_size.observe(1000)
    metrics.operation("chat.send").outcomes["ok"] += 5
    metrics.operation("chat.send").seconds.observe(0.02)
    metrics.levels["pool_free"] = ("Free connections.", lambda: 9.0)
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(exposition(metrics).decode())
        for sample in family.samples
    }
    assert samples["fairwire_sockets",] == 3
    assert samples["fairwire_frames_out_total",] == 7
    assert samples["fairwire_sockets_closed_total", ("code", "4001")] == 2
    assert samples["fairwire_batch_size_bucket", ("le", "2")] == 0
    assert samples["fairwire_batch_size_bucket", ("le", "4")] == 1
    assert samples["fairwire_batch_size_bucket", ("le", "+Inf")] == 2
    assert samples["fairwire_batch_size_sum",] == 1003
    assert samples["fairwire_operations_total", ("operation", "chat.send"), ("outcome", "ok")] == 5
    assert samples["fairwire_operation_seconds_count", ("operation", "chat.send")] == 1
    assert samples["fairwire_pool_free",] == 9


def test_every_number_of_the_metrics_is_shown() -> None:
    """A metric that is not shown was forgotten."""
    shown = exposition(Metrics()).decode()
    for name in Metrics.__dataclass_fields__.keys() - {"operations", "levels"}:
        assert f"# HELP fairwire_{name}" in shown
    for name in ("process_resident_memory_bytes", "process_open_fds"):
        assert f"# HELP {name}" in shown


# loop lag and health


class Probe:
    """A health with its knobs."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.metrics = Metrics()
        self.lag = LoopLag(self.clock, self.metrics, every=1.0)
        self.asked = 0
        self.answer: str | Exception | None = None
        self.health = Health(self.clock, self.lag, self.ready)

    async def ready(self) -> str | None:
        """As set."""
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
async def probe() -> AsyncIterator[Probe]:
    """Sampling."""
    made = Probe()
    task = asyncio.create_task(made.lag.run())
    await asyncio.sleep(0)
    yield made
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_lag_is_how_much_later_than_asked_the_loop_came_back(probe: Probe) -> None:
    await probe.clock.pass_(1.0)
    assert probe.lag.lag == 0
    await probe.clock.pass_(3.5)
    assert probe.lag.lag == pytest.approx(2.5)
    assert probe.metrics.loop_lag_seconds == pytest.approx(2.5)
    await probe.clock.pass_(1.0)
    assert probe.lag.lag == 0
    assert sum(probe.metrics.loop_lag.counts) == 3


async def test_a_stalled_loop_is_seen_while_it_stalls(probe: Probe) -> None:
    probe.clock.advance(7.0)
    assert probe.lag.lag == pytest.approx(6.0)
    assert probe.health.sick() is not None


async def test_health_tells_alive_from_ready(probe: Probe) -> None:
    app = build_admin_app(probe.health, probe.metrics)
    async with listening(app, "127.0.0.1", 0) as port, ClientSession(f"http://127.0.0.1:{port}") as client:

        async def ask(path: str) -> tuple[int, str | None]:
            async with client.get(path) as answer:
                return answer.status, (await answer.json()).get("reason")

        assert await ask("/healthz") == (200, None)
        assert await ask("/readyz") == (200, None)
        probe.answer = Unavailable("busy")
        assert await ask("/readyz") == (200, None)  # asked a moment ago
        await probe.clock.pass_(1.0)
        assert await ask("/readyz") == (503, "the database does not answer")
        assert await ask("/healthz") == (200, None)
        probe.answer = "migrations are pending"
        await probe.clock.pass_(1.0)
        assert await ask("/readyz") == (503, "migrations are pending")
        probe.health.draining = True
        assert await ask("/readyz") == (503, "draining")
        async with client.get("/metrics") as answer:
            assert "fairwire_loop_lag_seconds" in await answer.text()


async def test_many_probes_ask_the_database_once(probe: Probe) -> None:
    await asyncio.gather(*(probe.health.unready() for _ in range(100)))
    assert probe.asked == 1
