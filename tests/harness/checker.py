"""The checker: what a recorded history of sending and reading says about the promise of the wire.

*Accepted means durable; every device gets everything it may see, exactly once after dedup, in one order for all.* From
the history and the list of who had to see what (`Follow`), per conversation and device:

    lost         acked (or read by anybody, which proves it was stored) and not read here
    unexpected   read, and never attempted in this conversation
    refused      refused for good, and read all the same
    duplicate    one message read twice by a device, or stored under two seqs
    reordered    read out of the order of seq, or a client's later message numbered before its earlier one
    conflict     two messages under one seq: two devices were told different orders
    gap          a seq missing between two that were read
    differ       two devices of one account hold different messages
    leaked       read outside the seqs that this device may see (a former holder after the transfer)

An `unknown`, and an `invoke` whose client died before any answer, is never a failure, whichever way it went (W7).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.harness.recorder import Entry, Kind

__all__ = ["Finding", "Follow", "Report", "check"]


@dataclass(frozen=True, slots=True)
class Follow:
    """A device that had to see a conversation, from `first` to `last` seq (to the end, without a last)."""

    conversation: str
    account: str
    device: str
    first: int = 1
    last: int | None = None

    def covers(self, seq: int) -> bool:
        """Whether this device had to see the message of that seq."""
        return seq >= self.first and (self.last is None or seq <= self.last)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where."""

    what: str
    conversation: str
    device: str
    detail: str

    def __str__(self) -> str:
        return f"{self.what}: {self.conversation} on {self.device or 'any device'}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Report:
    """The counts, for the test's output, and the findings, which must be none."""

    attempted: int
    acked: int
    refused: int
    unknown: int
    read: int
    findings: tuple[Finding, ...]

    def count(self, what: str) -> int:
        """How many findings of one sort there are."""
        return sum(finding.what == what for finding in self.findings)

    def __str__(self) -> str:
        head = (
            f"{self.attempted} attempted, {self.acked} acked, {self.refused} refused, {self.unknown} unknown, "
            f"{self.read} read, {len(self.findings)} findings"
        )
        return "\n".join([head, *map(str, self.findings[:40])])

    def assert_clean(self) -> None:
        """Fail the test with the whole report if anything is wrong, or if nothing was proven."""
        assert self.acked, f"nothing was acknowledged, so nothing is proven: {self}"
        assert not self.findings, str(self)


@dataclass(slots=True)
class _Conversation:
    """One conversation's part of the history, sorted into what the findings need."""

    name: str
    invoked: set[str] = field(default_factory=set)
    acked: dict[str, int] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    seqs: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    holders: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    reads: dict[str, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    acks_of: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, entry: Entry) -> None:
        match entry.kind:
            case Kind.INVOKE:
                self.invoked.add(entry.id)
            case Kind.OK:
                self.acked[entry.id] = entry.seq
                self.acks_of[entry.device].append((entry.id, entry.seq))
                self._stored(entry.id, entry.seq)
            case Kind.FAIL:
                self.refused.add(entry.id)
            case Kind.READ:
                self.reads[entry.device].append((entry.seq, entry.id))
                self._stored(entry.id, entry.seq)
            case Kind.UNKNOWN:
                pass

    def _stored(self, message: str, seq: int) -> None:
        self.holders[seq].add(message)
        if message:
            self.seqs[message].add(seq)


def check(history: Iterable[Entry], follows: Sequence[Follow]) -> Report:
    """Judge a whole history. A device that is not in `follows` is only held to what it did read."""
    conversations: dict[str, _Conversation] = {}
    counts = dict.fromkeys(Kind, 0)
    answered: set[str] = set()
    for entry in history:
        counts[entry.kind] += 1
        if entry.kind in {Kind.OK, Kind.FAIL}:
            answered.add(entry.id)
        conversations.setdefault(entry.conversation, _Conversation(entry.conversation)).add(entry)
    findings: list[Finding] = []
    for name, conversation in conversations.items():
        here = [follow for follow in follows if follow.conversation == name]
        findings += _numbering(conversation)
        for device, reads in conversation.reads.items():
            findings += _reading(conversation, device, reads)
        for follow in here:
            findings += _following(conversation, follow)
        findings += _differing(conversation, here)
        findings += _leaking(conversation, here)
    attempted = sum(len(conversation.invoked) for conversation in conversations.values())
    return Report(
        attempted=attempted,
        acked=sum(len(conversation.acked) for conversation in conversations.values()),
        refused=sum(len(conversation.refused) for conversation in conversations.values()),
        unknown=attempted - len(answered),
        read=counts[Kind.READ],
        findings=tuple(findings),
    )


def _numbering(conversation: _Conversation) -> Iterator[Finding]:
    """One message, one seq; one seq, one message; a client's own messages in the order it sent them (W8)."""
    for message, seqs in conversation.seqs.items():
        if len(seqs) > 1:
            yield Finding("duplicate", conversation.name, "", f"{message} is stored under seqs {sorted(seqs)}")
    for seq, messages in conversation.holders.items():
        if len(messages) > 1:
            yield Finding("conflict", conversation.name, "", f"seq {seq} is {sorted(messages)}")
    for device, acks in conversation.acks_of.items():
        in_order_sent = sorted(dict(acks).items(), key=lambda ack: int(ack[0].rpartition("-")[2]))
        for (earlier, low), (later, high) in pairwise(in_order_sent):
            if low > high:
                yield Finding("reordered", conversation.name, device, f"{earlier} got {low}, {later} got {high}")


def _reading(conversation: _Conversation, device: str, reads: list[tuple[int, str]]) -> Iterator[Finding]:
    """What holds for everything a device read, whether or not it had to."""
    seen: set[str] = set()
    for seq, message in reads:
        key = message or f"system message {seq}"
        if key in seen:
            yield Finding("duplicate", conversation.name, device, f"{key} was read twice")
        seen.add(key)
        if message in conversation.refused and message not in conversation.acked:
            yield Finding("refused", conversation.name, device, f"{message} was refused, and read at {seq}")
        elif message and message not in conversation.invoked:
            yield Finding("unexpected", conversation.name, device, f"{message} at {seq} was never sent here")
    for (before, _), (after, message) in pairwise(reads):
        if after < before:
            yield Finding("reordered", conversation.name, device, f"{message} at {after} was read after {before}")


def _following(conversation: _Conversation, follow: Follow) -> Iterator[Finding]:
    """What holds for a device that had to see this conversation: nothing lost, no hole."""
    reads = conversation.reads.get(follow.device, [])
    read = {message for _, message in reads}
    owed = conversation.invoked - (conversation.refused - conversation.acked.keys())
    for message, seqs in conversation.seqs.items():
        if message in owed and message not in read and any(map(follow.covers, seqs)):
            how = "acked" if message in conversation.acked else "read by others"
            yield Finding("lost", conversation.name, follow.device, f"{message} at {min(seqs)} was {how}")
    covered = sorted({seq for seq, _ in reads if follow.covers(seq)})
    for before, after in pairwise([follow.first - 1, *covered]):
        if after > before + 1:
            yield Finding("gap", conversation.name, follow.device, f"nothing between {before} and {after}")


def _differing(conversation: _Conversation, follows: Sequence[Follow]) -> Iterator[Finding]:
    """Two devices of one account hold the same messages, where both had to."""
    devices: dict[str, list[Follow]] = defaultdict(list)
    for follow in follows:
        devices[follow.account].append(follow)
    for account, own in devices.items():
        for one, other in pairwise(own):
            both = [
                {
                    (seq, message)
                    for seq, message in conversation.reads.get(device, [])
                    if one.covers(seq) and other.covers(seq)
                }
                for device in (one.device, other.device)
            ]
            if both[0] != both[1]:
                odd = sorted(both[0] ^ both[1])[:5]
                detail = f"{account}'s other device {other.device} differs at {odd}"
                yield Finding("differ", conversation.name, one.device, detail)


def _leaking(conversation: _Conversation, follows: Sequence[Follow]) -> Iterator[Finding]:
    """Nothing is read beyond what a device may see; one device may follow in several stretches (taken back, C7)."""
    for device in {follow.device for follow in follows}:
        stretches = [follow for follow in follows if follow.device == device]
        for seq, message in conversation.reads.get(device, []):
            if not any(follow.covers(seq) for follow in stretches):
                yield Finding("leaked", conversation.name, device, f"{message or 'a system message'} at {seq}")
