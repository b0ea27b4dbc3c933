"""The rules of the house hold over the whole tree, and each has been seen red on a line that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tests.gates import rules_of_the_house as house
from tests.gates.tree import ROOT, Module, modules, shipped

Gate = Callable[[Module], Iterator[str]]


def expect_none(gate: Gate, over: Iterable[Module]) -> None:
    """Fail with every finding on a line of its own."""
    found = [finding for module in over for finding in gate(module)]
    if found:
        pytest.fail("\n".join([f"{gate.__name__}: {gate.__doc__}", *found]), pytrace=False)


def rules_modules() -> list[Module]:
    return [module for module in shipped("fairwire_server") if module.name.rpartition(".")[2] == "rules"]


def test_no_sql_in_python() -> None:
    """Boundary 6."""
    expect_none(house.sql_in_python, shipped())


def test_the_environment_is_read_in_settings_only() -> None:
    """Boundary 6; the SDK and the protocol read none at all."""
    elsewhere = [module for module in shipped() if module.name != "fairwire_server.settings"]
    expect_none(house.environment, elsewhere)


def test_sql_that_decides_reads_no_clock() -> None:
    """Boundary 6. A migration decides nothing while the server runs."""
    queries = [path for path in (ROOT / "server").rglob("*.sql") if "migrations" not in path.parts]
    clocks = [
        finding
        for path in queries
        for finding in house.clocks_in_sql(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
    ]
    assert not clocks, "\n".join(clocks)


def test_rules_are_pure() -> None:
    """Boundary 3."""
    assert rules_modules(), "there are no rules to look at"
    expect_none(house.impure_imports, rules_modules())
    expect_none(house.async_in_rules, rules_modules())


def test_an_import_inside_a_function_has_its_reason() -> None:
    """Habit 1."""
    expect_none(house.local_imports, shipped())


def test_public_names_are_declared() -> None:
    """Habit 10."""
    expect_none(house.unexported, shipped())


def test_tests_neither_sleep_nor_mock() -> None:
    tests = list(modules(ROOT / "tests", "tests"))
    expect_none(house.sleeps, tests)
    expect_none(house.mocks, tests)


BROKEN: list[tuple[Gate, str]] = [
    (house.sql_in_python, 'QUERY = "SELECT id FROM accounts"'),
    (house.sql_in_python, 'QUERY = f"update {table} set name = $1"'),
    (house.sql_in_python, 'await connection.execute("LISTEN fairwire")'),
    (house.sql_in_python, 'QUERY = """\n  with due as (select 1)\n  delete from notices"""'),
    (house.sql_in_python, 'q = "select pg_advisory_lock($1)"'),
    (house.environment, "import os\nport = os.environ['PORT']"),
    (house.environment, "from os import getenv"),
    (house.impure_imports, "import asyncio"),
    (house.impure_imports, "import msgspec"),
    (house.impure_imports, "from fairwire_server.chat.store import load"),
    (house.async_in_rules, "async def decide(): ..."),
    (house.async_in_rules, "from datetime import datetime\nlate = datetime.now() > due"),
    (house.async_in_rules, "message = Message(id=uuid4())"),
    (house.local_imports, "def f():\n    import json\n"),
    (house.unexported, "def f(): ..."),
    (house.unexported, '__all__ = ["gone"]'),
    (house.unexported, '__all__ = ["N"]\nif typed:\n    N = int\nelse:\n    M = str'),
    (house.sleeps, "import asyncio\nasync def test(): await asyncio.sleep(0.1)"),
    (house.mocks, "from unittest.mock import patch"),
    (house.mocks, "from unittest import mock"),
]
SOUND: list[tuple[Gate, str]] = [
    (house.sql_in_python, '"""Select a chat from the list."""\nhelp = "Select a language"\nlog("update failed")'),
    (house.sql_in_python, 'say("Insert the card", "begin with care", "with love as always", "select one of five")'),
    (house.impure_imports, "from datetime import datetime\nfrom fairwire_server.accounts.rules import may"),
    (house.async_in_rules, "def decide(now): return now > due.now"),
    (house.local_imports, "def f():\n    # Pillow costs 80 ms, and most processes never need it.\n    import PIL\n"),
    (house.unexported, '__all__ = ["f"]\ndef f(): ...\ndef _g(): ...'),
    (house.unexported, '__all__ = ["N"]\nif typed:\n    N = int\nelse:\n    N = str'),
    (house.sleeps, "import asyncio\nasync def test(): await asyncio.sleep(0)"),
    (house.sleeps, "import asyncio\nasync def test(): await asyncio.sleep(10)  # the freeze must last this long"),
]


@pytest.mark.parametrize(("gate", "text"), BROKEN, ids=[f"{gate.__name__}{n}" for n, (gate, _) in enumerate(BROKEN)])
def test_each_gate_is_red_on_what_it_forbids(gate: Gate, text: str) -> None:
    assert list(gate(Module("planted", Path("planted.py"), text)))


@pytest.mark.parametrize(("gate", "text"), SOUND, ids=[f"{gate.__name__}{n}" for n, (gate, _) in enumerate(SOUND)])
def test_no_gate_is_red_on_sound_code(gate: Gate, text: str) -> None:
    assert not list(gate(Module("planted", Path("planted.py"), text)))


@pytest.mark.parametrize(
    "query", ["where due <= now()", "WHERE due < CURRENT_TIMESTAMP", "set at = clock_timestamp ()"]
)
def test_a_clock_in_sql_is_found_and_can_be_excused(query: str) -> None:
    assert list(house.clocks_in_sql("queries.sql", query))
    assert not list(house.clocks_in_sql("queries.sql", f"{query} -- clock: the worker's one look per claim"))
    assert not list(house.clocks_in_sql("queries.sql", "where due <= $now -- now() is a parameter"))
    assert not list(house.clocks_in_sql("queries.sql", "applied_at timestamptz NOT NULL DEFAULT now()"))
