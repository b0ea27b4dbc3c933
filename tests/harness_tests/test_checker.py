"""The checker, seen red: every sort of damage planted in a sound history is named, and a sound one passes.

Without these, a checker that finds nothing would make every delivery test green.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.checker import Follow, check
from tests.harness.recorder import Entry, Kind, Recorder, load

FOLLOWS = [
    Follow("talk", "buyer", "phone"),
    Follow("talk", "buyer", "laptop"),
    Follow("talk", "seller", "desk"),
]


def sound(messages: int = 6) -> list[Entry]:
    """Two sides take turns; everything is acked and read by all three devices; seq 1 is a system message."""
    recorder = Recorder()
    phone, laptop, desk = (
        recorder.tape("buyer", "phone"),
        recorder.tape("buyer", "laptop"),
        recorder.tape("seller", "desk"),
    )
    for tape in (phone, laptop, desk):
        tape.read("talk", "", 1)
    for number in range(messages):
        sender = (phone, desk)[number % 2]
        message = sender.invoke("talk")
        sender.ok("talk", message, number + 2)
        for tape in (phone, laptop, desk):
            tape.read("talk", message, number + 2)
    return recorder.history()


def without(history: list[Entry], kind: Kind, device: str, message: str) -> list[Entry]:
    return [e for e in history if not (e.kind is kind and e.device == device and e.id == message)]


def where(history: list[Entry], kind: Kind, device: str, message: str) -> int:
    return next(i for i, e in enumerate(history) if e.kind is kind and e.device == device and e.id == message)


def lose(history: list[Entry]) -> list[Entry]:
    return without(history, Kind.READ, "desk", "phone-2")


def lose_the_last(history: list[Entry]) -> list[Entry]:
    return without(history, Kind.READ, "laptop", "desk-3")


def invent(history: list[Entry]) -> list[Entry]:
    return [*history, Entry(Kind.READ, "seller", "desk", "talk", "phone-99", 8)]


def misroute(history: list[Entry]) -> list[Entry]:
    return [*history, Entry(Kind.READ, "seller", "desk", "other talk", "phone-1", 1)]


def repeat(history: list[Entry]) -> list[Entry]:
    at = where(history, Kind.READ, "desk", "phone-2")
    return [*history[: at + 1], history[at], *history[at + 1 :]]


def store_twice(history: list[Entry]) -> list[Entry]:
    return [*history, *(Entry(Kind.READ, f.account, f.device, "talk", "phone-1", 8) for f in FOLLOWS)]


def swap_reads(history: list[Entry]) -> list[Entry]:
    first, second = where(history, Kind.READ, "desk", "phone-2"), where(history, Kind.READ, "desk", "desk-2")
    history = list(history)
    history[first], history[second] = history[second], history[first]
    return history


def swap_seqs(history: list[Entry]) -> list[Entry]:
    """Everybody agrees, and yet the sender's second message stands before its first."""
    seqs = {"phone-1": 4, "phone-2": 2}
    history = [msgspec.structs.replace(e, seq=seqs.get(e.id, e.seq)) if e.seq else e for e in history]
    return sorted(history, key=lambda e: (e.kind is Kind.READ, e.seq if e.kind is Kind.READ else 0))


def tell_another_order(history: list[Entry]) -> list[Entry]:
    seqs = {"phone-1": 3, "desk-1": 2}
    return [msgspec.structs.replace(e, seq=seqs.get(e.id, e.seq)) if e.device == "laptop" else e for e in history]


def skip_a_system_message(history: list[Entry]) -> list[Entry]:
    return without(history, Kind.READ, "laptop", "")


def deliver_refused(history: list[Entry]) -> list[Entry]:
    at = where(history, Kind.OK, "desk", "desk-3")
    return [*history[:at], Entry(Kind.FAIL, "seller", "desk", "talk", "desk-3"), *history[at + 1 :]]


DAMAGE: list[tuple[Callable[[list[Entry]], list[Entry]], set[str]]] = [
    (lose, {"lost", "gap"}),
    (lose_the_last, {"lost", "differ"}),
    (invent, {"unexpected"}),
    (misroute, {"unexpected"}),
    (repeat, {"duplicate"}),
    (store_twice, {"duplicate"}),
    (swap_reads, {"reordered"}),
    (swap_seqs, {"reordered"}),
    (tell_another_order, {"conflict", "reordered", "duplicate", "differ"}),
    (skip_a_system_message, {"gap", "differ"}),
    (deliver_refused, {"refused"}),
]


def test_a_sound_history_passes() -> None:
    report = check(sound(), FOLLOWS)
    report.assert_clean()
    assert (report.attempted, report.acked, report.unknown, report.read) == (6, 6, 0, 21)


@pytest.mark.parametrize(("damage", "expected"), DAMAGE, ids=[damage.__name__ for damage, _ in DAMAGE])
def test_planted_damage_is_found(damage: Callable[[list[Entry]], list[Entry]], expected: set[str]) -> None:
    report = check(damage(sound()), FOLLOWS)
    assert {finding.what for finding in report.findings} == expected, str(report)
    with pytest.raises(AssertionError):
        report.assert_clean()


@pytest.mark.parametrize("stored", [True, False], ids=["it happened", "it did not"])
@pytest.mark.parametrize("answer", [Kind.UNKNOWN, None], ids=["unknown", "client died"])
def test_no_answer_is_never_a_failure(stored: bool, answer: Kind | None) -> None:
    history = sound()
    history.append(Entry(Kind.INVOKE, "buyer", "phone", "talk", "phone-4"))
    if answer is not None:
        history.append(Entry(answer, "buyer", "phone", "talk", "phone-4"))
    if stored:
        history += [Entry(Kind.READ, f.account, f.device, "talk", "phone-4", 8) for f in FOLLOWS]
    report = check(history, FOLLOWS)
    report.assert_clean()
    assert report.unknown == 1


def test_an_unknown_message_that_one_device_read_is_owed_to_all() -> None:
    history = [*sound(), Entry(Kind.INVOKE, "buyer", "phone", "talk", "phone-4")]
    history.append(Entry(Kind.READ, "seller", "desk", "talk", "phone-4", 8))
    report = check(history, FOLLOWS)
    assert {(f.what, f.device) for f in report.findings} == {("lost", "phone"), ("lost", "laptop")}


def test_a_former_holder_is_owed_nothing_after_the_transfer_and_may_see_nothing() -> None:
    """C7, W3: the stretch of seqs a device may see is held from both sides."""
    stretch = [Follow("talk", "seller", "desk", last=4)]
    kept = [e for e in sound() if not (e.kind is Kind.READ and e.device == "desk" and e.seq > 4)]
    check(kept, stretch).assert_clean()
    leaked = check(sound(), stretch)
    assert {f.what for f in leaked.findings} == {"leaked"}
    assert leaked.count("leaked") == 3


def test_a_device_that_read_nothing_has_lost_everything() -> None:
    report = check(sound(), [Follow("talk", "seller", "tablet")])
    assert report.count("lost") == 6


def test_a_history_without_an_ack_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="nothing was acknowledged"):
        check([], FOLLOWS).assert_clean()


@given(drop=st.integers(0, 59), device=st.sampled_from(["phone", "laptop", "desk"]))
def test_any_single_missing_read_is_found(drop: int, device: str) -> None:
    history = sound(60)
    reads = [e for e in history if e.kind is Kind.READ and e.device == device and e.id]
    missing = reads[drop]
    report = check([e for e in history if e is not missing], FOLLOWS)
    assert ("lost", device) in {(f.what, f.device) for f in report.findings}


KILLED = """
import os, sys
from pathlib import Path
from tests.harness.recorder import Recorder
tape = Recorder(Path(sys.argv[1])).tape("buyer", "phone")
tape.ok("talk", tape.invoke("talk"), 1)
tape.invoke("talk")
os.kill(os.getpid(), 9)
"""


def test_a_killed_client_leaves_its_history(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=Path.cwd(), check=False)
    assert done.returncode == -signal.SIGKILL
    with path.open("ab") as file:
        file.write(b'{"kind":"ok","acc')  # a second client, cut while it wrote
    assert [(e.kind, e.id) for e in load([path])] == [
        (Kind.INVOKE, "phone-1"),
        (Kind.OK, "phone-1"),
        (Kind.INVOKE, "phone-2"),
    ]


def test_processes_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with Recorder(path) as one, Recorder(path) as other:
        first, second = one.tape("buyer", "phone"), other.tape("seller", "desk")
        for seq in range(1, 51):
            tape = (first, second)[seq % 2]
            tape.ok("talk", tape.invoke("talk"), seq)
        assert len(one.history()) == 100
    assert path.stat().st_mode & 0o077 == 0
