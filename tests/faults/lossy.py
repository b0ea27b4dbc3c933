"""People who talk over two nodes and a bus while one TCP packet in ten is lost: what `test_packet_loss.py` runs in a network namespace.

    unshare --net -- python -m tests.faults.lossy DATABASE_URL FOLDER

The namespace has nothing but its own loopback, on which `lossy.nft` drops packets; PostgreSQL is reached over its unix socket.
Besides messages, announcements of 4 kB go to everybody, so that sockets fill and writes end halfway (W12).
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Final
from uuid import UUID

import fairwire
from tests.cluster.test_processes import nodes
from tests.faults.crew import Crew, crew, seed
from tests.harness.until import until
from tests.harness.valkey import Valkey, free_ports

RULES: Final = Path(__file__).with_suffix(".nft")
ANNOUNCEMENTS: Final = 200
TEXT: Final = "x" * 3_900


async def talk(url: str, folder: Path) -> None:
    """Load, loss, and at the end a clean report; whatever is wrong is an AssertionError."""
    ground = await seed(url, data_dir=folder)
    async with Valkey(free_ports(1)[0]) as valkey:
        settings = {"database_url": url, "redis_url": valkey.url}
        async with nodes(folder, 2, **settings) as servers:
            lose()
            async with crew(servers[0].url, ground) as them:
                heard = listen(them)
                async with (
                    fairwire.connect(servers[0].url, token=ground["organiser"].token) as organiser,
                    them.talking(),
                ):
                    for number in range(ANNOUNCEMENTS):
                        await organiser.fair.announce(title=str(number), text=TEXT)
                    await them.more(200)
                await until(lambda: all(len(titles) >= ANNOUNCEMENTS for titles in heard.values()), 60)
                report = them.report()
                print(report)
                report.assert_clean()
                assert not [end for device in them.devices.values() for end in device.ends], (
                    "a slow line is no broken one"
                )
                for name, titles in heard.items():
                    assert titles == [str(number) for number in range(ANNOUNCEMENTS)], f"{name}: {titles}"
    print(f"{lost()} packets were lost, {report.acked} messages acknowledged")
    assert lost() > 100, "the fault was there"


def lose() -> None:
    """From here on."""
    subprocess.run(["nft", "-f", RULES], check=True)


def lost() -> int:
    """How many packets so far."""
    counted = re.search(r"counter packets (\d+)", subprocess.check_output(["nft", "list", "ruleset"], text=True))
    assert counted is not None
    return int(counted[1])


def listen(them: Crew) -> dict[str, list[str]]:
    """The titles each device hears, once per id: what the wire may repeat, a client removes (the promise of W)."""
    heard: dict[str, list[str]] = {}
    for (account, place), device in them.devices.items():
        titles = heard[f"{account}-{place}"] = []
        known: set[UUID] = set()

        @device.client.on("announcement")
        def hear(event: fairwire.Delivered, titles: list[str] = titles, known: set[UUID] = known) -> None:
            assert event.body.id not in known, "told twice"  # type: ignore[union-attr]  # announcements have one
            known.add(event.body.id)  # type: ignore[union-attr]
            titles.append(event.body.title)  # type: ignore[union-attr]

    return heard


if __name__ == "__main__":
    subprocess.run(["ip", "link", "set", "lo", "mtu", "1500", "up"], check=True)  # packets as on a real line
    Path("/proc/sys/net/ipv4/tcp_wmem").write_text(
        "4096 8192 16384"
    )  # of this namespace: full as soon as a packet is lost
    asyncio.run(talk(sys.argv[1], Path(sys.argv[2])))
