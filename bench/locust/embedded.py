"""A server of the bench's own: `demo`, `token` and `serve` over an embedded PostgreSQL in a folder that is removed afterwards.

Server and database get the first core and the generators the last, as in every bench here.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Fair", "Stage", "embedded_server"]

TOKEN_S: Final = 86_400
START_S: Final = 60.0
STOP_S: Final = 40.0
FILES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Fair:
    """How large it is."""

    exhibitors: int
    buyers: int


@dataclass(frozen=True, slots=True)
class Stage:
    """Where it runs, and whom to play."""

    host: str
    accounts: Path
    settings: Mapping[str, str]
    """The server's, for what must reach its database too."""


@contextmanager
def embedded_server(fair: Fair) -> Iterator[Stage]:
    """Started, filled and serving; this process is on the generators' core meanwhile."""
    _more_files()
    usable = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="fairwire-load-") as name:
        folder = Path(name)
        accounts = folder / "accounts.jsonl"
        chosen = {"DATA_DIR": folder, "PORT": 0, "ADMIN_PORT": 0, "DEMO": 1, "LOG_LEVEL": "warning", "DRAIN_S": 5}
        settings = {f"FAIRWIRE_{key}": str(value) for key, value in chosen.items()}
        environment = {**os.environ, **settings}
        print(f"# making a demo fair of {fair.exhibitors:,} exhibitors and {fair.buyers:,} buyers", flush=True)
        os.sched_setaffinity(0, {usable[0]})
        _run(environment, "demo", "--exhibitors", str(fair.exhibitors), "--buyers", str(fair.buyers))
        _run(environment, "token", "--all", "--ttl", str(TOKEN_S), "--out", str(accounts))
        with _serving(environment, folder / "serve.log") as host:
            os.sched_setaffinity(0, {usable[-1]})
            print(f"# serving at {host}", flush=True)
            yield Stage(host, accounts, settings)
        os.sched_setaffinity(0, set(usable))


def _command(*words: str) -> Sequence[str]:
    return [sys.executable, "-m", "fairwire_server", *words]


def _run(environment: Mapping[str, str], *words: str) -> None:
    done = subprocess.run(_command(*words), env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{words[0]} failed:\n{done.stdout}{done.stderr}")


@contextmanager
def _serving(environment: Mapping[str, str], log: Path) -> Iterator[str]:
    # A session of its own: Ctrl-C is the generators' to end by, and the server is stopped when they are done.
    with log.open("wb") as out:
        process = subprocess.Popen(_command("serve"), env=environment, stdout=out, stderr=out, start_new_session=True)
    try:
        until = time.monotonic() + START_S
        while (found := re.search(r"running at (http://\S+)", log.read_text("utf-8", "replace"))) is None:
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the server did not start:\n{log.read_text('utf-8', 'replace')}")
            time.sleep(0.05)
        yield found[1]
        said = [line for line in log.read_text("utf-8", "replace").splitlines() if "error" in line or "warning" in line]
        print(f"# the server logged {len(said)} warnings and errors", *said[:5], sep="\n#   ", flush=True)
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _more_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
