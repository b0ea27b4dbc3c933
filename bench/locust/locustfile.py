"""What locust loads: `locust -f bench/locust/locustfile.py --host URL --accounts FILE`. See bench/README.md."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]  # locust's own command puts only this folder there

from bench.locust.buyer import Buyer  # noqa: E402 - not before the path is there
from bench.locust.organiser import Organiser  # noqa: E402
from bench.locust.run import FairShape, register  # noqa: E402
from bench.locust.team import Exhibitor  # noqa: E402

__all__ = ["Buyer", "Exhibitor", "FairShape", "Organiser"]

register()
