"""M9, N8: a guest's way into a meeting as Chromium walks it on a telephone, in both languages, with a script and without."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, Request

from tests.meetings.lounge import Lounge
from tests.pages.conftest import Elsewhere, faults_of

LANGUAGES = {"en": "en-GB", "zh": "zh-CN"}
PICTURES = os.environ.get("FAIRWIRE_TEST_PICTURES", "")
"""A folder for screenshots, to look at."""


@dataclass(slots=True)
class Visit:
    """A guest's window and all that left it."""

    page: Page
    requests: list[Request] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)

    @property
    def posts(self) -> list[str]:
        """Paths of what was posted."""
        return [urlsplit(one.url).path for one in self.requests if one.method == "POST"]

    async def state(self, state: str) -> None:
        """Waits until the page says so, by itself if need be."""
        await self.page.wait_for_selector(f'body[data-state="{state}"]', timeout=20_000)
        self.titles.append(await self.page.title())

    async def check(self, name: str, *rules: str) -> None:
        """Whether people can use what is shown, by all of axe's rules or by these."""
        if PICTURES:
            await self.page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)
        assert await faults_of(self.page, rules) == [], name


@asynccontextmanager
async def window(chromium: Browser, language: str, **how: Any) -> AsyncIterator[Visit]:
    """A telephone's browser, of somebody who has never been here."""
    options = {
        "viewport": {"width": 360, "height": 740},
        "locale": LANGUAGES[language],
        "timezone_id": "America/Sao_Paulo",
    }
    context = await chromium.new_context(**{**options, **how})
    try:
        visit = Visit(await context.new_page())
        context.on("request", lambda request: visit.requests.append(request))
        yield visit
    finally:
        await context.close()


Prepare = Callable[[Lounge], Awaitable[str]]


async def _revoked(lounge: Lounge) -> str:
    path = await lounge.link(await lounge.meeting(3))
    await lounge.call("sales", "meetings.revoke_invitation", invitation=lounge.invitation(path).id)
    return path


async def _off(lounge: Lounge) -> str:
    booking = await lounge.meeting(5)
    path = await lounge.link(booking)
    await lounge.run("cancel", booking)
    return path


def _at(hours: float) -> Prepare:
    async def prepare(lounge: Lounge) -> str:
        return await lounge.own_link(await lounge.meeting(hours), "buyer")

    return prepare


async def _unknown(_: Lounge) -> str:
    return "/m/" + "A" * 66


async def _room(_: Lounge) -> str:
    return "/room"


async def _inside(_: Lounge) -> str:
    return "/meeting-room"


STATES: dict[str, Prepare] = {
    "early": _at(30), "open": _at(1), "late": _at(-3), "revoked": _revoked, "off": _off, "unknown": _unknown, "room": _room,
    "inside": _inside,
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_page_is_usable_by_everybody_on_a_telephone_m9(
    chromium: Browser, lounge: Lounge, language: str
) -> None:
    """axe finds nothing, by day and by night, and nothing is wider than the window. Looking posts nothing."""
    async with window(chromium, language) as visit:
        for state, prepare in STATES.items():
            await visit.page.goto(lounge.running.url + await prepare(lounge))
            await visit.state(state)
            assert await visit.page.get_attribute("html", "lang") == language
            await visit.check(f"{state}-{language}")
            await visit.page.emulate_media(color_scheme="dark")
            await visit.check(f"{state}-{language}-dark", "color-contrast")
            await visit.page.emulate_media(color_scheme="light")
        assert visit.posts == []


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_guest_goes_from_the_link_to_the_room_m9_n8(
    chromium: Browser, lounge: Lounge, elsewhere: Elsewhere, language: str, script: bool
) -> None:
    booking = await lounge.meeting()
    path = await lounge.link(booking)
    token = path.rpartition("/")[2]
    async with window(chromium, language, java_script_enabled=script) as visit:
        page = visit.page
        await page.goto(lounge.running.url + path)
        await visit.state("open")
        assert visit.posts == []
        assert await page.is_visible(".own") == script  # the reader's own time beside the fair's (M12)
        await page.fill("#name", "Ana Souza, Café Brasil")
        await page.click("button")
        await visit.state("waiting")
        assert await lounge.guests(booking) == [("Ana Souza, Café Brasil", "waiting")]
        if script:
            await visit.check(f"waiting-{language}")
        await lounge.admit(booking)
        if not script:  # with one, the page goes in by itself
            await visit.state("admitted")
            await page.click("button")
        await page.wait_for_url(elsewhere.url + "/r/*")
        assert visit.posts == [path, f"{path}/enter"]
        referers = [(await one.all_headers()).get("referer", "") for one in visit.requests]
    ((address, headers),) = elsewhere.came
    assert "Referer" not in headers
    assert "Cookie" not in headers
    assert token not in address
    assert not [title for title in visit.titles if token in title]
    own = {lounge.running.url, elsewhere.url}
    assert {"://".join(urlsplit(one.url)[:2]) for one in visit.requests} == own
    assert not [referer for referer in referers if token in referer]
    assert await lounge.run("attendance", booking) == "unknown attended"


async def test_the_back_button_from_the_room_shows_a_button_and_not_the_room_again_m9(
    chromium: Browser, lounge: Lounge, elsewhere: Elsewhere
) -> None:
    booking = await lounge.meeting()
    path = await lounge.link(booking)
    async with window(chromium, "en") as visit:
        await visit.page.goto(lounge.running.url + path)
        await visit.page.fill("#name", "Ana")
        await visit.page.click("button")
        await visit.state("waiting")
        await lounge.admit(booking)
        await visit.page.wait_for_url(elsewhere.url + "/r/*")
        await visit.page.go_back()
        await visit.state("admitted")
        await visit.check("admitted-en")
        assert len(elsewhere.came) == 1


async def test_who_was_refused_or_comes_as_the_eleventh_reads_so_m9(chromium: Browser, lounge: Lounge) -> None:
    booking = await lounge.meeting()
    path = await lounge.link(booking)
    async with window(chromium, "zh") as visit:
        await visit.page.goto(lounge.running.url + path)
        await visit.page.fill("#name", "王小明")
        await visit.page.click("button")
        await visit.state("waiting")
        await lounge.admit(booking, admit=False)
        await visit.state("refused")
        await visit.check("refused-zh")
    async with lounge.browsers() as browser:
        for number in range(10):
            assert (await browser().post(path, name=f"G{number}")).state == "waiting"
    async with window(chromium, "en") as visit:
        await visit.page.goto(lounge.running.url + path)
        await visit.page.fill("#name", "Eleven")
        await visit.page.click("button")
        await visit.state("full")
        await visit.check("full-en")


async def test_a_room_number_is_typed_and_mistyped_m9(chromium: Browser, lounge: Lounge) -> None:
    booking = await lounge.meeting()
    number = await lounge.run("number", booking)
    async with window(chromium, "zh") as visit:
        page = visit.page
        await page.goto(lounge.running.url + "/room")
        for typed, name in (("12345", "bad-number"), ("000000000", "no-number")):
            await page.fill("#number", typed)
            await page.fill("#name", "王小明")
            await page.check('input[value="team"]')
            await page.click("button")
            await page.wait_for_selector("#error")
            assert await page.input_value("#number") == typed  # what was typed is still there
            await visit.check(name)
        await page.fill("#number", f"{number[:3]} {number[3:6]} {number[6:]}")
        await page.click("button")
        await visit.state("waiting")
        await visit.check("waiting-by-number")
        assert number not in page.url
        assert await lounge.guests(booking) == [("王小明", "waiting")]
