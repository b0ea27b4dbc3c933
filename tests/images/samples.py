"""Images made for the tests: each kind, with everything that must not survive, and the ways to break them."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Final

from PIL import Image, ImageCms, PngImagePlugin

SECRET: Final = b"SECRET-PLACE"
KINDS: Final = ("png", "jpeg", "webp", "gif")


def picture(width: int = 60, height: int = 40, mode: str = "RGB") -> Image.Image:
    """A picture whose corners differ: red above left, green above right, blue below."""
    image = Image.new("RGB", (width, height), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, width // 2, height // 2))
    image.paste((0, 255, 0), (width // 2, 0, width, height // 2))
    return image.convert(mode)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of an image in a kind."""
    buffer = io.BytesIO()
    image.save(buffer, kind.upper(), **options)
    return buffer.getvalue()


def noise(width: int, height: int) -> Image.Image:
    """A picture that compresses badly and decodes slowly."""
    return Image.effect_noise((width, height), 80).convert("RGB")


def exif(orientation: int = 1) -> bytes:
    """A camera's block: how it was held, whose it is, and where."""
    block = Image.Exif()
    block[0x0112] = orientation
    block[0x013B] = SECRET.decode()
    block.get_ifd(0x8825)[29] = SECRET.decode()
    return block.tobytes()


def with_secrets(kind: str) -> bytes:
    """A picture carrying `SECRET` in every place its kind offers, and behind its end."""
    comment = SECRET.decode()
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", comment)
    text.add_itxt("XML:com.adobe.xmp", comment)
    options: dict[str, dict[str, object]] = {
        "png": {"exif": exif(), "pnginfo": text, "icc_profile": wide_profile()},
        "jpeg": {"exif": exif(), "comment": SECRET, "xmp": SECRET, "icc_profile": wide_profile()},
        "webp": {"exif": exif(), "xmp": SECRET, "icc_profile": wide_profile()},
        "gif": {"comment": SECRET},
    }
    return saved(picture(), kind, **options[kind]) + b"PK\x03\x04" + SECRET


def wide_profile() -> bytes:
    """An ICC profile that is not sRGB: its description names the secret."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    return profile.tobytes() + SECRET


def animation(kind: str, frames: int = 5, size: tuple[int, int] = (40, 30)) -> bytes:
    """A bar that moves to the right, 50, 60, 70 ... ms a frame, for ever."""
    images = []
    for number in range(frames):
        image = Image.new("RGB", size, (0, 0, 255))
        image.paste((255, 0, 0), (number, 0, number + 5, size[1]))
        images.append(image)
    durations = [50 + 10 * number for number in range(frames)]
    return saved(images[0], kind, save_all=True, append_images=images[1:], duration=durations, loop=0)


def announced_png(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes whose header announces any size."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(bytes(1000)))
        + _chunk(b"IEND", b"")
    )


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
