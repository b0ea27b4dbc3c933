"""The runner of planted faults, on a tree of three files: it must tell a caught fault from one that nobody noticed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.teeth.runner import Outcome, read_fault, run

SHELF = "def take(stock):\n    if stock < 1:\n        raise ValueError('empty')\n    return stock - 1\n"
TEST = """
import pytest
from shelf import take

def test_one_less():
    assert take(2) == 1

def test_never_below_nought():
    with pytest.raises(ValueError):
        take(0)
"""
PATCH = """# fault: {sentence}
# proves: {proves}
--- a/server/shelf.py
+++ b/server/shelf.py
@@ -1,4 +1,4 @@
 def take(stock):
-    if stock < {expects}:
+    if stock < {instead}:
         raise ValueError('empty')
     return stock - 1
"""


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # the little tree needs none, and they take a second each
    root = tmp_path / "tree"
    (root / "server").mkdir(parents=True)
    (root / "tests").mkdir()
    (root / "server" / "shelf.py").write_text(SHELF)
    (root / "tests" / "test_shelf.py").write_text(TEST)
    (root / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


def plant(tree: Path, proves: str, *, expects: str = "1", instead: str = "0") -> Outcome:
    patch = tree.parent / "overdraw.patch"
    patch.write_text(
        PATCH.format(sentence="stock may go below nought", proves=proves, expects=expects, instead=instead)
    )
    (outcome,) = run(tree, [read_fault(patch)])
    assert (tree / "server" / "shelf.py").read_text() == SHELF, "the working tree was touched"
    return outcome


def test_a_fault_that_its_test_notices_is_caught(tree: Path) -> None:
    outcome = plant(tree, "tests/test_shelf.py::test_never_below_nought")
    assert outcome.caught, outcome.detail


def test_every_named_test_must_notice(tree: Path) -> None:
    outcome = plant(tree, "tests/test_shelf.py::test_never_below_nought tests/test_shelf.py::test_one_less")
    assert not outcome.caught
    assert outcome.detail == "NOT CAUGHT by tests/test_shelf.py::test_one_less"


def test_a_patch_that_no_longer_applies_is_no_proof(tree: Path) -> None:
    outcome = plant(tree, "tests/test_shelf.py::test_never_below_nought", expects="7")
    assert not outcome.caught
    assert outcome.detail.startswith("no longer applies")


def test_a_fault_that_only_breaks_the_import_is_no_proof(tree: Path) -> None:
    outcome = plant(tree, "tests/test_shelf.py::test_never_below_nought", instead=")")
    assert not outcome.caught
    assert "did not run" in outcome.detail


def test_tests_that_are_red_or_gone_from_the_start_prove_nothing(tree: Path) -> None:
    with pytest.raises(RuntimeError, match="not green without any fault"):
        plant(tree, "tests/test_shelf.py::test_that_is_gone")


def test_a_header_without_its_tests_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bare.patch").write_text("# fault: something\n--- a/x\n+++ b/x\n")
    with pytest.raises(ValueError, match="proves"):
        read_fault(tmp_path / "bare.patch")
