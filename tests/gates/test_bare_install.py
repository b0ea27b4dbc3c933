"""The base install stands alone: protocol and SDK import with nothing but their own dependencies and no server (boundary 1).

A wheel is built, the server is taken out of it, and every module left is imported in a fresh interpreter in which any
distribution outside the base dependencies' closure does not exist.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.gates.test_lock import RUN, pins, reachable
from tests.gates.tree import ROOT

IMPORT_ALL = """
import importlib, pkgutil, sys

wheel, *forbidden = sys.argv[1:]

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in forbidden:
            raise ModuleNotFoundError(f"{name} is not part of the base install", name=name)

sys.meta_path.insert(0, Absent())
sys.path.insert(0, wheel)
for package in ("fairwire_protocol", "fairwire"):
    root = importlib.import_module(package)
    assert root.__file__.startswith(wheel), root.__file__
    for module in pkgutil.walk_packages(root.__path__, f"{package}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            print(module.name)
import fairwire_server
"""


def test_a_bare_wheel_imports_without_the_server(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(unpacked, [name for name in names if not name.startswith("fairwire_server/")])
    assert any(name.startswith("fairwire_server/") and name.endswith(".sql") for name in names), (
        "queries are not packed"
    )
    assert "fairwire/py.typed" in names

    base = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    allowed = reachable([Requirement(entry) for entry in base], pins(RUN))
    forbidden = [
        module
        for module, distributions in packages_distributions().items()
        if not allowed & {canonicalize_name(name) for name in distributions} and not module.startswith("fairwire")
    ]
    assert {"aiohttp", "asyncpg", "redis"} <= set(forbidden)
    done = subprocess.run(
        [sys.executable, "-I", "-c", IMPORT_ALL, str(unpacked), "fairwire_server", *forbidden],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "fairwire_protocol.errors" in done.stdout, done.stderr
    assert "fairwire_server is not part of the base install" in done.stderr.splitlines()[-1], done.stderr
