"""The operating page names every setting as the code has it, and every metric it names exists."""

from __future__ import annotations

import re
from pathlib import Path

from fairwire_server.observe import exposition
from fairwire_server.settings import markdown_table
from tests.harness.node import Running

PAGE = (Path(__file__).parents[2] / "docs/operating.md").read_text("utf-8")


def test_the_settings_table_is_the_codes() -> None:
    """`python -c "from fairwire_server.settings import markdown_table; print(markdown_table())"` prints it anew."""
    _, _, table = PAGE.partition("kept equal to the code by tests/docs -->\n")
    assert table.strip() == markdown_table().strip()


async def test_every_metric_named_exists(running: Running) -> None:
    named = set(re.findall(r"`((?:fairwire|process)_\w+)`", PAGE)) - {"fairwire_server"}
    shown = exposition(running.node.metrics).decode()
    assert named
    assert not {name for name in named if not re.search(rf"^# TYPE {name}(_total)? ", shown, re.MULTILINE)}
