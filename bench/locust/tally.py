"""Thousands of figures at once into locust's statistics: one by one they would stop the generator."""

from __future__ import annotations

from collections.abc import Mapping

from locust.stats import RequestStats, StatsEntry, bucket_response_time

__all__ = ["add_times"]


def add_times(stats: RequestStats, kind: str, name: str, times: Mapping[int, int]) -> None:
    """How often each time was measured, in whole milliseconds, into the entry as a whole."""
    if not times:
        return
    entry = StatsEntry(stats, name, kind, stats.total.use_response_times_cache)
    for ms, count in sorted(times.items()):
        entry.log(ms, 0)
        more = count - 1
        entry.num_requests += more
        entry.response_times[bucket_response_time(ms)] += more
        entry.total_response_time += ms * more
        second = int(entry.last_request_timestamp or 0)
        entry.num_reqs_per_sec[second] = entry.num_reqs_per_sec.get(second, 0) + more
    stats.get(name, kind).extend(entry)
    stats.total.extend(entry)
