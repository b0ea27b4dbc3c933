"""A real browser for the pages that people see: headless Chromium, driven by Playwright, checked by axe.

The browser is the system's, since Playwright's own would have to be downloaded; `.ci/run` installs it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, async_playwright

from tests.harness.node import running_node
from tests.meetings.lounge import Lounge

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The browser; each test opens contexts of its own."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        assert "CI" not in os.environ, "no Chromium: .ci/run installs it"
        pytest.skip("needs Chromium, and there is none here (.ci/run installs it)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        await browser.close()


@dataclass(slots=True)
class Elsewhere:
    """The room: another origin, which notes who comes how."""

    url: str = ""
    came: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    """Addresses and headers."""

    async def welcome(self, request: web.Request) -> web.Response:
        """Whoever comes has arrived."""
        self.came.append((str(request.url), dict(request.headers)))
        return web.Response(text="<!doctype html><title>room</title><h1>room</h1>", content_type="text/html")


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    """A video service."""
    room, app = Elsewhere(), web.Application()
    app.router.add_get("/r/{room}", room.welcome)
    async with TestServer(app, host="127.0.0.1") as server:
        room.url = f"http://127.0.0.1:{server.port}"
        yield room


@pytest.fixture
async def lounge(database_url: str, tmp_path: Path, elsewhere: Elsewhere) -> AsyncIterator[Lounge]:
    """Assigned meetings of a node whose rooms are elsewhere, with members and guests."""
    async with running_node(database_url, tmp_path, room_url=elsewhere.url + "/r/{room}?who={name}") as running:
        yield Lounge(running)


async def faults_of(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """What axe finds wrong with the page, by all its rules or by these, and whether it is wider than its window."""
    await page.evaluate(AXE)
    found: dict[str, Any] = await page.evaluate("rules => axe.run(rules.length ? {runOnly: rules} : {})", list(rules))
    faults = [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
    wide, window = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return faults + ([f"{wide} px wide in {window}"] if wide > window else [])
