"""The form that all benches share: figures on lines, a headline last, JSON for plots, and the words of the command line.

    name value unit ratio=… against=… [key=value …]

`ratio` and `against` are `-` where a figure stands alone. Where there is a target, `least=` or `most=` says which ratio is asked
for and `holds=` whether it is reached. A figure measured in pairs is the median, and its ratio the median of the pairs' ratios
with `min` and `max`: a machine changes its speed within minutes, and a ratio of two neighbouring seconds does not care.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

__all__ = ["BUSY", "Figure", "Options", "Report", "Run", "options", "parse_line", "progress"]

BUSY: Final = 0.85
"""A load generator busier than this of its core is what is measured: the run does not count."""
LINE: Final = re.compile(
    r"(?P<name>[a-z0-9_.]+) (?P<value>-?[\d_.]+|nan) (?P<unit>\S+) ratio=(?P<ratio>\S+) against=(?P<against>\S+)(?P<more>( \w+=\S+)*)"
)


class Figure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. `least` and `most` are bounds of `ratio`; `ratios` and `values` are those of the pairs."""

    name: str
    value: float
    unit: str
    ratio: float | None = None
    against: str = ""
    least: float | None = None
    most: float | None = None
    values: tuple[float, ...] = ()
    references: tuple[float, ...] = ()
    more: dict[str, str] = {}

    @property
    def ratios(self) -> tuple[float, ...]:
        """Of each pair, or the only one."""
        if self.references:
            return tuple(one / other for one, other in zip(self.values, self.references, strict=True))
        if self.ratio is not None and self.values and self.value:
            return tuple(value * self.ratio / self.value for value in self.values)
        return () if self.ratio is None else (self.ratio,)

    @property
    def holds(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        if self.ratio is None or (self.least is None and self.most is None):
            return None
        return (self.least is None or self.ratio >= self.least) and (self.most is None or self.ratio <= self.most)

    def line(self) -> str:
        """As it is printed."""
        words = [self.name, short(self.value), self.unit]
        words += [f"ratio={'-' if self.ratio is None else short(self.ratio)}", f"against={self.against or '-'}"]
        if self.references:
            words.append(f"reference={short(median(self.references))}")
        if len(self.ratios) > 1:
            words += [f"min={short(min(self.ratios))}", f"max={short(max(self.ratios))}", f"pairs={len(self.ratios)}"]
        words += [f"{key}={short(bound)}" for key, bound in (("least", self.least), ("most", self.most)) if bound]
        if self.holds is not None:
            words.append(f"holds={'yes' if self.holds else 'NO'}")
        return " ".join([*words, *(f"{key}={value}" for key, value in self.more.items())])


class Run(msgspec.Struct, frozen=True):
    """What `--json` keeps of a run."""

    command: str
    machine: str
    load: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Options:
    """What every bench is told."""

    json: Path | None
    quick: bool
    pairs: int
    chosen: argparse.Namespace

    def few(self, full: int, quick: int) -> int:
        """A number that `--quick` makes smaller."""
        return quick if self.quick else full


@dataclass(slots=True)
class Report:
    """Figures as they come. `headline` prints the last one, writes the JSON, and answers the exit status."""

    options: Options
    figures: list[Figure] = field(default_factory=list)
    busiest: float = 0.0

    def __post_init__(self) -> None:
        print(f"# {command()}\n# {machine()}\n# {load()}", flush=True)

    def say(self, name: str, value: float, unit: str, **more: object) -> None:
        """A figure that stands alone."""
        self._add(Figure(name=name, value=value, unit=unit, more=_texts(more)))

    def bound(self, name: str, values: Sequence[float], unit: str, most: float, **more: object) -> None:
        """A figure with an upper bound in its own unit: the median of what was measured."""
        self._against_a_number(name, values, unit, most, None, 1.0, more)

    def floor(self, name: str, values: Sequence[float], unit: str, least: float, **more: object) -> None:
        """As `bound`, with a lower one."""
        self._against_a_number(name, values, unit, least, 1.0, None, more)

    def _against_a_number(
        self,
        name: str,
        values: Sequence[float],
        unit: str,
        number: float,
        least: float | None,
        most: float | None,
        more: dict[str, object],
    ) -> None:
        value = median(values)
        self._add(
            Figure(
                name=name, value=value, unit=unit, ratio=value / number, against=f"bound_{short(number)}_{unit}", least=least, most=most,
                values=tuple(values), more=_texts(more),
            )
        )  # fmt: skip

    def pairs(
        self,
        name: str,
        unit: str,
        ours: Sequence[float],
        reference: Sequence[float],
        against: str,
        *,
        least: float | None = None,
        most: float | None = None,
        **more: object,
    ) -> None:
        """A figure beside its reference, measured in alternating pairs."""
        ratio = median(one / other for one, other in zip(ours, reference, strict=True))
        self._add(
            Figure(
                name=name, value=median(ours), unit=unit, ratio=ratio, against=against, least=least, most=most,
                values=tuple(ours), references=tuple(reference), more=_texts(more),
            )
        )  # fmt: skip

    def generator(self, name: str, share: float) -> None:
        """How much of its core the load generator used, at most, while something was measured."""
        self.busiest = max(self.busiest, share)
        self.say(name, share, "of_its_core", counts="no" if share > BUSY else "yes")

    def headline(self) -> int:
        """The end: what was added last is the headline. 2 if the run does not count."""
        *_, last = self.figures
        if self.busiest > BUSY:
            print(f"# does not count: the load generator used {self.busiest:.0%} of its core")
        print(last.line(), flush=True)
        if self.options.json is not None:
            self.options.json.parent.mkdir(parents=True, exist_ok=True)
            run = Run(command(), machine(), load(), tuple(self.figures))
            self.options.json.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")
        return 2 if self.busiest > BUSY else 0

    def _add(self, figure: Figure) -> None:
        if self.figures:
            print(self.figures[-1].line(), flush=True)  # one behind: the last is the headline, and prints itself
        self.figures.append(figure)


def options(
    doc: str | None, *, pairs: int, quick: int = 2, add: Sequence[tuple[str, Mapping[str, object]]] = ()
) -> Options:
    """The command line of a bench: what all of them know, and its own."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--pairs", type=int, help=f"alternating pairs of ours and the reference (default {pairs}, quick {quick})"
    )
    parser.add_argument("--quick", action="store_true", help="a short run that shows the way, not the figures")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the figures there, for bench.plots and bench.sizing"
    )
    for name, more in add:
        parser.add_argument(name, **more)  # type: ignore[arg-type]  # argparse's own words, from the bench
    chosen = parser.parse_args()
    return Options(chosen.json, chosen.quick, chosen.pairs or (quick if chosen.quick else pairs), chosen)


def parse_line(line: str) -> dict[str, str] | None:
    """A printed figure as its words; None if it is not one."""
    found = LINE.fullmatch(line)
    if found is None:
        return None
    more = dict(word.split("=", 1) for word in found["more"].split())
    return {key: found[key] for key in ("name", "value", "unit", "ratio", "against")} | more


def progress(text: str) -> None:
    """Say what is going on, beside the figures."""
    print(f"… {text}", file=sys.stderr, flush=True)


def command() -> str:
    """How this run was started."""
    return shlex.join(["python", "-m", f"bench.{Path(sys.argv[0]).stem}", *sys.argv[1:]])


def machine() -> str:
    """What it runs on."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in info if "model name" in line), platform.machine())
    return (
        f"{cpu}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, CPython {platform.python_version()}"
    )


def load() -> str:
    """What else the machine does, as far as a load average tells."""
    return "load averages {:.1f} {:.1f} {:.1f}".format(*os.getloadavg())


def short(value: float) -> str:
    """Three places below a hundred, thousands apart above."""
    if value != value:
        return "nan"
    return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) < 100 else f"{value:,.0f}".replace(",", "_")


def _texts(more: dict[str, object]) -> dict[str, str]:
    return {
        key: short(value) if isinstance(value, float | int) and not isinstance(value, bool) else str(value)
        for key, value in more.items()
    }
