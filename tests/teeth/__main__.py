"""`python -m tests.teeth [NAME…]`: plant every fault of this folder, or those named, and print who noticed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tests.teeth.runner import read_fault, run

FOLDER = Path(__file__).resolve().parent


def main(names: Sequence[str]) -> int:
    """Exit code 1 if a fault went unnoticed or its patch no longer applies, 2 if nothing could be tried."""
    paths = [FOLDER / f"{name}.patch" for name in names] or sorted(FOLDER.glob("*.patch"))
    if not paths:
        print("teeth: there are no planted faults")
        return 2
    try:
        faults = [read_fault(path) for path in paths]
        width = max(len(fault.name) for fault in faults)
        print(f"teeth: {len(faults)} faults; first their tests without any", flush=True)
        missed = 0
        for outcome in run(FOLDER.parents[1], faults):
            missed += not outcome.caught
            verdict = "caught" if outcome.caught else "MISSED"
            print(f"{verdict}  {outcome.fault.name:{width}}  {outcome.fault.sentence}", flush=True)
            print(f"{'':8}{'':{width}}{outcome.detail}", flush=True)
    except (OSError, RuntimeError, ValueError) as error:
        print(f"teeth: {error}")
        return 2
    print(f"teeth: {len(faults) - missed} of {len(faults)} faults caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
