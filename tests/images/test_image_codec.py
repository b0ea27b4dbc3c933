"""C4: what is stored is the picture, upright, in the right colours, and nothing else."""

from __future__ import annotations

import io
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms

from fairwire_protocol.errors import Refused
from fairwire_server.chat.image_codec import reencode
from fairwire_server.chat.image_format import ImageLimits, ProcessedImage
from tests.images.samples import KINDS, SECRET, animation, announced_png, exif, noise, picture, saved, with_secrets

LIMITS = ImageLimits()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def colours(image: Image.Image) -> list[str]:
    """The nearest pure colour of the corners: above left, above right, below left, below right."""
    rgb = image.convert("RGB")
    width, height = rgb.size
    corners = itertools.product((height // 4, height * 3 // 4), (width // 4, width * 3 // 4))
    found = []
    for y, x in corners:
        pixel = rgb.getpixel((x, y))
        assert isinstance(pixel, tuple)
        found.append("RGB"[pixel.index(max(pixel))])
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_c4_nothing_but_the_picture_survives(kind: str) -> None:
    data = with_secrets(kind)
    assert SECRET in data
    processed = reencode(data, LIMITS)
    for part in (processed.data, processed.thumbnail):
        assert SECRET not in part
        image = opened(part)
        assert not image.getexif()
        assert {"icc_profile", "exif", "xmp", "comment", "Comment", "XML:com.adobe.xmp"}.isdisjoint(image.info)
        assert colours(image) == ["R", "G", "B", "B"]
    assert processed.kind == kind
    assert (processed.width, processed.height) == opened(processed.data).size == (60, 40)


@pytest.mark.parametrize("kind", KINDS)
def test_c4_encoding_twice_changes_no_size(kind: str) -> None:
    once = reencode(saved(picture(), kind), LIMITS)
    again = reencode(once.data, LIMITS)
    assert (again.kind, again.width, again.height, again.frames) == (once.kind, once.width, once.height, once.frames)


TURNED = {
    1: ["R", "G", "B", "B"],
    2: ["G", "R", "B", "B"],
    3: ["B", "B", "G", "R"],
    4: ["B", "B", "R", "G"],
    5: ["R", "B", "G", "B"],
    6: ["B", "R", "B", "G"],
    7: ["B", "G", "B", "R"],
    8: ["G", "B", "R", "B"],
}


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("orientation", [*TURNED, 0, 9, 65535])
def test_c4_an_image_is_stored_upright(kind: str, orientation: int) -> None:
    processed = reencode(saved(picture(), kind, exif=exif(orientation)), LIMITS)
    assert colours(opened(processed.data)) == TURNED.get(orientation, TURNED[1])
    assert colours(opened(processed.thumbnail)) == TURNED.get(orientation, TURNED[1])
    assert (processed.width, processed.height) == ((40, 60) if orientation in {5, 6, 7, 8} else (60, 40))


def test_c4_a_broken_exif_block_does_not_cost_the_picture() -> None:
    processed = reencode(saved(picture(), "jpeg", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff"), LIMITS)
    assert (processed.width, processed.height) == (60, 40)


def test_c4_colours_stay_when_the_profile_goes() -> None:
    """Pixels of a device whose red and blue are swapped against sRGB's come out as a viewer with the profile saw them."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = bytearray(srgb)
    red, blue = srgb.index(b"rXYZ"), srgb.index(b"bXYZ")
    swapped[red : red + 4], swapped[blue : blue + 4] = b"bXYZ", b"rXYZ"
    swapped = bytearray(bytes(swapped).replace(b"s\x00R\x00G\x00B", b"s\x00W\x00P\x00D").replace(b"sRGB", b"sWPD"))
    for kind, mode in itertools.product(("png", "jpeg"), ("RGB", "P")):
        if (kind, mode) != ("jpeg", "P"):
            data = saved(picture(mode=mode), kind, icc_profile=bytes(swapped))
            assert colours(opened(reencode(data, LIMITS).data)) == ["B", "G", "R", "R"], (kind, mode)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_c4_every_mode_of_png(mode: str) -> None:
    source = picture(mode="L").convert("I").convert(mode) if mode == "I;16" else picture(mode=mode)
    image = opened(reencode(saved(source, "png"), LIMITS).data)
    assert image.size == (60, 40)


def test_c4_sixteen_bits_of_grey_keep_their_brightness() -> None:
    image = opened(reencode(saved(Image.new("I;16", (10, 10), 0x8000), "png"), LIMITS).data)
    value = image.convert("L").getpixel((5, 5))
    assert isinstance(value, int)
    assert 120 <= value <= 136


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 100, "subsampling": 0}, {"quality": 1}])
def test_c4_every_mode_of_jpeg(mode: str, options: dict[str, object]) -> None:
    data = saved(picture(mode=mode), "jpeg", **options)
    processed = reencode(data, LIMITS)
    assert opened(processed.data).mode in {"L", "RGB"}
    if mode == "RGB":
        assert colours(opened(processed.data)) == ["R", "G", "B", "B"]


def test_c4_a_photograph_does_not_grow() -> None:
    for quality in (30, 60, 85, 95):
        data = saved(noise(600, 400), "jpeg", quality=quality)
        assert len(reencode(data, LIMITS).data) < len(data) * 1.1


def test_c4_a_jpeg_of_several_pictures_keeps_the_first() -> None:
    data = saved(picture(), "mpo", save_all=True, append_images=[picture(20, 20)])
    processed = reencode(data, LIMITS)
    assert (processed.kind, processed.frames, processed.width) == ("jpeg", 1, 60)
    assert len(processed.data) < len(data)


@pytest.mark.parametrize("kind", ["png", "gif", "webp"])
def test_c4_transparency_stays(kind: str) -> None:
    source = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    source.paste((255, 0, 0, 255), (0, 0, 20, 40))
    processed = reencode(saved(source, kind), LIMITS)
    for part in (processed.data, processed.thumbnail):
        alpha = opened(part).convert("RGBA").getchannel("A")
        assert alpha.getpixel((10, 20)) == 255
        assert alpha.getpixel((30, 20)) == 0


@pytest.mark.parametrize("kind", ["png"])
def test_c4_transparency_of_a_palette_stays(kind: str) -> None:
    source = picture(mode="P")
    index = source.getpixel((0, 0))
    image = opened(reencode(saved(source, kind, transparency=index), LIMITS).data)
    assert image.convert("RGBA").getpixel((0, 0))[3] == 0  # type: ignore[index]
    assert image.convert("RGBA").getpixel((59, 0))[3] == 255  # type: ignore[index]


@pytest.mark.parametrize(
    ("size", "expected"), [((60, 40), (60, 40)), ((4000, 1000), (400, 100)), ((3, 4000), (1, 400))]
)
def test_c4_the_thumbnail_is_a_webp_of_at_most_400_pixels(size: tuple[int, int], expected: tuple[int, int]) -> None:
    processed = reencode(saved(picture(*size), "png"), LIMITS)
    thumbnail = opened(processed.thumbnail)
    assert thumbnail.format == "WEBP"
    assert thumbnail.size == (processed.thumbnail_width, processed.thumbnail_height) == expected


def frames_of(data: bytes) -> list[tuple[Image.Image, int]]:
    image = Image.open(io.BytesIO(data))
    frames = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        image.load()
        frames.append((image.convert("RGBA"), int(image.info.get("duration", 0))))
    return frames


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_c4_an_animation_keeps_moving(kind: str) -> None:
    data = animation(kind)
    processed = reencode(data, LIMITS)
    before, after = frames_of(data), frames_of(processed.data)
    assert processed.frames == len(after) == 5
    assert [duration for _, duration in after] == [duration for _, duration in before]
    assert Image.open(io.BytesIO(processed.data)).info.get("loop") == 0
    for (one, _), (other, _) in zip(before, after, strict=True):
        difference = ImageChops.difference(one.convert("RGB"), other.convert("RGB")).convert("L").resize((8, 6))
        assert max(difference.tobytes()) < 40


def test_c4_a_transparent_animation_leaves_no_trail() -> None:
    images = []
    for number in range(5):
        image = Image.new("RGBA", (60, 10), (0, 0, 0, 0))
        image.paste((255, 0, 0, 255), (number * 10, 0, number * 10 + 10, 10))
        images.append(image)
    data = saved(images[0], "gif", save_all=True, append_images=images[1:], duration=50, disposal=2)
    after = frames_of(reencode(data, LIMITS).data)
    assert [frame.getchannel("A").tobytes() for frame, _ in after] == [
        frame.getchannel("A").tobytes() for frame, _ in frames_of(data)
    ]


@pytest.mark.parametrize("kind", ["gif", "webp"])
@pytest.mark.parametrize(
    "limits",
    [ImageLimits(max_frames=4), ImageLimits(max_animation_pixels=40 * 30 * 5 - 1), ImageLimits(max_animation_pixels=1)],
)
def test_c4_an_animation_beyond_the_limits_keeps_its_first_frame(kind: str, limits: ImageLimits) -> None:
    processed = reencode(animation(kind), limits)
    assert processed.frames == len(frames_of(processed.data)) == 1
    assert reencode(animation(kind), ImageLimits(max_frames=5, max_animation_pixels=40 * 30 * 5)).frames == 5


def test_c4_an_animated_png_keeps_its_first_picture() -> None:
    data = saved(picture(), "png", save_all=True, append_images=[picture(mode="L").convert("RGB")])
    processed = reencode(data, LIMITS)
    assert processed.frames == len(frames_of(processed.data)) == 1


@pytest.mark.parametrize(
    "data",
    [
        announced_png(100_000, 100_000),
        announced_png(2**31 - 1, 2**31 - 1),
        b"GIF89a\xff\xff\xff\xff\x00\x00\x00" + saved(picture(), "gif")[13:],
        b"RIFF\x1e\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x10\x00\x00\x00\xff\x3f\x00\xff\x3f\x00",
        saved(picture(), "jpeg").replace(b"\x00\x28\x00\x3c", b"\xff\xff\xff\xff", 1),
    ],
    ids=["png", "larger png", "gif", "webp", "jpeg"],
)
def test_c4_a_bomb_is_too_large_before_it_is_decoded(data: bytes) -> None:
    with pytest.raises(Refused) as caught:
        reencode(data, LIMITS)
    assert caught.value.code == "too_large"


@pytest.mark.parametrize("kind", KINDS)
def test_c4_a_truncated_image_is_a_bad_image(kind: str) -> None:
    data = saved(noise(200, 150), kind)
    for percent in (10, 50, 90):
        with pytest.raises(Refused) as caught:
            reencode(data[: len(data) * percent // 100], LIMITS)
        assert caught.value.code == "bad_image"


def test_c4_a_png_with_too_few_pixels_is_a_bad_image() -> None:
    with pytest.raises(Refused) as caught:
        reencode(announced_png(2000, 2000), LIMITS)
    assert caught.value.code == "bad_image"


SAMPLES = [saved(picture(), kind) for kind in KINDS] + [with_secrets(kind) for kind in KINDS] + [animation("gif")]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=8), st.integers(0))
def test_c4_damaged_images_are_whole_again_or_refused(data: bytes, damage: list[tuple[int, int]], cut: int) -> None:
    broken = bytearray(data)
    for at, value in damage:
        broken[at % len(broken)] = value
    length = len(broken) - cut % 64
    try:
        processed = reencode(bytes(broken[:length]), LIMITS)
    except Refused:
        return  # any other exception fails the test
    assert isinstance(processed, ProcessedImage)
    assert opened(processed.data).size == (processed.width, processed.height)
