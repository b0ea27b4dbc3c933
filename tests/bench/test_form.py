"""The benches' common form: lines that parse, references that stay small, plots and sizing that follow from the figures."""

from __future__ import annotations

import argparse
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from bench import sizing, tables
from bench.plots import draw
from bench.report import Figure, Options, Report, Run, parse_line
from bench.wire import frames_in

BENCH = Path(__file__).parents[2] / "bench"
REFERENCES = sorted(BENCH.glob("bare_*.py"))


def report(json: Path | None = None) -> Report:
    return Report(Options(json, quick=True, pairs=2, chosen=argparse.Namespace()))


def said(lines: str) -> list[dict[str, str]]:
    figures = [parse_line(line) for line in lines.splitlines() if not line.startswith("#")]
    assert all(figures), f"a line is not in the form:\n{lines}"
    return [figure for figure in figures if figure is not None]


def test_each_figure_is_a_line_that_parses_and_the_headline_is_last(capsys: pytest.CaptureFixture[str]) -> None:
    told = report()
    told.say("some.rate", 12_345.6, "messages/s", at=3)
    told.bound("some.time", [30, 10, 20], "ms", 40)
    told.pairs("some", "deliveries/s", [80, 90], [100, 100], "bare_write", least=0.9)
    assert told.headline() == 0
    alone, bound, headline = said(capsys.readouterr().out)
    assert alone == {
        "name": "some.rate",
        "value": "12_346",
        "unit": "messages/s",
        "ratio": "-",
        "against": "-",
        "at": "3",
    }
    assert (bound["value"], bound["ratio"], bound["against"], bound["holds"]) == ("20", "0.5", "bound_40_ms", "yes")
    assert (headline["name"], headline["ratio"], headline["against"]) == ("some", "0.85", "bare_write")
    assert (headline["min"], headline["max"], headline["pairs"], headline["holds"]) == ("0.8", "0.9", "2", "NO")


def test_a_ratio_is_the_median_of_the_pairs_ratios_and_not_of_their_medians() -> None:
    told = report()
    told.pairs("some", "x", [10, 20, 90], [10, 40, 30], "bare")
    assert told.figures[-1].ratio == 1.0


def test_a_run_whose_generator_was_too_busy_does_not_count_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    told = report()
    told.generator("some.generator", 0.86)
    told.say("some", 1, "x")
    assert told.headline() == 2
    out = capsys.readouterr().out
    assert "# does not count" in out
    assert "counts=no" in out


def test_json_keeps_what_the_lines_say(tmp_path: Path) -> None:
    told = report(tmp_path / "out" / "some.json")
    told.pairs("some", "x", [1.0, 3.0], [2.0, 2.0], "bare", most=2.0)
    told.headline()
    run = msgspec.json.decode((tmp_path / "out" / "some.json").read_bytes(), type=Run)
    assert run.figures == tuple(told.figures)
    assert run.figures[0].ratios == (0.5, 1.5)


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda path: path.stem)
def test_a_reference_is_at_most_60_lines(reference: Path) -> None:
    assert len(reference.read_text("utf-8").splitlines()) <= 60


def test_there_are_references_for_writing_and_for_inserting() -> None:
    assert {path.stem for path in REFERENCES} >= {
        "bare_write",
        "bare_fanout",
        "bare_idle",
        "bare_commit",
        "bare_batched",
        "bare_booking",
    }


def test_a_plot_is_an_svg_with_a_row_for_every_figure_that_stands_beside_something() -> None:
    figures = (
        Figure(name="alone", value=1, unit="x"),
        Figure(
            name="least.met",
            value=90,
            unit="x/s",
            ratio=0.9,
            against="bare",
            least=0.85,
            values=(90,),
            references=(100,),
        ),
        Figure(name="most.missed", value=50, unit="ms", ratio=1.25, against="bound_40_ms", most=1, values=(40, 60)),
        Figure(name="beside", value=50, unit="x & <y>", ratio=0.5, against="bare", values=(50,), references=(100,)),
    )
    picture = ElementTree.fromstring(draw(Run("command", "machine", "load", figures)))
    words = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"least.met", "most.missed", "beside"} <= set(words)
    assert "alone" not in words
    assert "times better than the target (1 = just reached)" in words


def test_every_plot_shown_in_the_results_is_there_and_every_plot_is_shown() -> None:
    results = (BENCH / "RESULTS.md").read_text("utf-8")
    for picture in BENCH.glob("pictures/*.svg"):
        assert f"(pictures/{picture.name})" in results


FIGURES = {
    "commit.full.cpu.server": 0.2, "commit.full.cpu.database": 0.1, "idle.cpu.each": 10 / 3, "presence.each": 400.0,
    "connect.50.cpu.server": 0.6, "connect.50.cpu.database": 0.6, "resume.cpu.server": 0.6, "resume.cpu.database": 0.6,
    "fanout.one.cpu": 10.0, "idle.memory": 20.0,
}  # fmt: skip


def test_sizing_adds_up() -> None:
    fair = sizing.Fair(exhibitors=25_000, buyers=50_000)
    assert fair.sockets == 15_000
    found = {(need.what, need.where): need.amount for need in sizing.needs(fair, FIGURES)}
    assert found["messages", "node"] == pytest.approx(250 * 0.2 / 1000 * 1.25)  # they cross, as SIZING.md says
    assert found["beats", "node"] == pytest.approx(0.05)
    assert found["presence", "node"] == pytest.approx(0.4)
    assert found["announcement in 0.4 s", "nodes"] == pytest.approx(0.375)
    assert sizing.nodes(list(sizing.needs(fair, FIGURES))) == (2, 1)


@pytest.mark.parametrize("wrong", [("--buyers", "-1"), ("--online", "20"), ("--online", "0"), ("--messages", "nan")])
def test_sizing_does_not_reckon_with_nonsense(
    wrong: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["sizing", "--exhibitors", "10", "--buyers", "10", *wrong])
    with pytest.raises(SystemExit) as ended:
        sizing.main()
    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err


def test_a_quick_run_leaves_the_figures_that_are_kept_alone() -> None:
    """`make bench-NAME BENCH=--quick` shows the way; plots, tables and sizing read what full runs have left."""
    for name in re.findall(r"^bench-(\w+):", (BENCH.parent / "Makefile").read_text("utf-8"), re.MULTILINE):
        asked = [
            subprocess.run(
                ["make", "-n", f"bench-{name}", *more], cwd=BENCH.parent, capture_output=True, text=True, check=True
            )
            for more in ((), ("BENCH=--quick",))
        ]
        full, quick = (f"--json bench/figures/{name}.json" in one.stdout for one in asked)
        assert full is (name not in {"plots", "peak"}), name
        assert not quick, name


def test_twice_the_people_never_need_fewer_nodes() -> None:
    counts = [
        sizing.nodes(sizing.needs(sizing.Fair(exhibitors=n, buyers=2 * n), FIGURES)) for n in (1_000, 20_000, 200_000)
    ]
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


def test_frames_in_stops_at_what_is_not_whole() -> None:
    beat = msgspec.msgpack.encode({"t": "beat", "pos": 1, "fair_pos": 2})
    whole = bytes((0x82, len(beat))) + beat
    assert [(size, frame.t) for size, frame in frames_in(whole + whole + whole[:-1])] == [(len(whole), "beat")] * 2


def test_the_tables_of_the_results_are_those_of_the_figures() -> None:
    page = tables.RESULTS.read_text("utf-8")
    assert tables.filled(page) == page, "run `make bench-plots`"
