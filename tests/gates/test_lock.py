"""The lock files say exactly what pyproject.toml asks for: nothing missing, nothing stale, every file by its hash.

Checked without asking an index: against pyproject.toml, and against the metadata of what is installed here.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.gates.tree import ROOT

RUN = ROOT / "requirements.lock"
DEV = ROOT / "requirements-dev.lock"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Pin:
    version: Version
    hashes: int


def pins(path: Path) -> dict[str, Pin]:
    text = re.sub(r"\\\n", " ", path.read_text(encoding="utf-8"))
    found: dict[str, Pin] = {}
    for line in text.splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+)(.*)", line):
            name, version, rest = match.groups()
            assert canonicalize_name(name) not in found, f"{path.name} pins {name} twice"
            found[canonicalize_name(name)] = Pin(Version(version), rest.count("--hash=sha256:"))
    return found


def group(name: str) -> list[Requirement]:
    entries = PROJECT["dependency-groups"][name]
    own = [Requirement(entry) for entry in entries if isinstance(entry, str)]
    return own + [r for entry in entries if isinstance(entry, dict) for r in group(entry["include-group"])]


def wanted(extras: list[str], groups: list[str]) -> list[Requirement]:
    project = PROJECT["project"]
    plain = [
        *project["dependencies"],
        *(entry for extra in extras for entry in project["optional-dependencies"][extra]),
    ]
    return [Requirement(entry) for entry in plain] + [entry for name in groups for entry in group(name)]


RUN_WANTS = wanted(["server", "embedded"], ["build"])
DEV_WANTS = wanted(list(PROJECT["project"]["optional-dependencies"]), ["dev"])


def reachable(roots: list[Requirement], locked: dict[str, Pin]) -> set[str]:
    """What the roots need here, by the metadata of installed distributions."""
    seen: set[tuple[str, str]] = set()
    waiting = [(root, "") for root in roots]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for wanted_extra in {"", *requirement.extras}:
            if (name, wanted_extra) in seen:
                continue
            seen.add((name, wanted_extra))
            try:
                waiting += [(Requirement(entry), wanted_extra) for entry in requires(name) or []]
            except PackageNotFoundError:
                assert name not in locked, f"{name} is locked and not installed: run make"
    return {name for name, _ in seen}


@pytest.mark.parametrize(("path", "wants"), [(RUN, RUN_WANTS), (DEV, DEV_WANTS)], ids=["run", "dev"])
def test_each_requirement_is_pinned_within_its_range(path: Path, wants: list[Requirement]) -> None:
    locked = pins(path)
    for requirement in wants:
        name = canonicalize_name(requirement.name)
        assert name in locked, f"{name} is missing from {path.name}: run make lock"
        assert locked[name].version in requirement.specifier, f"{requirement} is pinned at {locked[name].version}"


@pytest.mark.parametrize(("path", "wants"), [(RUN, RUN_WANTS), (DEV, DEV_WANTS)], ids=["run", "dev"])
def test_nothing_reachable_is_missing_and_nothing_stale_is_left(path: Path, wants: list[Requirement]) -> None:
    locked = pins(path)
    needed = reachable(wants, locked)
    assert not needed - locked.keys(), "needed and not locked: run make lock"
    other_platforms = {"async-timeout", "colorama", "pywin32", "tomli", "exceptiongroup", "importlib-metadata"}
    assert not locked.keys() - needed - other_platforms, "locked and no longer needed: run make lock"


@pytest.mark.parametrize("path", [RUN, DEV], ids=["run", "dev"])
def test_each_pin_has_hashes_and_no_address(path: Path) -> None:
    assert all(pin.hashes for pin in pins(path).values())
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^--|^-e|^-r| @ ", text, re.MULTILINE), "options and addresses have no place in a lock file"


def test_both_locks_agree() -> None:
    run, dev = pins(RUN), pins(DEV)
    assert {name: dev.get(name) for name in run} == run


def test_the_asyncapi_parser_is_locked_by_hash_and_without_addresses() -> None:
    folder = ROOT / "tests" / "asyncapi"
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))
    asked = json.loads((folder / "package.json").read_text(encoding="utf-8"))["dependencies"]
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert lock["packages"][""]["dependencies"] == asked
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert not any("resolved" in entry for entry in packages.values())


def test_every_dependency_has_its_line_of_reason() -> None:
    told = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    named = {canonicalize_name(name) for name in re.findall(r"^\| `([^`\[]+)", told, re.MULTILINE)}
    asked = {canonicalize_name(requirement.name) for requirement in DEV_WANTS}
    assert named == asked
