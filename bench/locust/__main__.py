"""`python -m bench.locust`: a load run without the web page, against a server of its own or any other.

    python -m bench.locust --embedded 40x600 --shape peak_hour --active 200 --seconds 60
    python -m bench.locust --host URL --accounts FILE --shape announcement --hold 14000 --processes 2

Everything but `--embedded` and `--web` goes to locust as it is: `locust -f bench/locust/locustfile.py --help` lists it.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from bench.locust.embedded import Fair, embedded_server

__all__ = ["main"]

ROOT: Final = Path(__file__).resolve().parents[2]
FILE: Final = Path(__file__).with_name("locustfile.py")
QUIETLY: Final = ("--headless", "--only-summary", "--skip-log-setup")


def _fair(text: str) -> tuple[int, int]:
    exhibitors, _, buyers = text.partition("x")
    return int(exhibitors), int(buyers)


def main() -> int:
    """From the command line; the exit code is the run's."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.locust", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit codes: 0 good, 3 lost or duplicate or reordered, 4 a bound missed, 5 the run does not count",
    )  # fmt: skip
    parser.add_argument(
        "--embedded", type=_fair, metavar="ExB", help="start a server with a demo fair of E exhibitors, B buyers"
    )
    parser.add_argument("--web", action="store_true", help="with locust's web page, at port 8089")
    chosen, rest = parser.parse_known_args()
    command = [sys.executable, "-m", "locust", "-f", str(FILE), *(() if chosen.web else QUIETLY), *rest]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # the server is stopped on the way out
    if chosen.embedded is None:
        return _generate(command, environment)
    with embedded_server(Fair(*chosen.embedded)) as stage:
        return _generate(
            [*command, "--host", stage.host, "--accounts", str(stage.accounts)], {**environment, **stage.settings}
        )


def _generate(command: list[str], environment: dict[str, str]) -> int:
    """Run locust. An interrupt is its to end by: it still counts what is under way."""
    process = subprocess.Popen(command, env=environment)
    signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGINT))  # locust minds only this one
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


if __name__ == "__main__":
    sys.exit(main())
