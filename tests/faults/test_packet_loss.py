"""One packet in ten is lost, between clients and nodes and between nodes and their bus: slower, and nothing else (W2, W4, W7, W12)."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.gates.tree import ROOT

TOOLS = ("unshare", "ip", "nft")
missing = [tool for tool in TOOLS if shutil.which(tool, path=f"{os.defpath}:/usr/sbin:/sbin") is None]


@pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)} (Debian: nftables, iproute2)")
@pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace with rules of its own needs root")
@pytest.mark.timeout(240)
async def test_a_tenth_of_all_packets_lost_loses_no_message_w4_w7(database_url: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    child = await asyncio.create_subprocess_exec(
        "unshare", "--net", "--", sys.executable, "-m", "tests.faults.lossy", database_url, str(tmp_path),
        cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(200):
            said, _ = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    print(said.decode())
    assert child.returncode == 0, said.decode()[-4000:]
