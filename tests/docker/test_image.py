"""The image's steps by hand, where no engine is: the Dockerfile's own lines, in a folder, up to a server that answers its health check."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.gates.tree import ROOT

DOCKERFILE = ROOT / "docker" / "Dockerfile"


def instructions() -> list[tuple[str, str]]:
    """(instruction, rest) of every line, continuations joined, comments dropped."""
    text = re.sub(r"\\\n", " ", DOCKERFILE.read_text("utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def test_every_file_it_copies_exists() -> None:
    for name, rest in instructions():
        if name == "COPY" and not rest.startswith("--from"):
            assert all((ROOT / source).exists() for source in rest.split()[:-1]), rest


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_its_steps_make_a_server_that_is_healthy(tmp_path: Path) -> None:
    source, opt, home = tmp_path / "source", tmp_path / "opt", tmp_path / "home"
    for folder in (source, home):
        folder.mkdir()
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "python").symlink_to(sys.executable)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FAIRWIRE_")}
    environment["PATH"] = f"{tools}{os.pathsep}{environment['PATH']}"
    stage = 0
    health: list[str] = []
    start: list[str] = []
    for name, rest in instructions():
        here = rest.replace("/opt/fairwire", str(opt)).replace("/var/lib/fairwire", str(home))
        if name == "FROM":
            stage += 1
        elif name == "ENV":
            environment |= {
                key: value.replace("$PATH", environment["PATH"]) for key, value in re.findall(r"(\w+)=(\S+)", here)
            }
        elif name == "COPY" and stage == 1:
            *froms, to = rest.split()
            for one in froms:
                target = source / to if to != "./" else source / Path(one).name
                target.parent.mkdir(parents=True, exist_ok=True)
                if (ROOT / one).is_dir():
                    shutil.copytree(ROOT / one, target, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(ROOT / one, target)
        elif name == "RUN" and stage == 1:
            subprocess.run(here, shell=True, cwd=source, env=environment, check=True)
        elif name == "HEALTHCHECK":
            health = json.loads(here[here.index("CMD ") + 4 :])
        elif name == "CMD":
            start = json.loads(here)
    shutil.rmtree(source)  # the second stage has no sources
    with socket.socket() as main, socket.socket() as admin:
        main.bind(("127.0.0.1", 0))
        admin.bind(("127.0.0.1", 0))
        environment |= {"FAIRWIRE_PORT": str(main.getsockname()[1]), "FAIRWIRE_ADMIN_PORT": str(admin.getsockname()[1])}
    server = subprocess.Popen([opt / "bin" / start[0], *start[1:]], cwd=home, env=environment)
    try:
        deadline = time.monotonic() + 60
        while subprocess.run([opt / "bin" / health[0], *health[1:]], env=environment, capture_output=True).returncode:
            assert time.monotonic() < deadline, "never healthy"
            assert server.poll() is None
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    finally:
        server.kill()
