"""The page behind a reminder's `List-Unsubscribe` (RFC 8058): GET shows a button, POST acts, because scanners follow links (N8)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import jinja2
from aiohttp import web

__all__ = ["unsubscribe_routes"]

_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def unsubscribe_routes(
    known: Callable[[str], bool], unsubscribe: Callable[[str], Awaitable[bool]]
) -> list[web.RouteDef]:
    """`known` says whether a token is ours without asking the database; `unsubscribe` ends the mails of its account."""
    template = jinja2.Environment(
        loader=jinja2.PackageLoader("fairwire_server.doors", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    ).get_template("unsubscribe.html")

    def page(state: str, status: int = 200) -> web.Response:
        return web.Response(
            status=status,
            text=template.render(state=state),
            content_type="text/html",
            headers={"Content-Security-Policy": _POLICY},
        )

    async def show(request: web.Request) -> web.Response:
        return page("ask") if known(request.match_info["token"]) else page("unknown", 404)

    async def act(request: web.Request) -> web.Response:
        return page("done") if await unsubscribe(request.match_info["token"]) else page("unknown", 404)

    return [web.get("/unsubscribe/{token}", show), web.post("/unsubscribe/{token}", act)]
