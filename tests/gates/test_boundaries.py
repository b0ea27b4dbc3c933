"""Every import contract of pyproject.toml has been seen broken: a copy of the tree with one wrong import for each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

from tests.gates.test_lock import PROJECT
from tests.gates.tree import PACKAGES, ROOT

LINT = Path(sysconfig.get_path("scripts"), "lint-imports")
WRONG = {
    "fairwire_protocol/planted.py": "import fairwire_server",
    "fairwire_server/accounts/planted.py": "import fairwire_server.chat",
    "fairwire_server/accounts/service.py": "",
    "fairwire_server/chat/rules.py": "import fairwire_server.chat.store",
    "fairwire_server/chat/store.py": "import fairwire_server.accounts.service, asyncpg",
    "fairwire_server/doors/planted.py": "import asyncpg, redis, hiredis, aiosmtplib",
    "fairwire_server/streams/planted.py": "import aiohttp",
}


def test_each_contract_is_broken_by_a_wrong_import(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "tests" / "gates", tmp_path / "tests" / "gates")
    for name, folder in PACKAGES.items():
        shutil.copytree(folder, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.sql"))
    for name, text in WRONG.items():
        planted = tmp_path / name
        for package in planted.relative_to(tmp_path).parents[:-1]:
            (tmp_path / package).mkdir(exist_ok=True)
            (tmp_path / package / "__init__.py").touch()
        planted.write_text(f"{text}\n")
    done = subprocess.run(
        [LINT, "--no-logo", "--no-cache"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    contracts = len(PROJECT["tool"]["importlinter"]["contracts"])
    assert f"Contracts: 0 kept, {contracts} broken." in done.stdout, done.stdout + done.stderr
