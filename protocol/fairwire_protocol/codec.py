"""The two codecs of the wire, MessagePack and JSON, over one set of types (W1).

`Codec` encodes and decodes frames with validation. Durable events have a shortcut: their body is encoded once per view and
codec, and `event_frame` puts the few bytes that differ per account in front of it (W3) — the same bytes that encoding an
`Event` frame would give, which a golden vector proves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, TypeVar

import msgspec

from fairwire_protocol.depth import check_json_depth, check_msgpack_depth
from fairwire_protocol.errors import Refused
from fairwire_protocol.frames import ClientFrame, ServerFrame, Stream

__all__ = ["CODECS", "JSON", "MSGPACK", "PROTOCOL", "Codec", "CodecName"]

T = TypeVar("T")
CodecName = Literal["msgpack", "json"]
PROTOCOL: Final = 1


class Codec:
    """One way to write frames as bytes. Stateless: safe to share between sockets."""

    name: CodecName
    subprotocol: str
    binary: bool

    def __init__(
        self,
        name: CodecName,
        *,
        encode: Callable[[object], bytes],
        decoder: Callable[[Any], Any],
        binary: bool,
    ) -> None:
        self.name = name
        self.subprotocol = f"fairwire.v{PROTOCOL}.{name}"
        self.binary = binary
        self.encode = encode
        self._client_frames = decoder(ClientFrame)
        self._server_frames = decoder(ServerFrame)
        self._decoder = decoder
        self._decoders: dict[Any, Callable[[Any], Any]] = {}
        self._empty = encode({})

    def decode_client_frame(self, data: bytes) -> ClientFrame:
        """What a client sent. Raises `Refused("malformed")` or `Refused("invalid")`."""
        (check_msgpack_depth if self.binary else check_json_depth)(data)
        frame: ClientFrame = _decoding(self._client_frames.decode, data)
        return frame

    def decode_server_frame(self, data: bytes) -> ServerFrame:
        """What a server sent. Raises like `decode_client_frame`."""
        frame: ServerFrame = _decoding(self._server_frames.decode, data)
        return frame

    def decode(self, data: bytes | msgspec.Raw, type_: type[T]) -> T:
        """A raw part (`args`, `result`, `body`) as its type; empty counts as an empty map."""
        decode = self._decoders.get(type_)
        if decode is None:  # types are written in programs: there are only so many
            decode = self._decoders[type_] = self._decoder(type_).decode
        value: T = _decoding(decode, bytes(data) or self._empty)
        return value

    def decode_plain(self, data: bytes | msgspec.Raw) -> Any:
        """A raw part as plain maps, lists and scalars."""
        return self.decode(data, object)

    def event_frame(self, stream: Stream, pos: int, body: bytes) -> bytes:
        """The bytes of `Event(stream, pos, body)` around an already encoded body."""
        if self.name == "json":
            return b'{"t":"event","stream":"%b","pos":%d,"body":%b}' % (stream.encode(), pos, body)
        return _PREFIX[stream] + _pack_pos(pos) + b"\xa4body" + body


_PREFIX: Final[dict[str, bytes]] = {
    stream: b"\x84\xa1t\xa5event\xa6stream" + bytes([0xA0 | len(stream)]) + stream.encode() + b"\xa3pos"
    for stream in ("account", "fair")
}


def _pack_pos(pos: int) -> bytes:
    """A non-negative integer in MessagePack's shortest form."""
    if pos < 0x80:
        return bytes((pos,))
    if pos <= 0xFF:
        return b"\xcc" + bytes((pos,))
    if pos <= 0xFFFF:
        return b"\xcd" + pos.to_bytes(2, "big")
    if pos <= 0xFFFF_FFFF:
        return b"\xce" + pos.to_bytes(4, "big")
    return b"\xcf" + pos.to_bytes(8, "big")


def _decoding(decode: Callable[[Any], Any], data: bytes) -> Any:
    try:
        return decode(data)
    except msgspec.ValidationError as error:
        text = str(error)
        _, _, path = text.rpartition(" - at ")
        field = path.strip("`").removeprefix("$").removeprefix(".") if path.startswith("`$") else None
        raise Refused("invalid", text, field=field or None) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("malformed", str(error)) from None


MSGPACK: Final = Codec(
    "msgpack",
    encode=msgspec.msgpack.encode,
    decoder=msgspec.msgpack.Decoder,
    binary=True,
)
JSON: Final = Codec("json", encode=msgspec.json.encode, decoder=msgspec.json.Decoder, binary=False)
CODECS: Final = {codec.subprotocol: codec for codec in (MSGPACK, JSON)}
