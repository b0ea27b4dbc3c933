"""The SMS providers' side: an HTTP server that checks each request as their documents say, and can be as unhelpful as they are.

What it checks is written from those documents and shares nothing with what signs: it takes the raw request apart, as they do. A
request that is signed wrongly is refused by the code that the provider has for it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, unquote

from aiohttp import web

__all__ = ["SmsGateway", "sms_gateway"]

KEY_ID, KEY_SECRET, APP_ID, SENDER = "test-key", "test-secret", "1400000000", "+15005550006"


class SmsGateway:
    """One server for all three. `messages` are (number as E.164, template id or "", variables or text) in order."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str, str]] = []
        self.requests = 0
        self.mood = "well"
        """`well`, `final`, `later`, `busy`, `budget`, `silent`, `gone`, `moved`, `huge`, `nonsense`."""
        self.refused_numbers: frozenset[str] = frozenset()
        self.nonces: set[str] = set()
        self.port = 0
        self.released = asyncio.Event()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Any request."""
        self.requests += 1
        body = await request.read()
        match self.mood:
            case "busy":
                return web.Response(status=429, headers={"Retry-After": "7"}, text="slow down")
            case "silent":
                await self.released.wait()
                assert request.transport is not None
                request.transport.abort()
                return web.Response(status=500)
            case "moved":
                return web.Response(status=307, headers={"Location": f"{self.url}/elsewhere"})
            case "huge":
                return web.Response(body=b"x" * 1_000_000)
            case "nonsense":
                return web.Response(text="<html>")
        if "x-acs-action" in request.headers:
            answer = self._aliyun(request, body)
        elif "X-TC-Action" in request.headers:
            answer = self._tencent(request, body)
        else:
            answer = self._twilio(request, body)
        if self.mood == "gone":
            assert request.transport is not None
            request.transport.abort()
        return answer

    def _verdict(self, number: str) -> str:
        return "final" if number in self.refused_numbers else self.mood

    def _aliyun(self, request: web.Request, body: bytes) -> web.Response:
        """V3 request structure and signature: what is signed is named by the request itself."""
        authorization = request.headers["Authorization"]
        scheme, _, rest = authorization.partition(" ")
        given = dict(part.split("=", 1) for part in rest.split(","))
        names = given["SignedHeaders"].split(";")
        required = {"host", *(name.lower() for name in request.headers if name.lower().startswith("x-acs-"))}
        lines = [f"{name}:{request.headers[name].strip()}\n" for name in names]
        canonical = "\n".join(
            [
                request.method,
                request.rel_url.raw_path,
                "&".join(sorted(request.rel_url.raw_query_string.split("&"))),
                "".join(lines),
                given["SignedHeaders"],
                hashlib.sha256(body).hexdigest(),
            ]
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        signature = hmac.new(KEY_SECRET.encode(), f"{scheme}\n{digest}".encode(), "sha256").hexdigest()
        at = datetime.strptime(request.headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        nonce = request.headers["x-acs-signature-nonce"]
        if (
            signature != given["Signature"]
            or scheme != "ACS3-HMAC-SHA256"
            or set(names) != required
            or names != sorted(names)
        ):
            return web.json_response({"Code": "SignatureDoesNotMatch", "Message": "no"}, status=400)
        if given["Credential"] != KEY_ID or request.headers["x-acs-content-sha256"] != hashlib.sha256(body).hexdigest():
            return web.json_response({"Code": "InvalidAccessKeyId.NotFound"}, status=404)
        if abs(datetime.now(UTC) - at) > timedelta(minutes=15) or nonce in self.nonces:
            return web.json_response({"Code": "InvalidTimeStamp.Expired"}, status=400)
        self.nonces.add(nonce)
        assert (request.headers["x-acs-action"], request.headers["x-acs-version"]) == ("SendSms", "2017-05-25")
        query = {name: unquote(value) for name, value in parse_qsl(request.rel_url.raw_query_string)}
        number = query["PhoneNumbers"]
        number = f"+86{number}" if len(number) == 11 and number.startswith("1") else f"+{number}"
        codes = {
            "final": "isv.MOBILE_NUMBER_ILLEGAL",
            "later": "isp.SYSTEM_ERROR",
            "budget": "isv.BUSINESS_LIMIT_CONTROL",
        }
        if (verdict := self._verdict(number)) in codes:
            return web.json_response({"Code": codes[verdict], "Message": f"no {number}", "RequestId": "R"})
        assert query["SignName"] in {"云展会", "Fair"}
        self.messages.append((number, query["TemplateCode"], query["TemplateParam"]))
        biz = f"{len(self.messages)}^0"
        return web.json_response({"Code": "OK", "Message": "OK", "BizId": biz, "RequestId": "R"})

    def _tencent(self, request: web.Request, body: bytes) -> web.Response:
        """Signature method v3."""
        scheme, _, rest = request.headers["Authorization"].partition(" ")
        given = dict(part.strip().split("=", 1) for part in rest.split(","))
        key_id, day, service, last = given["Credential"].split("/")
        names = given["SignedHeaders"].split(";")
        lines = "".join(f"{name}:{request.headers[name].strip().lower()}\n" for name in names)
        query = request.rel_url.raw_query_string
        canonical = f"POST\n/\n{query}\n{lines}\n{given['SignedHeaders']}\n{hashlib.sha256(body).hexdigest()}"
        at = request.headers["X-TC-Timestamp"]
        to_sign = f"{scheme}\n{at}\n{day}/{service}/{last}\n{hashlib.sha256(canonical.encode()).hexdigest()}"

        def digest(key: bytes, text: str) -> bytes:
            return hmac.new(key, text.encode(), hashlib.sha256).digest()

        key = digest(digest(digest(b"TC3" + KEY_SECRET.encode(), day), service), "tc3_request")
        fault = None
        if digest(key, to_sign).hex() != given["Signature"] or not {"content-type", "host"} <= set(names):
            fault = "AuthFailure.SignatureFailure"
        elif abs(datetime.now(UTC).timestamp() - int(at)) > 300 or day != f"{datetime.now(UTC):%Y-%m-%d}":
            fault = "AuthFailure.SignatureExpire"
        elif (key_id, service, last) != (KEY_ID, "sms", "tc3_request"):
            fault = "AuthFailure.SecretIdNotFound"
        if fault is not None:
            return web.json_response({"Response": {"Error": {"Code": fault, "Message": "no"}, "RequestId": "R"}})
        assert (request.headers["X-TC-Action"], request.headers["X-TC-Version"]) == ("SendSms", "2021-01-11")
        asked = json.loads(body)
        (number,) = asked["PhoneNumberSet"]
        assert (asked["SmsSdkAppId"], asked["SignName"] in {"云展会", "Fair"}) == (APP_ID, True)
        codes = {
            "final": "InvalidParameterValue.IncorrectPhoneNumber",
            "later": "InternalError.OtherError",
            "budget": "LimitExceeded.PhoneNumberDailyLimit",
        }
        code = codes.get(self._verdict(number), "Ok")
        if code == "Ok":
            self.messages.append((number, asked["TemplateId"], json.dumps(asked["TemplateParamSet"])))
        status = {
            "SerialNo": f"2019:{len(self.messages)}",
            "PhoneNumber": number,
            "Fee": 1,
            "Code": code,
            "Message": number,
        }
        return web.json_response({"Response": {"SendStatusSet": [status], "RequestId": "R"}})

    def _twilio(self, request: web.Request, body: bytes) -> web.Response:
        """Basic authentication, a form."""
        expected = base64.b64encode(f"{KEY_ID}:{KEY_SECRET}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            return web.json_response({"code": 20003, "message": "Authenticate", "status": 401}, status=401)
        assert request.path == f"/2010-04-01/Accounts/{KEY_ID}/Messages.json"
        form = dict(parse_qsl(body.decode(), strict_parsing=True))
        assert form["From"] == SENDER
        codes = {"final": (400, 21211), "later": (503, 20503), "budget": (400, 21610)}
        if (verdict := self._verdict(form["To"])) in codes:
            status, code = codes[verdict] if verdict != "later" else (500, 20500)
            return web.json_response({"code": code, "message": f"no {form['To']}", "status": status}, status=status)
        self.messages.append((form["To"], "", form["Body"]))
        sid = f"SM{len(self.messages):032x}"
        return web.json_response({"sid": sid, "status": "queued", "num_segments": "1"}, status=201)


@asynccontextmanager
async def sms_gateway() -> AsyncIterator[SmsGateway]:
    """A started one, on a free port."""
    gateway = SmsGateway()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", gateway.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        gateway.port = runner.addresses[0][1]
        yield gateway
    finally:
        gateway.released.set()
        await runner.cleanup()
