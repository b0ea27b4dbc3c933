"""Plant a fault, demand red: a test of a guarantee counts only when it has been seen to fail.

Each `NAME.patch` opens with what it breaks and which tests must notice, and is an ordinary diff from there on:

    # fault: a message is acknowledged before its transaction commits
    # proves: tests/chat/test_durability.py::test_acked_means_stored
    --- a/server/fairwire_server/chat/service.py
    +++ b/server/fairwire_server/chat/service.py

Nothing touches the working tree: a copy of it (what git knows or would add) is made per fault, the patch goes in there,
and every test named is run there alone. All of them must pass without the fault, once, and each must *fail* with it:
exit code 1 of pytest, so a fault that merely breaks the import or names a test that is gone is not a proof.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Fault", "Outcome", "read_fault", "run"]

PACKAGES = ("protocol", "clients/python", "server")
_PASSED, _FAILED = 0, 1
_TIMEOUT = 600
_TOGETHER = 25
"""Tests that are run at once, sound, within the same time as one with its fault."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One planted fault: its patch, its sentence, and the tests that must turn red."""

    path: Path
    sentence: str
    proves: tuple[str, ...]

    @property
    def name(self) -> str:
        """What it is called on the command line and in the table."""
        return self.path.stem


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one fault. `caught` only if every test it names failed."""

    fault: Fault
    caught: bool
    detail: str


def read_fault(path: Path) -> Fault:
    """The header of a patch file; a header that lacks its sentence or its tests is an error."""
    sentence, proves = "", []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        word, _, rest = line.removeprefix("#").strip().partition(":")
        if word == "fault":
            sentence = rest.strip()
        elif word == "proves":
            proves += rest.split()
    if not sentence or not proves:
        raise ValueError(f"{path.name}: the header needs a `# fault:` line and at least one `# proves:` test")
    return Fault(path, sentence, tuple(proves))


def run(root: Path, faults: Sequence[Fault]) -> Iterator[Outcome]:
    """Try each fault in a copy of `root`; yields outcomes as they come. Tests that are not green to begin with stop it."""
    with _copied(root) as sound:
        proofs = list(dict.fromkeys(proof for fault in faults for proof in fault.proves))
        for at in range(0, len(proofs), _TOGETHER):
            begun = _pytest(sound, proofs[at : at + _TOGETHER])
            if begun.returncode != _PASSED:
                raise RuntimeError(f"these tests are not green without any fault:\n{begun.stdout}")
        for fault in faults:
            yield _plant(root, fault)


def _plant(root: Path, fault: Fault) -> Outcome:
    with _copied(root) as copy:
        applied = subprocess.run(
            ["git", "apply", "--whitespace=nowarn", str(fault.path.resolve())],
            cwd=copy,
            env={**os.environ, "GIT_CEILING_DIRECTORIES": str(copy.parent)},
            capture_output=True,
            text=True,
            check=False,
        )
        if applied.returncode:
            return Outcome(fault, False, f"no longer applies: {applied.stderr.strip()}")
        for proof in fault.proves:
            done = _pytest(copy, [proof])
            if done.returncode == _PASSED:
                return Outcome(fault, False, f"NOT CAUGHT by {proof}")
            if done.returncode != _FAILED:
                tail = " ".join(done.stdout.strip().splitlines()[-1:])
                return Outcome(fault, False, f"{proof} did not run (exit {done.returncode}): {tail}")
    return Outcome(fault, True, f"red: {len(fault.proves)} of {len(fault.proves)}")


def _pytest(copy: Path, proofs: Iterable[str]) -> subprocess.CompletedProcess[str]:
    """Run tests of the copy with this interpreter. PYTHONPATH comes before the editable install, so the copy wins."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "", *proofs]
    paths = os.pathsep.join(str(copy / package) for package in PACKAGES)
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        return subprocess.run(
            command,
            cwd=copy,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        # A fault that makes its test hang is noticed by nobody who does not wait ten minutes.
        return subprocess.CompletedProcess(command, -1, f"still running after {_TIMEOUT} s")


@contextmanager
def _copied(root: Path) -> Iterator[Path]:
    """A copy of the tree as it stands, uncommitted changes included, without what git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    )
    with tempfile.TemporaryDirectory(prefix="fairwire-teeth-") as folder:
        copy = Path(folder, "tree")
        copy.mkdir()
        for name in listed.stdout.decode().split("\0"):
            source = root / name
            if name and source.is_file():
                target = copy / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        yield copy
