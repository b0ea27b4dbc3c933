"""C4: images are decoded in processes of their own; what kills or holds up one harms nobody else."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from fairwire_protocol.errors import Refused, Unavailable
from fairwire_server.chat.image_format import ImageLimits
from fairwire_server.chat.images import ImageWorker
from tests.images.samples import KINDS, announced_png, noise, picture, saved

NICE = 5  # what the process gives itself before it says that it is ready
SMALL = saved(picture(), "png")


def decoders() -> list[psutil.Process]:
    """The living processes of every worker of this test process."""
    found = []
    for child in psutil.Process().children():
        try:
            if child.status() != psutil.STATUS_ZOMBIE and "fairwire_server.chat.image_process" in child.cmdline():
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.fixture
def own_decoders() -> list[psutil.Process]:
    """Those that were there before the test, so that it counts only its own."""
    return decoders()


async def until(condition: Callable[[], bool]) -> None:
    """Looks at another process's state, or at what no event tells of, until it holds."""
    while not condition():  # noqa: ASYNC110 - nobody sets an Event for it
        await asyncio.sleep(0)


async def own(before: list[psutil.Process]) -> psutil.Process:
    """The one process that the test's worker has started, once it is there."""
    await until(lambda: bool(set(decoders()) - set(before)))
    (process,) = set(decoders()) - set(before)
    return process


async def at_work(process: psutil.Process) -> psutil.Process:
    """Returns once the process has started, given up its rights and then worked for longer than its start takes."""
    await until(lambda: process.nice() >= NICE)
    begun = process.cpu_times().user
    await until(lambda: process.cpu_times().user > begun + 0.3)
    return process


@pytest.mark.parametrize("kind", KINDS)
async def test_c4_every_kind_passes(worker: ImageWorker, kind: str) -> None:
    processed = await worker.process(saved(picture(), kind))
    assert (processed.kind, processed.width, processed.height, processed.thumbnail_kind) == (kind, 60, 40, "webp")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "bad_image"),
        (b"%PDF-1.7", "unsupported_kind"),
        (SMALL[:60], "bad_image"),
        (announced_png(2000, 2000), "bad_image"),
        (announced_png(100_000, 100_000), "too_large"),
        (SMALL + bytes(10 * 1024 * 1024), "too_large"),
    ],
    ids=["empty", "pdf", "truncated", "lying header", "bomb", "too many bytes"],
)
async def test_c4_what_is_no_image_is_refused(worker: ImageWorker, data: bytes, code: str) -> None:
    with pytest.raises(Refused) as caught:
        await worker.process(data)
    assert caught.value.code == code
    assert caught.value.final
    assert (await worker.process(SMALL)).kind == "png"


async def test_c4_the_process_is_started_for_the_first_image_and_ended(own_decoders: list[psutil.Process]) -> None:
    async with ImageWorker(processes=2) as worker:
        assert decoders() == own_decoders
        start = time.perf_counter()
        await worker.process(SMALL)
        print(f"start and first image: {(time.perf_counter() - start) * 1000:.0f} ms")
        process = await own(own_decoders)
        await asyncio.gather(*(worker.process(SMALL) for _ in range(6)))
        assert len(decoders()) == len(own_decoders) + 2
        assert process.is_running()
    assert decoders() == own_decoders


async def test_c4_a_process_knows_no_secret_and_can_write_nothing(own_decoders: list[psutil.Process]) -> None:
    async with ImageWorker(memory_bytes=1_000_000_000) as worker:
        await worker.process(SMALL)
        process = await own(own_decoders)
        assert set(process.environ()) <= {"PYTHONPATH", "LC_CTYPE"}
        assert process.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
        assert process.rlimit(psutil.RLIMIT_AS) == (1_000_000_000, 1_000_000_000)


async def test_c4_a_process_that_was_killed_is_replaced(own_decoders: list[psutil.Process]) -> None:
    async with ImageWorker() as worker:
        await worker.process(SMALL)
        first = await own(own_decoders)
        first.kill()
        assert (await worker.process(SMALL)).kind == "png"
        assert await own(own_decoders) != first


async def test_c4_a_process_killed_at_work_is_replaced_and_the_image_tried_again(
    own_decoders: list[psutil.Process],
) -> None:
    async with ImageWorker() as worker:
        await worker.process(SMALL)
        first = await own(own_decoders)
        job = asyncio.create_task(worker.process(saved(noise(4000, 4000), "jpeg", quality=30)))
        (await at_work(first)).kill()
        assert (await job).width == 4000


async def test_c4_an_image_that_kills_its_process_twice_is_a_bad_image(own_decoders: list[psutil.Process]) -> None:
    async with ImageWorker() as worker:
        await worker.process(SMALL)
        job = asyncio.create_task(worker.process(saved(noise(4000, 4000), "jpeg", quality=30)))
        first = await own(own_decoders)
        (await at_work(first)).kill()
        (await at_work(await own([*own_decoders, first]))).kill()
        with pytest.raises(Refused) as caught:
            await job
        assert caught.value.code == "bad_image"
        assert (await worker.process(SMALL)).kind == "png"


async def test_c4_an_image_that_takes_too_long_is_refused_and_its_process_killed(
    own_decoders: list[psutil.Process],
) -> None:
    async with ImageWorker(timeout_s=0.25) as worker:
        await worker.process(SMALL)
        first = await own(own_decoders)
        with pytest.raises(Refused) as caught:
            await worker.process(saved(noise(4000, 4000), "jpeg", quality=30))
        assert caught.value.code == "bad_image"
        assert not first.is_running()
        assert (await worker.process(SMALL)).kind == "png"


async def test_c4_memory_has_an_end() -> None:
    """A picture within the pixel cap that takes more than the process may have ends typed, and only itself."""
    async with ImageWorker(memory_bytes=300_000_000) as worker:
        with pytest.raises(Refused) as caught:
            await worker.process(saved(picture(6000, 6000), "png"))
        assert caught.value.code in {"too_large", "bad_image"}
        assert (await worker.process(SMALL)).kind == "png"


@pytest.mark.parametrize("executable", ["/nowhere/python", "/bin/false"])
async def test_c4_a_process_that_cannot_start_is_a_temporary_error(
    own_decoders: list[psutil.Process], monkeypatch: pytest.MonkeyPatch, executable: str
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    async with ImageWorker() as worker:
        with pytest.raises(Unavailable) as caught:
            await worker.process(SMALL)
        assert caught.value.code == "busy"
        assert decoders() == own_decoders


async def test_c4_too_many_in_line_are_told_to_come_back() -> None:
    async with ImageWorker(max_waiting=2) as worker:
        outcomes = await asyncio.gather(*(worker.process(SMALL) for _ in range(6)), return_exceptions=True)
        refused = [outcome for outcome in outcomes if isinstance(outcome, Unavailable)]
        assert len(refused) == 3
        assert {error.code for error in refused} == {"busy"}
        assert all(error.retry_after_ms for error in refused)


async def test_c4_a_caller_who_goes_away_leaves_no_stuck_process(own_decoders: list[psutil.Process]) -> None:
    async with ImageWorker() as worker:
        await worker.process(SMALL)
        first = await own(own_decoders)
        job = asyncio.create_task(worker.process(saved(noise(4000, 3000), "jpeg")))
        await until(lambda: not worker._idle)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        assert not first.is_running()
        assert (await worker.process(SMALL)).kind == "png"


async def test_c4_closing_answers_those_who_wait(own_decoders: list[psutil.Process]) -> None:
    worker = ImageWorker()
    await worker.process(SMALL)
    jobs = [asyncio.create_task(worker.process(saved(noise(4000, 4000), "jpeg", quality=30))) for _ in range(3)]
    await until(lambda: not worker._idle)
    await worker.close()
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    assert [error.code for error in outcomes if isinstance(error, Unavailable)] == ["draining"] * 3
    assert decoders() == own_decoders


async def test_c4_the_loop_goes_on_while_an_image_is_decoded(worker: ImageWorker) -> None:
    data = saved(noise(4000, 3000), "jpeg")
    turns = 0
    job = asyncio.create_task(worker.process(data))
    while not job.done():
        await asyncio.sleep(0)
        turns += 1
    assert (await job).width == 4000
    assert turns > 1000


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
async def test_c4_the_largest_image_fits_the_memory(worker: ImageWorker, kind: str, mode: str) -> None:
    if (kind, mode) == ("jpeg", "RGBA"):
        mode = "CMYK"
    options: dict[str, object] = {"quality": 5, "method": 0}
    side = int(ImageLimits().max_pixels ** 0.5)
    start = time.perf_counter()
    processed = await worker.process(saved(picture(side, side, mode), kind, **options))
    print(f"{kind} {mode} {side} x {side}: {time.perf_counter() - start:.1f} s")
    assert processed.width == side
