"""The tables of RESULTS.md, written from what `--json` kept, so that no figure is typed by hand.

    python -m bench.tables

Each table stands between `<!-- figures: NAME -->` and `<!-- end -->`; the sentences around them are the author's.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec

from bench.report import Figure, Run, short

__all__ = ["FIGURES", "RESULTS", "filled"]

FIGURES: Final = Path(__file__).with_name("figures")
RESULTS: Final = Path(__file__).with_name("RESULTS.md")
BLOCK: Final = re.compile(r"(<!-- figures: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """The page with every table made anew."""
    return BLOCK.sub(lambda found: found[1] + table(found["name"]) + found[3], text)


def table(name: str) -> str:
    """The figures of one bench, the headline first."""
    file = FIGURES / f"{name}.json"
    if not file.exists():
        return f"Not measured yet: `make bench-{name}`.\n"
    run = msgspec.json.decode(file.read_bytes(), type=Run)
    rows = [row(figure) for figure in reversed(run.figures)]
    columns = "| figure | value | beside | ratio, median (min to max) | asked | |\n|---|---|---|---|---|---|\n"
    return f"`{run.command}` on {run.machine}; {run.load}.\n\n{columns}" + "\n".join(rows) + "\n"


def row(figure: Figure) -> str:
    """One line of a table."""
    ratios = figure.ratios
    spread = f" ({short(min(ratios))} to {short(max(ratios))})" if len(ratios) > 1 else ""
    ratio = "" if figure.ratio is None else f"{short(figure.ratio)}{spread}"
    asked = " and ".join(
        f"{sign} {short(one)}" for sign, one in (("≥", figure.least), ("≤", figure.most)) if one is not None
    )
    more = ", ".join(f"{key.replace('_', ' ')} {value.replace('_', ' ')}" for key, value in figure.more.items())
    holds = {True: "holds", False: "**missed**", None: more}[figure.holds]
    cells = (
        f"`{figure.name}`",
        f"{short(figure.value)} {figure.unit}",
        figure.against.replace("_", " "),
        ratio,
        asked,
        holds,
    )
    return (
        "| "
        + " | ".join(
            cell.replace("us_", "µs_").replace("_", " ") if place == 1 else cell for place, cell in enumerate(cells)
        )
        + " |"
    )


def main() -> None:
    """Write the page."""
    RESULTS.write_text(filled(RESULTS.read_text("utf-8")), "utf-8")
    print(RESULTS)


if __name__ == "__main__":
    main()
