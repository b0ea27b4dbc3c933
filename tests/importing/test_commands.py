"""The commands as an operator meets them: exit codes, what is said, and never a traceback."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import msgspec
import pytest

from tests.importing.helpers import FAIR, as_csv

SECTIONS = "id,name_en\ns1,Tools\n"


@pytest.fixture
def command(database_url: str, tmp_path: Path) -> Command:
    return Command(database_url, tmp_path)


class Command:
    """Runs `python -m fairwire_server` on a database of its own."""

    def __init__(self, url: str, folder: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FAIRWIRE_")}
        self._environ = kept | {"FAIRWIRE_DATABASE_URL": url}
        self.folder = folder

    async def __call__(self, *args: str, stdin: str = "") -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "fairwire_server", *args, env=self._environ, cwd=self.folder,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        assert b"Traceback" not in err, err.decode()
        return process.returncode, out.decode(), err.decode()


async def test_import_counts_reports_and_refuses(command: Command) -> None:
    (command.folder / "fair.csv").write_text(as_csv([FAIR]))
    (command.folder / "sections.csv").write_text(SECTIONS + ",Nothing\n")
    code, out, err = await command("import", "fair.csv", "sections.csv")
    assert code == 0
    assert "Writing sections" in err
    assert "1 × missing" in out
    assert "sections.csv.failed.jsonl" in out
    code, out, _ = await command("import", "--strict", "--report", "json", "sections.csv")
    assert code == 1
    assert json.loads(out)["kinds"]["section"] == {
        "total": 2, "created": 0, "updated": 0, "unchanged": 1, "failed": {"missing": 1}, "duplicate": 0, "kept": 0,
    }  # fmt: skip
    (command.folder / "sections.csv").write_text("id,nmae_en\ns1,Tools\n")
    code, out, err = await command("import", "fair.csv", "sections.csv", "exhibiter=x.csv")
    assert (code, out) == (2, "")
    assert "did you mean 'name_en'" in err
    assert "did you mean 'exhibitor'" in err


async def test_first_steps_of_an_organiser(command: Command) -> None:
    (command.folder / "fair.csv").write_text(as_csv([FAIR]))
    assert (await command("import", "fair.csv"))[0] == 0
    create = ("organiser", "create", "--fair", "cf140", "--login", "Office")
    assert (await command(*create, stdin="short\n"))[0] == 1
    code, out, _ = await command(*create, stdin="long enough it is\n")
    assert (code, "may sign in" in out) == (0, True)
    code, _, err = await command(*create, stdin="long enough it is\n")
    assert (code, "signs in by that login" in err) == (1, True)
    code, _, err = await command(
        "organiser", "create", "--fair", "cf1", "--login", "office", stdin="long enough it is\n"
    )
    assert (code, "no such fair" in err) == (1, True)


async def test_demo_accounts_tokens_and_epochs(command: Command) -> None:
    code, out, _ = await command("demo", "--exhibitors", "2", "--buyers", "3", "--accounts-out", "accounts.jsonl")
    assert (code, "fairwire-demo" in out) == (0, True)
    lines = (command.folder / "accounts.jsonl").read_bytes().splitlines()
    assert {msgspec.json.decode(line)["login"] for line in lines} >= {"buyer1", "acme-main", "organiser"}
    code, out, _ = await command("token", "--login", "buyer1")
    assert (code, len(out.split())) == (0, 1)
    code, out, _ = await command("token", "--all", "--count", "2", "--kind", "buyer")
    assert [msgspec.json.decode(line)["login"] for line in out.splitlines()] == ["buyer1", "buyer2"]
    assert (await command("epoch", "--new", stdin="n\n"))[0] == 1
    code, out, _ = await command("epoch", "--new", "--yes")
    assert (code, "new epoch" in out) == (0, True)
