"""What an image of a chat may be, and what its first bytes say it is (C4).

The kind is decided by the bytes alone: no file name and no content type is believed. Width and height are read here
from the header, before anything is decoded, because a few hundred bytes may announce gigapixels.
"""

from __future__ import annotations

import struct
from typing import Final, Literal

import msgspec

from fairwire_protocol.errors import Refused

__all__ = [
    "LENGTH",
    "ImageHeader",
    "ImageKind",
    "ImageLimits",
    "ImageRefused",
    "ImageReply",
    "ImageTask",
    "ProcessedImage",
    "read_header",
]

ImageKind = Literal["png", "jpeg", "webp", "gif"]

# Start of frame: C0-CF without DHT (C4), JPG (C8) and DAC (CC), ITU-T T.81 table B.1.
_JPEG_SIZES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_JPEG_SEGMENTS: Final = 2_000  # more than 10 MB of whole segments hold; a bound on the walk through crafted ones


class ImageLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one image. A larger animation keeps its first frame; a larger image is refused as `too_large`."""

    max_bytes: int = 10 * 1024 * 1024  # C4
    max_pixels: int = 40_000_000
    max_frames: int = 300
    max_animation_pixels: int = 30_000_000  # width x height x frames
    thumbnail_side: int = 400


class ImageHeader(msgspec.Struct, frozen=True):
    """What the first bytes announce; nothing is known yet of the rest."""

    kind: ImageKind
    width: int
    height: int


class ProcessedImage(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An image as it is stored: re-encoded, upright, in sRGB, without metadata. Sizes are those of `data`, upright."""

    kind: ImageKind
    width: int
    height: int
    frames: int
    data: bytes
    thumbnail_kind: Literal["webp"] = "webp"
    thumbnail_width: int
    thumbnail_height: int
    thumbnail: bytes


class ImageRefused(msgspec.Struct, frozen=True, tag=True):
    """Why an image was not taken: code and message of a `Refused`."""

    code: str
    message: str


class ImageTask(msgspec.Struct, frozen=True):
    """What the process that decodes is told when it starts (as JSON, its one argument)."""

    limits: ImageLimits
    memory_bytes: int


# Between the server and that process: four bytes of length, then a file or a reply as MessagePack.
LENGTH: Final = struct.Struct(">I")
ImageReply = ProcessedImage | ImageRefused


def read_header(data: bytes) -> ImageHeader:
    """Kind and announced size. Refuses as `unsupported_kind` what is none of the four kinds, as `bad_image` a header
    that is cut or senseless."""
    if not data:
        raise Refused("bad_image", "The file is empty.")
    kind = _kind(data)
    if kind is None:
        raise Refused("unsupported_kind")
    try:
        width, height = _SIZES[kind](data)
    except (struct.error, IndexError):
        raise Refused("bad_image", "The file ends within its header.") from None
    if width < 1 or height < 1:
        raise Refused("bad_image", "The file announces an image without pixels.")
    return ImageHeader(kind, width, height)


def _kind(data: bytes) -> ImageKind | None:
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    return None


def _png_size(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR":
        raise Refused("bad_image", "The file does not begin with a PNG header.")
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _gif_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _webp_size(data: bytes) -> tuple[int, int]:
    """RFC 9649: the first chunk tells the canvas (VP8X) or is the one image, lossy (VP8) or lossless (VP8L)."""
    chunk = data[12:16]
    if chunk == b"VP8X":
        low, high = struct.unpack_from("<HB", data, 24), struct.unpack_from("<HB", data, 27)
        return 1 + (low[0] | low[1] << 16), 1 + (high[0] | high[1] << 16)
    if chunk == b"VP8L" and data[20:21] == b"\x2f":
        (bits,) = struct.unpack_from("<I", data, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise Refused("bad_image", "The file does not begin with a WebP image.")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Walks the segments up to the first start of frame; a preview inside a segment is passed over with it."""
    at = 2
    for _ in range(_JPEG_SEGMENTS):
        if (at := data.find(b"\xff", at)) < 0:
            break
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        if marker in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", data, at + 4)
            return width, height
        if marker in {0xD9, 0xDA}:
            break
        at += 1 if marker in _JPEG_WITHOUT_LENGTH else 1 + struct.unpack_from(">H", data, at + 1)[0]
    raise Refused("bad_image", "The file announces no JPEG frame.")


_SIZES: Final = {"png": _png_size, "gif": _gif_size, "webp": _webp_size, "jpeg": _jpeg_size}
