"""What an operator sees: structured logs, metrics, and how late the event loop runs."""

from fairwire_server.observe.logs import CORRELATION, configure_logs, new_correlation
from fairwire_server.observe.loop_lag import LoopLag
from fairwire_server.observe.metrics import Histogram, Metrics, OperationMetrics, exposition

__all__ = [
    "CORRELATION",
    "Histogram",
    "LoopLag",
    "Metrics",
    "OperationMetrics",
    "configure_logs",
    "exposition",
    "new_correlation",
]
