"""The command line: found by module name, imported alone, and its errors are for an operator to read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from fairwire_server import commands
from fairwire_server.__main__ import main

DROPPED_IN = '''
import click

@click.command()
def command() -> None:
    """Say hello."""
    click.echo("hello")
'''


def fairwire(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own, in an environment without any other setting."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FAIRWIRE_")}
    command = [sys.executable, "-m", "fairwire_server", *words]
    return subprocess.run(
        command, env={**clean, **environment}, capture_output=True, text=True, timeout=100, check=False
    )


def test_every_command_that_is_there_is_listed_and_has_help() -> None:
    runner = CliRunner()
    listed = runner.invoke(main, ["--help"])
    assert listed.exit_code == 0
    for name in main.list_commands(main.make_context("fairwire", [], resilient_parsing=True)):
        assert f"\n  {name} " in listed.output
        told = runner.invoke(main, [name, "--help"])
        assert told.exit_code == 0
        assert len(told.output.splitlines()) >= 5


def test_only_the_chosen_command_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hello_there.py").write_text(DROPPED_IN, "utf-8")
    (tmp_path / "broken_one.py").write_text("raise ImportError('no such library')", "utf-8")
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    ran = CliRunner().invoke(main, ["hello_there"])
    assert (ran.exit_code, ran.output) == (0, "hello\n")
    modules = "import sys; from fairwire_server.__main__ import main; print('asyncpg' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", modules], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


def test_all_wrong_settings_are_told_at_once() -> None:
    ran = fairwire("migrate", FAIRWIRE_PORT="x", FAIRWIRE_PROT="1", FAIRWIRE_POOL_MAX="0")
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    for variable in ("FAIRWIRE_PORT ", "FAIRWIRE_PROT ", "FAIRWIRE_POOL_MAX "):
        assert variable in ran.stderr


def test_migrate_makes_the_embedded_database_and_has_nothing_to_do_the_second_time(tmp_path: Path) -> None:
    first = fairwire("migrate", FAIRWIRE_DATA_DIR=str(tmp_path))
    assert (first.returncode, "applied  0001_" in first.stdout) == (0, True), first.stderr
    assert "Starting PostgreSQL" in first.stderr
    second = fairwire("migrate", FAIRWIRE_DATA_DIR=str(tmp_path))
    assert (second.returncode, second.stdout) == (0, "The database is up to date.\n"), second.stderr
    assert not (tmp_path / "postgres" / "cluster" / "postmaster.pid").exists()


async def test_migrate_uses_a_configured_database(empty_database_url: str) -> None:
    pending = fairwire("migrate", "--check", FAIRWIRE_DATABASE_URL=empty_database_url)
    assert (pending.returncode, "pending  0001_" in pending.stdout) == (1, True), pending.stderr
    assert fairwire("migrate", FAIRWIRE_DATABASE_URL=empty_database_url).returncode == 0
    assert fairwire("migrate", "--check", FAIRWIRE_DATABASE_URL=empty_database_url).returncode == 0


@pytest.mark.parametrize(
    "url", ["postgresql://user:hunter2@127.0.0.1:1/x", "postgresql://user:hunter2@/x?host=/nowhere"]
)
def test_a_database_that_is_not_there_is_one_line_without_the_password(url: str) -> None:
    ran = fairwire("migrate", FAIRWIRE_DATABASE_URL=url)
    assert ran.returncode == 1
    assert ran.stderr.startswith("Error: The database does not answer")
    assert "Traceback" not in ran.stderr
    assert "hunter2" not in ran.stderr
