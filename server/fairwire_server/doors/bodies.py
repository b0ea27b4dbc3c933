"""From an HTTP request to the operation's request type: path, query and body become one JSON map, decoded as the socket's is.

Values in a path or a query are text, so they are read leniently (`"50"` is 50); a JSON body is as strict as a frame. Nothing
larger than its limit is read, whatever Content-Length says, and a body that trickles in is given up on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import msgspec
from aiohttp import web

from fairwire_protocol.codec import JSON
from fairwire_protocol.depth import check_json_depth
from fairwire_protocol.errors import Refused
from fairwire_protocol.operations import Operation

__all__ = ["BodyLimits", "RequestReader", "read_body"]

KIB: Final = 1024
_BODILESS: Final = frozenset({"GET", "DELETE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """Bytes a body may have and seconds it may take (W15)."""

    json_bytes: int = 64 * KIB
    json_s: float = 10.0
    upload_bytes: int = 10 * KIB * KIB
    upload_s: float = 60.0


async def read_body(request: web.Request, *, limit: int, seconds: float) -> bytes:
    """The whole body. Raises `too_large` before reading more than `limit`, `malformed` for one that stalls or breaks off."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refused("malformed", "Bodies are taken without a Content-Encoding.")
    too_large = Refused("too_large", f"A body has at most {limit} bytes here.", detail={"limit": limit})
    if request.content_length is not None and request.content_length > limit:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise too_large
    except TimeoutError:
        raise Refused("malformed", f"The body did not arrive within {seconds:g} s.") from None
    except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, web.RequestPayloadError, ConnectionError):
        raise Refused("malformed", "The body broke off.") from None
    return bytes(body)


class RequestReader:
    """Reads requests of one operation."""

    def __init__(self, operation: Operation[Any, Any], limits: BodyLimits) -> None:
        if operation.http is None:
            raise ValueError(f"{operation.name} has no HTTP door")
        self._operation = operation
        self._limits = limits
        self._bodiless = operation.http[0] in _BODILESS or operation.binary is not None
        self._fields = {field.encode_name: field for field in msgspec.structs.fields(operation.request)}

    async def read(self, request: web.Request) -> tuple[Any, bytes]:
        """The operation's request, and the body's bytes where those are the request."""
        fields: dict[str, msgspec.Raw] = {}
        data = b""
        if self._bodiless:
            if self._operation.binary == "request":
                data = await read_body(request, limit=self._limits.upload_bytes, seconds=self._limits.upload_s)
            fields = self._from_query(request)
        else:
            body = await read_body(request, limit=self._limits.json_bytes, seconds=self._limits.json_s)
            if body.strip():
                check_json_depth(body)
                fields = _map_of(body)
        for name, text in request.match_info.items():
            fields[name] = self._lenient(name, text)
        return JSON.decode(msgspec.json.encode(fields), self._operation.request), data

    def _from_query(self, request: web.Request) -> dict[str, msgspec.Raw]:
        """Fields named in the query; a name that is no field is ignored, as on the socket (W1)."""
        query = request.query
        fields = {}
        for name in self._fields.keys() & query.keys():
            texts = query.getall(name)
            fields[name] = self._lenient(name, texts[0] if len(texts) == 1 else texts)
        return fields

    def _lenient(self, name: str, value: str | list[str]) -> msgspec.Raw:
        try:
            typed = msgspec.convert(value, self._fields[name].type, strict=False)
            return msgspec.Raw(msgspec.json.encode(typed))
        except msgspec.ValidationError as error:
            raise Refused("invalid", str(error), field=name) from None
        except UnicodeEncodeError:
            raise Refused("invalid", "Not valid UTF-8", field=name) from None


def _map_of(body: bytes) -> dict[str, msgspec.Raw]:
    """The body's top-level fields, their values untouched."""
    parsed: Mapping[str, msgspec.Raw] = JSON.decode(body, dict[str, msgspec.Raw])
    return dict(parsed)
