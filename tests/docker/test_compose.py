"""`docker/compose.yaml` as Docker Compose itself reads it: its shape, and every setting in it checked by the server's own reader."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from fairwire_server import settings
from fairwire_server.__main__ import main
from tests.gates.tree import ROOT

COMPOSE = Path(sysconfig.get_path("scripts"), "docker-compose")
FOLDER = ROOT / "docker"
Services = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def services() -> Services:
    """What runs, with names resolved and defaults filled in. `config` needs no engine."""
    done = subprocess.run(
        [COMPOSE, "-f", FOLDER / "compose.yaml", "config", "--format", "json"],
        env={**os.environ, "FAIRWIRE_DB_PASSWORD": "secret"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    found: Services = json.loads(done.stdout)["services"]
    return found


def ours(services: Services) -> Services:
    return {name: service for name, service in services.items() if service["image"] == "fairwire"}


def nodes(services: Services) -> Services:
    return {name: service for name, service in ours(services).items() if not service.get("command")}


def test_it_is_the_cluster_that_the_issue_asks_for(services: Services) -> None:
    assert set(services) == {"postgres", "valkey", "mail", "migrate", "node1", "node2", "worker", "proxy"}
    assert set(nodes(services)) == {"node1", "node2"}
    assert services["node1"]["environment"] == services["node2"]["environment"] == services["worker"]["environment"]


def test_without_a_password_it_says_so() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FAIRWIRE_")}
    done = subprocess.run(
        [COMPOSE, "-f", FOLDER / "compose.yaml", "config"], env=environment, capture_output=True, text=True, check=False
    )
    assert not done.stdout
    assert "set a password for the database" in done.stderr


def test_the_server_accepts_every_setting_in_it(services: Services) -> None:
    image = dict(re.findall(r"(FAIRWIRE_\w+)=(\S+)", (FOLDER / "Dockerfile").read_text("utf-8")))
    for name, service in ours(services).items():
        loaded = settings.load({**image, **service["environment"]})
        assert loaded.redis_url == "redis://valkey", name
        assert loaded.background == "worker", name
        assert float(service["stop_grace_period"].removesuffix("s")) > loaded.drain_s, name


def test_its_commands_exist(services: Services) -> None:
    known = main.list_commands(main.make_context("fairwire", [], resilient_parsing=True))
    for service in ours(services).values():
        if command := service.get("command"):
            assert command[:3] == ["python", "-m", "fairwire_server"]
            assert command[3] in known


def test_the_proxy_knows_every_node_and_asks_whether_it_is_ready(services: Services) -> None:
    caddy = (FOLDER / "Caddyfile").read_text("utf-8")
    targets = re.search(r"reverse_proxy (.*) \{", caddy)
    assert targets is not None
    assert targets[1].split() == [f"{name}:8080" for name in sorted(nodes(services))]
    assert "health_uri /readyz" in caddy
    assert set(services["proxy"]["depends_on"]) == set(nodes(services))


def test_only_the_proxy_and_the_mail_sink_are_reached_from_outside(services: Services) -> None:
    published = {
        name: {port.get("host_ip", "") for port in service["ports"]}
        for name, service in services.items()
        if service.get("ports")
    }
    assert published == {"proxy": {""}, "mail": {"127.0.0.1"}}


def test_foreign_images_are_pinned_to_a_version(services: Services) -> None:
    for service in services.values():
        if service["image"] != "fairwire":
            assert re.search(r":[\w.]*\d", service["image"]), service["image"]
