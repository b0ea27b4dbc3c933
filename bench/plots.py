"""One picture a bench, drawn from what `--json` kept: how far each figure is from its target, and from its references.

    python -m bench.plots [FILE ...]

Reads `bench/figures/*.json`, writes `bench/pictures/*.svg`. In the upper part right is better, whatever a figure counts: a rate is
divided by what is asked for, a cost divides its bound, and the line at 1 is the target. The lower part has the plain ratios to the
references. A dot is a pair, the bar from the least to the greatest of them, the large mark their median. Both axes are logarithmic.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Final
from xml.sax.saxutils import escape

import msgspec

from bench.report import Figure, Run, short

__all__ = ["draw"]

FIGURES: Final = Path(__file__).with_name("figures")
PLOTS: Final = Path(__file__).with_name("pictures")
WIDTH, LEFT, RIGHT, ROW, TOP = 940, 250, 210, 26, 58
TICKS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
HOLDS, FAILS, NEUTRAL = "#1d7a5c", "#b23b25", "#47525d"


def scores(figure: Figure) -> list[float]:
    """Of each pair: how many times better than the target, or the ratio where there is none."""
    if figure.least is not None:
        least = figure.least
        return [ratio / least for ratio in figure.ratios]
    if figure.most is not None:
        most = figure.most
        return [most / ratio if ratio > 0 else TICKS[-1] for ratio in figure.ratios]
    return list(figure.ratios)


def draw(run: Run) -> str:
    """The picture as SVG."""
    targets = [one for one in run.figures if one.holds is not None]
    beside = [one for one in run.figures if one.holds is None and one.ratio is not None]
    parts, y = (
        [_text(12, 22, run.command, size=15, weight="bold"), _text(12, 40, f"{run.machine}; {run.load}", size=11)],
        TOP,
    )
    if targets:
        lines, y = _panel(
            targets, y, "times better than the target (1 = just reached)", lambda one: HOLDS if one.holds else FAILS
        )
        parts += lines
    if beside:
        lines, y = _panel(beside, y + 16, "ratio to the reference", lambda _: NEUTRAL)
        parts += lines
    size = f'width="{WIDTH}" height="{y + 8}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 8}" {size} font-family="sans-serif">'
    return "\n".join([head, f'<rect {size} fill="white"/>', *parts, "</svg>", ""])


def _panel(figures: Sequence[Figure], top: int, label: str, colour: Callable[[Figure], str]) -> tuple[list[str], int]:
    """Some figures over one axis; the lines, and where they end."""
    values = [score for one in figures for score in scores(one)]
    low = max((tick for tick in TICKS if tick <= min(*values, 0.5)), default=TICKS[0])
    high = min((tick for tick in TICKS if tick >= max(*values, 2.0)), default=TICKS[-1])

    def x(value: float) -> float:
        share = math.log(min(max(value, low), high) / low) / math.log(high / low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    bottom = top + ROW * len(figures)
    parts = []
    for tick in (tick for tick in TICKS if low <= tick <= high):
        style = 'stroke="#1b2733" stroke-width="1.6"' if tick == 1 else 'stroke="#dde2e7"'
        parts.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top}" y2="{bottom}" {style}/>')
        parts.append(_text(x(tick), bottom + 14, f"{tick:g}", size=10, anchor="middle"))
    for number, figure in enumerate(figures):
        parts += _row(figure, top + ROW * number + ROW / 2, x, colour(figure))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, bottom + 30, label, size=11, anchor="middle"))
    return parts, bottom + 38


def _row(figure: Figure, y: float, x: Callable[[float], float], colour: str) -> list[str]:
    """A figure: its name, its pairs, and its value with what it stands beside."""
    marks = scores(figure)
    against = figure.against.replace("_", " ")
    asked = f", asked {short(figure.least)}" if figure.least not in (None, 1.0) and figure.least is not None else ""
    span = f'x1="{x(min(marks)):.1f}" x2="{x(max(marks)):.1f}" y1="{y}" y2="{y}"'
    return [
        _text(LEFT - 10, y + 4, figure.name, size=12, anchor="end"),
        f'<line {span} stroke="{colour}" stroke-width="5" stroke-opacity="0.25"/>',
        *(f'<circle cx="{x(mark):.1f}" cy="{y}" r="2.5" fill="{colour}" fill-opacity="0.55"/>' for mark in marks),
        f'<circle cx="{x(median(marks)):.1f}" cy="{y}" r="5.5" fill="{colour}"/>',
        _text(WIDTH - RIGHT + 10, y - 1, f"{short(figure.value)} {figure.unit}", size=11, weight="bold"),
        _text(WIDTH - RIGHT + 10, y + 10, f"{short(figure.ratio or 0)} × {against}{asked}", size=9),
    ]


def _text(x: float, y: float, text: str, *, size: int, anchor: str = "start", weight: str = "normal") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text {place} fill="#1b2733">{escape(text)}</text>'


def main() -> None:
    """Draw the files named, or all there are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="what --json wrote (default bench/figures/*.json)")
    PLOTS.mkdir(exist_ok=True)
    for file in parser.parse_args().files or sorted(FIGURES.glob("*.json")):
        picture = PLOTS / f"{file.stem}.svg"
        picture.write_text(draw(msgspec.json.decode(file.read_bytes(), type=Run)), "utf-8")
        print(picture)


if __name__ == "__main__":
    main()
