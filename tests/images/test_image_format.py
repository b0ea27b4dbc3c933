"""C4: the kind of an image is decided by its bytes, its size read before anything is decoded."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fairwire_protocol.errors import Refused
from fairwire_server.chat.image_format import read_header
from tests.images.samples import KINDS, animation, exif, picture, saved, with_secrets

SAMPLES: dict[str, tuple[str, bytes]] = {
    **{kind: (kind, saved(picture(), kind)) for kind in KINDS},
    **{f"{kind} with metadata": (kind, with_secrets(kind)) for kind in KINDS},
    "lossless webp": ("webp", saved(picture(), "webp", lossless=True)),
    "webp with alpha": ("webp", saved(picture(mode="RGBA"), "webp", exif=exif())),
    "animated webp": ("webp", animation("webp")),
    "progressive jpeg": ("jpeg", saved(picture(), "jpeg", progressive=True)),
    "grey jpeg": ("jpeg", saved(picture(mode="L"), "jpeg", restart_marker_rows=1)),
    "jpeg with padding": ("jpeg", saved(picture(), "jpeg").replace(b"\xff\xdb", b"\xff\xff\xff\xdb", 1)),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_c4_header_tells_kind_and_size(name: str) -> None:
    kind, data = SAMPLES[name]
    header = read_header(data)
    with Image.open(io.BytesIO(data)) as image:
        assert (header.kind, (header.width, header.height)) == (kind, image.size)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
        ("heic", b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"),
        ("avif", b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00mif1avif"),
        ("mp4", b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isommp42"),
        ("pdf", b"%PDF-1.7\n"),
        ("zip", b"PK\x03\x04"),
        ("ogg", b"OggS\x00\x02"),
        ("wav", b"RIFF\x24\x00\x00\x00WAVEfmt "),
        ("exe", b"MZ\x90\x00"),
        ("bmp", saved(picture(), "bmp")),
        ("tiff", saved(picture(), "tiff")),
        ("text", b"GIF is not what this is"),
        ("html before png", b"<html>" + saved(picture(), "png")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_c4_other_files_are_of_an_unsupported_kind(name: str, data: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read_header(data)
    assert caught.value.code == "unsupported_kind", name


@pytest.mark.parametrize("kind", KINDS)
def test_c4_a_file_that_ends_within_its_header_is_a_bad_image(kind: str) -> None:
    data = saved(picture(), kind)
    for length in (0, *range(12, 20)):
        with pytest.raises(Refused) as caught:
            read_header(data[: min(length, 9) if kind == "gif" else length])
        assert caught.value.code == "bad_image"


def test_c4_an_image_without_pixels_is_a_bad_image() -> None:
    data = bytearray(saved(picture(), "gif"))
    data[6:8] = b"\x00\x00"
    with pytest.raises(Refused) as caught:
        read_header(bytes(data))
    assert caught.value.code == "bad_image"


@given(
    st.sampled_from(
        [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x00\x00\x00\x00WEBP", b"\xff\xd8\xff\xe0"]
    ),
    st.binary(max_size=200) | st.sampled_from([b"\xff" * 100, b"\xff\x01" * 5_000, b"\xff\xe0\x00\x02" * 5_000]),
)
def test_c4_any_bytes_have_a_header_or_are_refused(magic: bytes, rest: bytes) -> None:
    try:
        header = read_header(magic + rest)
    except Refused:
        return  # any other exception fails the test
    assert header.width > 0
    assert header.height > 0


@given(st.data())
def test_c4_every_beginning_of_an_image_has_its_header_or_is_refused(data: Any) -> None:
    kind, whole = data.draw(st.sampled_from(sorted(SAMPLES.values())))
    cut = whole[: data.draw(st.integers(0, min(len(whole), 3000)))]
    try:
        header = read_header(cut)
    except Refused:
        return
    assert header == read_header(whole)
    assert header.kind == kind
