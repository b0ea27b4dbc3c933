"""The specification is complete, its tables are the code's, its links lead somewhere, and its program works (W1)."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from fairwire_protocol import frames as f
from fairwire_protocol.errors import CODES, Close
from fairwire_protocol.models import Limits
from fairwire_protocol.operations import CATALOGUE
from tests.gates.tree import ROOT
from tests.protocol.in_memory import exhibitor_entry
from tests.sdk.peer import Chat, peer
from wire_examples import EVENT_TYPES

TEXT = (ROOT / "protocol" / "README.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"^#{2,4} (.+)$", TEXT, flags=re.MULTILINE)


def test_the_tables_are_what_the_code_says() -> None:
    """Stale? `python protocol/wire_tables.py`."""
    command = [sys.executable, str(ROOT / "protocol" / "wire_tables.py"), "--check"]
    assert subprocess.run(command, cwd=ROOT).returncode == 0


@pytest.mark.parametrize("kind", [*get_args(f.ClientFrame), *get_args(f.ServerFrame)])
def test_every_frame_has_its_section_and_an_example_in_both_codecs(kind: type) -> None:
    tag = kind.__struct_config__.tag  # type: ignore[attr-defined]
    section = TEXT.split(f"#### frame `{tag}`\n")[1].split("####")[0]
    assert "```json" in section
    assert "```hex" in section


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_every_event_has_its_section_and_its_rule_in_the_reducer(kind: type) -> None:
    tag = kind.__struct_config__.tag  # type: ignore[attr-defined]
    assert f"event `{tag}`" in HEADINGS
    assert f"[`{tag}`](#event-{tag})" in TEXT.split("## §8")[1].split("## §9")[0]


def test_every_operation_error_and_close_code_is_there() -> None:
    assert all(f"operation `{name}`" in HEADINGS for name in CATALOGUE)
    assert all(f"| `{code}` |" in TEXT for code in CODES)
    assert all(f"| {int(close)} |" in TEXT for close in Close)


def test_every_limit_is_explained() -> None:
    section = TEXT.split("## §13")[1].split("## §14")[0]
    assert all(f"`{name}`" in section for name in Limits.__struct_fields__)


def test_sections_are_numbered_without_a_gap() -> None:
    numbers = [int(number) for number in re.findall(r"^## §(\d+) ", TEXT, flags=re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert {int(number) for number in re.findall(r"§(\d+)", TEXT)} <= set(numbers)


def test_every_link_within_leads_somewhere() -> None:
    anchors = [re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in HEADINGS]
    assert len(anchors) == len(set(anchors)), "two sections of one name"
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= set(anchors)


async def test_the_client_on_one_page_works(tmp_path: Path) -> None:
    """As printed, with plain msgpack: it goes live, sends, gets the reply and an event, and answers the beat."""
    program = re.search(r"<!-- program: client -->\n```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert program is not None
    path = tmp_path / "client.py"
    path.write_text(program[1])
    async with peer() as it:
        it.streams.entries = [exhibitor_entry(1)]
        chat = it.answers["chat.send"] = Chat()
        client = await asyncio.create_subprocess_exec(
            sys.executable, str(path), f"{it.url}/v1/socket", "token", "你好", stdout=asyncio.subprocess.PIPE
        )
        try:
            await it.wait(lambda: chat.stored == ["你好"])
            await it.push()
            await it.send(f.Beat(pos=1, fair_pos=0))
            await it.wait(lambda: f.Ack(pos=1, fair_pos=0) in it.acks)
            await it.send(f.Bye(code=4000, reason="end"))
            await it.cut(4000)
            output, _ = await client.communicate()
        finally:
            if client.returncode is None:
                client.kill()
                await client.wait()
    lines = output.decode().splitlines()
    assert lines[0] == "live 1 contacts"
    assert lines[1].startswith("reply {")
    assert lines[-1] == "bye 4000"
