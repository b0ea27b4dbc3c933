"""Decodes an uploaded image and encodes it anew: upright, in sRGB, and nothing but its pixels (C4).

Only what was decoded is written, so metadata, a second file behind the image and whatever hid between its blocks are
gone. This code meets hostile bytes and may die of them: it runs in a process of its own (`image_process`).
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from typing import Final

from PIL import GifImagePlugin, Image, ImageCms, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from fairwire_protocol.errors import Refused
from fairwire_server.chat.image_format import ImageHeader, ImageLimits, ProcessedImage, read_header

__all__ = ["reencode"]

# Importing a plug-in registers it; these four and no others are ever asked.
_PLUGINS: Final = {
    "png": PngImagePlugin.PngImageFile,
    "jpeg": JpegImagePlugin.JpegImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "gif": GifImagePlugin.GifImageFile,
}
_ORIENTATION: Final = 0x0112  # EXIF tag
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_QUALITY: Final = 85


def reencode(data: bytes, limits: ImageLimits) -> ProcessedImage:
    """The image as it will be stored. `Refused`: `unsupported_kind`, `bad_image` or `too_large`."""
    header = read_header(data)
    _check_pixels(header.width, header.height, limits)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on broken metadata, which is thrown away
            return _reencode(data, header, limits)
    except Refused:
        raise
    except (MemoryError, Image.DecompressionBombError):
        raise Refused("too_large") from None
    except Exception:
        # Broken bytes make the decoders raise anything: OSError, SyntaxError, ValueError, struct.error, KeyError ...
        raise Refused("bad_image") from None


def _check_pixels(width: int, height: int, limits: ImageLimits) -> None:
    if width * height > limits.max_pixels:
        raise Refused("too_large", f"The image has more than {limits.max_pixels // 1_000_000} million pixels.")


def _reencode(data: bytes, header: ImageHeader, limits: ImageLimits) -> ProcessedImage:
    with Image.open(io.BytesIO(data), formats=[header.kind]) as source:
        _check_pixels(*source.size, limits)  # a GIF's first frame may exceed the screen that its header announces
        jpeg_tables = _jpeg_tables(source)
        frames, durations = _frames(source, header, limits)
        loop = source.info.get("loop")
        orientation = _orientation(source)
        profile = source.info.get("icc_profile")
    frames = [_clean(frame, orientation, profile) for frame in frames]
    first = frames[0]
    encoded = _encode(frames, header, durations, loop, jpeg_tables)
    if len(encoded) > limits.max_bytes and len(frames) > 1:
        del frames[1:]
        encoded = _encode(frames, header, durations, loop, jpeg_tables)
    thumbnail = _thumbnail(first, limits.thumbnail_side)
    return ProcessedImage(
        kind=header.kind,
        width=first.width,
        height=first.height,
        frames=len(frames),
        data=encoded,
        thumbnail_width=thumbnail.width,
        thumbnail_height=thumbnail.height,
        thumbnail=_saved([thumbnail], "WEBP", quality=_QUALITY, method=4),
    )


def _frames(source: Image.Image, header: ImageHeader, limits: ImageLimits) -> tuple[list[Image.Image], list[int]]:
    """The decoded frames with their durations in ms; of an animation beyond the limits, and of an APNG, the first."""
    source.load()
    if header.kind not in {"gif", "webp"}:
        return [source.copy()], [0]
    most = min(limits.max_frames, limits.max_animation_pixels // (source.width * source.height))
    frames: list[Image.Image] = []
    durations: list[int] = []
    for frame in _each_frame(source):
        if len(frames) >= max(most, 1):
            return frames[:1], durations[:1]
        frames.append(frame)
        durations.append(int(source.info.get("duration", 0)))
    return frames, durations


def _each_frame(source: Image.Image) -> Iterator[Image.Image]:
    at = 0
    while True:
        yield source.copy()
        at += 1
        try:
            source.seek(at)
        except EOFError:
            return


def _orientation(source: Image.Image) -> int:
    """How the camera was held; a photograph with a broken EXIF block is still a photograph."""
    try:
        return int(source.getexif().get(_ORIENTATION, 1))
    except Exception:
        return 1


def _clean(frame: Image.Image, orientation: int, profile: bytes | None) -> Image.Image:
    """Upright, in a mode that its kind can hold, with sRGB's colours, and of the metadata only the transparency."""
    if frame.mode.startswith("I"):  # 16 bits of grey
        frame = frame.convert("I").point(lambda value: value * (1 / 256)).convert("L")
        frame.info.pop("transparency", None)
    elif frame.mode == "PA":
        frame = frame.convert("RGBA")
    if profile:
        frame = _in_srgb(frame, profile)
    if frame.mode in {"CMYK", "YCbCr", "LAB", "HSV"}:
        frame = frame.convert("RGB")
    if orientation in _UPRIGHT:
        frame = frame.transpose(_UPRIGHT[orientation])
    frame.info = {key: value for key, value in frame.info.items() if key == "transparency"}
    return frame


def _in_srgb(frame: Image.Image, profile: bytes) -> Image.Image:
    """Pixels converted, so that colours stay when the profile goes; with a profile that makes no sense, untouched."""
    if frame.mode == "P":
        frame = frame.convert("RGBA" if "transparency" in frame.info else "RGB")
    if frame.mode not in {"RGB", "RGBA", "CMYK"}:
        return frame
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return frame
        mode = "RGB" if frame.mode == "CMYK" else frame.mode
        return ImageCms.profileToProfile(frame, source, ImageCms.createProfile("sRGB"), outputMode=mode) or frame
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return frame


def _jpeg_tables(source: Image.Image) -> dict[str, object]:
    """The quantisation of the source: encoding with the same loses least and does not grow."""
    if not isinstance(source, JpegImagePlugin.JpegImageFile):
        return {}
    sampling = JpegImagePlugin.get_sampling(source)
    tables = [source.quantization[key] for key in sorted(source.quantization)]
    return {"qtables": tables, **({"subsampling": sampling} if sampling >= 0 else {})}


def _encode(
    frames: list[Image.Image],
    header: ImageHeader,
    durations: list[int],
    loop: int | None,
    jpeg_tables: dict[str, object],
) -> bytes:
    animated = len(frames) > 1
    match header.kind:
        case "png":
            return _saved(frames, "PNG")
        case "jpeg":
            try:
                return _saved(frames, "JPEG", progressive=True, **jpeg_tables)
            except (OSError, ValueError):  # tables that fit no other image than the source
                return _saved(frames, "JPEG", progressive=True, quality=_QUALITY)
        case "webp":
            timing = {"duration": durations, "loop": loop or 0} if animated else {}
            return _saved(frames, "WEBP", quality=_QUALITY, method=2 if animated else 4, **timing)
        case "gif":
            if not animated:
                return _saved(frames, "GIF")
            clear = any("transparency" in frame.info or frame.mode == "RGBA" for frame in frames)
            once = {} if loop is None else {"loop": loop}
            return _saved(frames, "GIF", duration=durations, disposal=2 if clear else 1, **once)


def _saved(frames: list[Image.Image], form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    if len(frames) > 1:
        options |= {"save_all": True, "append_images": frames[1:]}
    frames[0].save(buffer, form, **options)
    return buffer.getvalue()


def _thumbnail(frame: Image.Image, side: int) -> Image.Image:
    seen = frame.convert("RGBA" if frame.has_transparency_data else "RGB")
    seen.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    seen.info = {}
    return seen
