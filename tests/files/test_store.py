"""C4: files are stored whole or not at all, and never outside their folder."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairwire_protocol.errors import Refused, Unavailable
from fairwire_server.files.store import FileStore


@pytest.fixture
async def store(tmp_path: Path) -> FileStore:
    store = FileStore(tmp_path / "files")
    await store.prepare()
    return store


def stored_files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


async def test_c4_bytes_come_back_as_they_were(store: FileStore) -> None:
    for data in (b"", b"x", os.urandom(3_000_000)):
        await store.put("images/ab/one.webp", data)
        assert await store.read("images/ab/one.webp") == data
        assert (await store.path("images/ab/one.webp")).read_bytes() == data


async def test_c4_a_deleted_file_is_not_found(store: FileStore) -> None:
    await store.put("a", b"1")
    await store.delete("a")
    await store.delete("a")
    for look in (store.read, store.path):
        with pytest.raises(Refused) as caught:
            await look("a")
        assert caught.value.code == "not_found"


@pytest.mark.parametrize("key", ["folder", "folder/a/b", "folder/a/b/c"])
async def test_c4_a_key_that_is_a_folder_or_below_a_file_is_not_found(store: FileStore, key: str) -> None:
    await store.put("folder/a/file", b"1")
    for look in (store.read, store.path):
        with pytest.raises(Refused):
            await look(key)


BAD_KEYS = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../x",
    "a/../../x",
    "a//b",
    "a/",
    ".hidden",
    "a/.b",
    "a\x00",
    "a\n",
    "A",
    "é",
]
BAD_KEYS += ["a\\b", "~", "a b", "-", "x" * 101, "/".join("abcdefghi"), ".unfinished/x", "a/./b"]


@pytest.mark.parametrize("key", BAD_KEYS)
async def test_c4_a_key_that_could_leave_the_folder_is_no_key(store: FileStore, tmp_path: Path, key: str) -> None:
    for call in (store.read, store.path, store.delete, lambda key: store.put(key, b"1")):
        with pytest.raises(ValueError, match="is not a key"):
            await call(key)
    assert stored_files(tmp_path) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text() | st.text("ab./\\\x00~", max_size=12))
def test_c4_no_key_names_a_place_outside(tmp_path: Path, key: str) -> None:
    root = tmp_path / "files"
    try:
        place = FileStore(root)._place(key)
    except ValueError:
        return
    assert Path(os.path.normpath(place)).is_relative_to(root)
    assert os.path.normpath(place) == str(place)


async def test_c4_writers_of_one_key_leave_one_whole_file(store: FileStore, tmp_path: Path) -> None:
    contents = [bytes([number]) * 200_000 for number in range(8)]
    await asyncio.gather(*(store.put("same/key", content) for content in contents))
    assert await store.read("same/key") in contents
    assert len(stored_files(tmp_path)) == 1


async def test_c4_half_written_files_of_a_crash_are_cleared(store: FileStore, tmp_path: Path) -> None:
    await store.put("kept", b"1")
    (tmp_path / "files" / ".unfinished" / "left").write_bytes(b"half")
    await FileStore(tmp_path / "files").prepare()
    assert [path.name for path in stored_files(tmp_path)] == ["kept"]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_c4_no_room_is_a_temporary_error_and_leaves_nothing(store: FileStore, tmp_path: Path) -> None:
    """The kernel refuses to write on: here by the process's limit, for every user who runs the tests."""
    await store.put("a", b"old")
    with largest_file(50_000), pytest.raises(Unavailable) as caught:
        await store.put("a", b"x" * 100_000)
    assert caught.value.code == "storage_full"
    assert caught.value.retry_after_ms is not None
    assert await store.read("a") == b"old"
    assert len(stored_files(tmp_path)) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run([mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], check=False).returncode
    ):
        pytest.skip("only root may mount a small disk here")
    yield disk
    subprocess.run(["umount", disk], check=True)


async def test_c4_a_full_disk_is_a_temporary_error_and_heals(small_disk: Path) -> None:
    store = FileStore(small_disk / "files")
    await store.prepare()
    await store.put("a", b"x" * 100_000)
    with pytest.raises(Unavailable) as caught:
        await store.put("b", b"x" * 250_000)
    assert caught.value.code == "storage_full"
    assert len(stored_files(small_disk)) == 1
    await store.delete("a")
    await store.put("b", b"x" * 150_000)
    assert len(await store.read("b")) == 150_000


async def test_c4_a_store_that_was_not_prepared_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await FileStore(tmp_path / "nowhere").put("a", b"1")
