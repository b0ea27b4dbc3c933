"""What the server counts, as plain integers, shown in Prometheus' format when somebody asks.

Counting happens millions of times and reading every 15 seconds, so an increment is `metrics.frames_out += 1` and nothing
else: no lock (one thread counts), no label lookup. A metric is one line of `Metrics`: its name, what it is and its sentence;
`MetricsCollector` derives the rest.
"""

# ruff: noqa: RUF009 — the helpers below return dataclasses.field, no shared default

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

__all__ = ["Histogram", "Metrics", "MetricsCollector", "OperationMetrics", "exposition"]

SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
PREFIX: Final = "fairwire_"


class Histogram:
    """How often a value fell into which bucket, and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count `value`."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulated counts by upper bound, as Prometheus wants them."""
        total, rows = 0, []
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            total += count
            rows.append((bound, float(total)))
        return rows


class OperationMetrics:
    """One operation: how often it ended how (`ok` or an error's code), and how long its handler took."""

    __slots__ = ("outcomes", "seconds")

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.seconds = Histogram()


def _count(text: str) -> int:
    value: int = field(default=0, metadata={"kind": "counter", "help": text})
    return value


def _level(text: str) -> int:
    value: int = field(default=0, metadata={"kind": "gauge", "help": text})
    return value


def _value(text: str) -> float:
    value: float = field(default=0.0, metadata={"kind": "gauge", "help": text})
    return value


def _count_by(label: str, text: str) -> Counter[Any]:
    value: Counter[Any] = field(default_factory=Counter, metadata={"kind": "counters", "help": text, "label": label})
    return value


def _spread(text: str, bounds: Sequence[float] = SECONDS) -> Histogram:
    value: Histogram = field(default_factory=lambda: Histogram(bounds), metadata={"kind": "histogram", "help": text})
    return value


@dataclass(slots=True)
class Metrics:
    """Every count of one process. Levels go up and down, counts only up; `Counter`s are keyed by their label."""

    sockets: int = _level("Sockets open now.")
    sockets_opened: int = _count("Sockets that finished their handshake.")
    sockets_closed: Counter[int] = _count_by("code", "Sockets closed, by close code (W13).")
    frames_in: int = _count("Frames received.")
    frames_out: int = _count("Frames handed to sockets.")
    bytes_in: int = _count("Bytes of frames received.")
    bytes_out: int = _count("Bytes of frames handed to sockets.")
    frames_refused: Counter[str] = _count_by("code", "Frames answered by an error before any operation ran.")
    lagging: int = _level("Sockets lagging now (W12).")
    lagged: int = _count("Times a socket began to lag (W12).")
    ephemera_dropped: int = _count("Ephemeral frames dropped for full queues (W12).")
    resumes: Counter[str] = _count_by("outcome", "Answers to hello: resumed, or why not (W6).")
    replayed: int = _count("Events sent again on resume (W6).")
    snapshots: int = _count("Snapshots sent (W5).")
    snapshots_kept: int = _count("Of these, sent from memory (W5).")
    snapshot_seconds: Histogram = _spread("Time of a snapshot's statement (W5).")
    events: Counter[str] = _count_by("type", "Durable events announced after commit, by type.")
    deliveries: int = _count("Event frames queued for a socket.")
    holes: int = _count("Times a hole in positions was held or filled from the log (W4).")
    commit_seconds: Histogram = _spread("Time of a batch of messages from its start to COMMIT.")
    batch_size: Histogram = _spread("Messages in one batch.", SIZES)
    presence_subscriptions: int = _level("Presence subscriptions of all sockets (W10).")
    rate_limited: Counter[str] = _count_by("rate_class", "Calls refused by a rate limit, by class (W12).")
    http_requests: Counter[int] = _count_by("status", "HTTP answers by status.")
    http_bytes_in: int = _count("Bytes of HTTP bodies received.")
    callbacks: Counter[str] = _count_by(
        "outcome", "Providers' callbacks: kept, later (not kept, they come again), refused (N6)."
    )
    loop_lag_seconds: float = _value("How late the event loop ran at the last sample.")
    loop_lag: Histogram = _spread("How late the event loop ran, all samples.")
    draining: int = _level("1 while this node drains (W14).")
    operations: dict[str, OperationMetrics] = field(default_factory=dict)
    levels: dict[str, tuple[str, Callable[[], float]]] = field(default_factory=dict)
    """Read when asked: name → (sentence, function); for what somebody else counts already, such as a pool's connections."""

    def operation(self, name: str) -> OperationMetrics:
        """The counts of one operation; keep what it returns, so that counting looks nothing up."""
        return self.operations.setdefault(name, OperationMetrics())


class MetricsCollector(Collector):
    """Turns `Metrics` into Prometheus' families, one for each line of it."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """Every family, named `fairwire_…`."""
        for line in fields(self._metrics):
            if line.metadata:
                yield _family(line, getattr(self._metrics, line.name))
        ended = CounterMetricFamily(PREFIX + "operations", "Operations by outcome.", labels=("operation", "outcome"))
        took = HistogramMetricFamily(PREFIX + "operation_seconds", "Time of a handler.", labels=("operation",))
        for name, operation in sorted(self._metrics.operations.items()):
            for outcome, count in sorted(operation.outcomes.items()):
                ended.add_metric((name, outcome), count)
            took.add_metric((name,), operation.seconds.buckets(), operation.seconds.sum)
        yield ended
        yield took
        for name, (text, read) in self._metrics.levels.items():
            yield GaugeMetricFamily(PREFIX + name, text, value=read())


def _family(line: Field[Any], value: Any) -> Metric:
    name, text = PREFIX + line.name, line.metadata["help"]
    match line.metadata["kind"]:
        case "gauge":
            return GaugeMetricFamily(name, text, value=value)
        case "counter":
            return CounterMetricFamily(name, text, value=value)
        case "histogram":
            return HistogramMetricFamily(name, text, buckets=value.buckets(), sum_value=value.sum)
        case _:
            family = CounterMetricFamily(name, text, labels=(line.metadata["label"],))
            for key, count in sorted(value.items()):
                family.add_metric((str(key),), count)
            return family


def exposition(metrics: Metrics) -> bytes:
    """All metrics in Prometheus' text format, the process's own (`process_resident_memory_bytes`, `process_open_fds` …) included."""
    registry = CollectorRegistry()
    registry.register(MetricsCollector(metrics))
    ProcessCollector(registry=registry)
    return generate_latest(registry)
