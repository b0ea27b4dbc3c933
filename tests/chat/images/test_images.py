"""Images from upload to oblivion: who may see them, what they take, what is left of them (A1, A4, C4, C9, C12)."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from fairwire_protocol.errors import Refused, Unavailable
from fairwire_server.chat.image_service import SETTLED_AFTER, UNSENT_FOR, Images
from fairwire_server.chat.image_store import ImageStore
from fairwire_server.database.work import Works
from tests.chat.desk import Desk
from tests.harness.clock import ManualClock
from tests.images.samples import noise, picture, saved

EVERYBODY = (
    "buyer", "buyer2", "visitor", "main", "manager", "sales", "sales2", "rival", "rival_sales", "far_buyer", "far_main",
)  # fmt: skip
PNG = saved(picture(), "png")


async def seen_by(desk: Desk, image: UUID) -> set[str]:
    """Who gets the image; whoever does not gets the same error as for an image that does not exist."""
    seen = set()
    for who in (*EVERYBODY, "organiser", "far_organiser"):
        codes = {await desk.code(who, operation, image=image) for operation in ("chat.image", "chat.thumbnail")}
        assert len(codes) == 1
        if codes == {"ok"}:
            seen.add(who)
        else:
            assert codes == {"not_found"}, who
    return seen


def files(desk: Desk) -> list[str]:
    """Names of the files that are kept."""
    root = Path(desk.running.node.settings.data_dir) / "images"
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def at(desk: Desk, after: timedelta) -> Images:
    """The service as it will be after a while."""
    node = desk.running.node
    clock = ManualClock(node.clock.now() + after)
    works = Works(node.works.database, clock)
    worker, store = node.services.image_worker, node.services.files
    return Images(works, node.ground.commands, ImageStore(), node.ground.store, worker, store, quota_bytes=10**9)


async def sweep(desk: Desk, after: timedelta) -> int:
    """Sweep at a later time, twice: marked first, deleted once nothing can be about to show it."""
    swept = await at(desk, after).sweep()
    return swept + await at(desk, after + SETTLED_AFTER).sweep()


async def test_c4_an_upload_is_reencoded_and_delivered_with_its_thumbnail(desk: Desk) -> None:
    image = await desk.upload("buyer", PNG)
    assert (image.kind, image.width, image.height) == ("png", 60, 40)
    reply = await desk.call("buyer", "chat.image", image=image.id)
    assert reply.content_type == "image/png"
    assert reply.data.read_bytes()[:4] == b"\x89PNG"
    assert reply.data.stat().st_size == image.bytes
    thumbnail = await desk.call("buyer", "chat.thumbnail", image=image.id)
    assert thumbnail.content_type == "image/webp"
    assert thumbnail.data.read_bytes()[8:12] == b"WEBP"
    assert reply.etag != thumbnail.etag


async def test_c4_before_it_is_sent_only_its_uploader_sees_it(desk: Desk) -> None:
    image = await desk.upload("buyer", PNG)
    assert await seen_by(desk, image.id) == {"buyer"}
    assert await desk.code("buyer", "chat.image", image=uuid4()) == "not_found"


async def test_c9_a_sent_image_is_seen_by_those_who_may_read_its_message(desk: Desk) -> None:
    conversation = await desk.open("buyer")
    first = (await desk.upload("buyer", PNG)).id
    await desk.show("buyer", conversation, first)
    assert await seen_by(desk, first) == {"buyer", "main", "manager"}
    await desk.transfer("main", conversation, "sales")
    assert await seen_by(desk, first) == {"buyer", "main", "manager", "sales"}
    await desk.transfer("sales", conversation, "sales2")
    second = (await desk.upload("buyer", PNG)).id
    await desk.show("buyer", conversation, second)
    assert await seen_by(desk, first) == {"buyer", "main", "manager", "sales", "sales2"}
    assert await seen_by(desk, second) == {"buyer", "main", "manager", "sales2"}  # sales gave the chat away before


async def test_c9_an_uploader_who_lost_the_chat_keeps_what_it_sent_and_nothing_later(desk: Desk) -> None:
    conversation = await desk.open("buyer")
    await desk.say("buyer", conversation, "hello")
    await desk.transfer("main", conversation, "sales")
    image = (await desk.upload("sales", PNG)).id
    await desk.show("sales", conversation, image)
    await desk.transfer("sales", conversation, "sales2")
    assert await seen_by(desk, image) == {"buyer", "main", "manager", "sales", "sales2"}


async def test_a1_an_image_shown_to_two_exhibitors_is_seen_by_both_and_nobody_else(desk: Desk) -> None:
    image = (await desk.upload("buyer", PNG)).id
    for exhibitor in ("acme", "rival"):
        await desk.show("buyer", await desk.open("buyer", exhibitor), image)
    assert await seen_by(desk, image) == {"buyer", "main", "manager", "rival"}


async def test_c12_a_recalled_image_is_seen_by_nobody_and_its_files_go(desk: Desk) -> None:
    conversation = await desk.open("buyer")
    image = (await desk.upload("buyer", PNG)).id
    seq = await desk.show("buyer", conversation, image)
    await desk.call("buyer", "chat.recall", conversation=conversation, seq=seq)
    assert await seen_by(desk, image) == set()
    assert await desk.code("buyer", "chat.send", conversation=conversation, kind="image", image=image) == "not_found"
    assert len(files(desk)) == 2
    assert await sweep(desk, SETTLED_AFTER) == 1
    assert files(desk) == []
    assert await desk.value("image_bytes", desk.running.ground["buyer"].id) == 0
    assert await desk.value("images") == 0


async def test_c12_recalled_in_one_chat_an_image_stays_in_the_other(desk: Desk) -> None:
    image = (await desk.upload("buyer", PNG)).id
    acme, rival = await desk.open("buyer"), await desk.open("buyer", "rival")
    seq = await desk.show("buyer", acme, image)
    await desk.show("buyer", rival, image)
    await desk.call("buyer", "chat.recall", conversation=acme, seq=seq)
    assert await seen_by(desk, image) == {"buyer", "rival"}
    assert await sweep(desk, SETTLED_AFTER) == 0
    assert await seen_by(desk, image) == {"buyer", "rival"}
    await desk.show("buyer", acme, image)  # still one that may be sent


async def test_c4_what_is_never_sent_is_swept_after_a_day(desk: Desk) -> None:
    image = await desk.upload("buyer", PNG)
    assert await sweep(desk, UNSENT_FOR - timedelta(minutes=1)) == 0
    assert await seen_by(desk, image.id) == {"buyer"}
    await at(desk, UNSENT_FOR + timedelta(minutes=1)).sweep()
    assert await seen_by(desk, image.id) == set()  # marked: it can be neither seen nor sent from here on
    conversation = await desk.open("buyer")
    code = await desk.code("buyer", "chat.send", conversation=conversation, kind="image", image=image.id)
    assert code == "not_found"
    assert await sweep(desk, UNSENT_FOR + timedelta(minutes=2)) == 1
    assert files(desk) == []
    assert await desk.value("image_bytes", desk.running.ground["buyer"].id) == 0


async def test_c4_what_was_sent_is_not_swept(desk: Desk) -> None:
    image = (await desk.upload("buyer", PNG)).id
    await desk.show("buyer", await desk.open("buyer"), image)
    assert await sweep(desk, UNSENT_FOR * 30) == 0
    assert await seen_by(desk, image) == {"buyer", "main", "manager"}


async def test_c4_concurrent_uploads_never_pass_the_quota(desk: Desk) -> None:
    node = desk.running.node
    one = await desk.upload("buyer", PNG)
    tight = Images(
        node.works, node.ground.commands, ImageStore(), node.ground.store, node.services.image_worker,
        node.services.files, quota_bytes=one.bytes * 3 + 1,
    )  # fmt: skip
    caller, context = await desk.caller("buyer"), desk.context()

    async def upload() -> str:
        try:
            await tight.upload(caller, context, desk.request("chat.upload_image"), PNG)
        except Refused as error:
            return error.code
        return "ok"

    codes = await asyncio.gather(*(upload() for _ in range(8)))
    assert sorted(codes) == ["ok", "ok", *["quota_exceeded"] * 6]
    assert await desk.value("image_bytes", caller.account) == one.bytes * 3
    assert len(files(desk)) == 6


@pytest.mark.parametrize(
    ("data", "code"), [(b"", "bad_image"), (b"%PDF-1.7 not an image", "unsupported_kind"), (PNG[:60], "bad_image")]
)
async def test_c4_what_is_no_image_is_refused_and_costs_nothing(desk: Desk, data: bytes, code: str) -> None:
    with pytest.raises(Refused) as caught:
        await desk.upload("buyer", data)
    assert caught.value.code == code
    assert await desk.value("image_bytes", desk.running.ground["buyer"].id) == 0
    assert files(desk) == []


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The kernel refuses to write more into one file, as it does when the disk is full; for every user who runs the tests."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_c4_a_full_disk_is_temporary_and_leaves_nothing_half_written(desk: Desk) -> None:
    await desk.upload("buyer", PNG)  # the worker runs: what it writes to is no file
    with largest_file(50_000), pytest.raises(Unavailable) as caught:
        await desk.upload("buyer2", saved(noise(700, 700), "png"))
    assert caught.value.code == "storage_full"
    assert len(files(desk)) == 2
    assert await desk.value("images") == 1
    assert await desk.value("image_bytes", desk.running.ground["buyer2"].id) == 0
    await desk.upload("buyer2", PNG)


async def test_a4_the_organiser_sees_an_image_only_when_a_report_names_it_and_it_is_audited(desk: Desk) -> None:
    conversation = await desk.open("buyer")
    reported, other = (await desk.upload("buyer", PNG)).id, (await desk.upload("buyer", PNG)).id
    seq = await desk.show("buyer", conversation, reported)
    await desk.show("buyer", conversation, other)
    assert await desk.code("organiser", "chat.image", image=reported) == "not_found"
    await desk.call("main", "chat.report", conversation=conversation, seqs=[seq], reason="rude")
    assert await seen_by(desk, reported) == {"buyer", "main", "manager", "organiser"}
    assert await desk.code("organiser", "chat.image", image=other) == "not_found"
    assert await desk.value("audited", "report.image", desk.running.ground["organiser"].id) == 2  # image and thumbnail


async def test_a3_a7_who_may_not_write_does_not_upload(desk: Desk) -> None:
    for who in ("organiser", "exhibit"):
        with pytest.raises(Refused) as caught:
            await desk.upload(who, PNG)
        assert caught.value.code == "forbidden", who
