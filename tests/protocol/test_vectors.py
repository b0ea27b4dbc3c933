"""Golden vectors: plain libraries and ours read the same, and splicing an event equals encoding it (W1, W3)."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, get_args

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwire_protocol import events
from fairwire_protocol import frames as f
from fairwire_protocol.codec import CODECS, JSON, MSGPACK
from fairwire_protocol.operations import CATALOGUE
from fairwire_protocol.vectors import Vector, load
from tests.gates.tree import ROOT

VECTORS = load()
BY_NAME = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
CLIENT_TAGS = {kind.__struct_config__.tag for kind in get_args(f.ClientFrame)}


def typed(vector: Vector) -> tuple[object, object]:
    """What our types make of both forms."""
    family, name, *_ = vector.name.split("/")
    if family == "frame":
        client = name in CLIENT_TAGS
        of_json = JSON.decode_client_frame if client else JSON.decode_server_frame
        of_msgpack = MSGPACK.decode_client_frame if client else MSGPACK.decode_server_frame
        return of_json(bytes(vector.value)), of_msgpack(vector.bytes)
    if family == "event":
        kind: Any = events.FairEvent if name == "announcement" else events.AccountEvent
    else:
        kind = CATALOGUE[name].request if family == "request" else CATALOGUE[name].reply
    return JSON.decode(vector.value, kind), MSGPACK.decode(vector.bytes, kind)


@BY_NAME
def test_w1_plain_libraries_read_the_same_value_from_both_codecs(vector: Vector) -> None:
    assert msgpack.unpackb(vector.bytes) == json.loads(bytes(vector.value))


@BY_NAME
def test_w1_our_types_read_both_and_write_the_same_bytes(vector: Vector) -> None:
    of_json, of_msgpack = typed(vector)
    assert MSGPACK.encode(of_msgpack) == vector.bytes
    assert json.loads(JSON.encode(of_json)) == json.loads(bytes(vector.value))
    if "/call/" not in vector.name and not isinstance(of_json, f.Event | f.Reply | f.Error):  # those hold raw parts
        assert of_json == of_msgpack


def test_w1_there_is_a_vector_of_everything() -> None:
    names = {vector.name.rpartition("/")[0] for vector in VECTORS}
    frames = {f"frame/{kind.__struct_config__.tag}" for kind in (*get_args(f.ClientFrame), *get_args(f.ServerFrame))}
    kinds = (*get_args(events.AccountEvent), events.FairEvent)
    durable = {f"event/{kind.__struct_config__.tag}" for kind in kinds}
    requests = {f"request/{name}" for name in CATALOGUE}
    replies = {f"reply/{name}" for name, operation in CATALOGUE.items() if operation.binary != "reply"}
    assert frames | durable | requests | replies <= names


def test_the_file_is_what_the_types_say() -> None:
    """Stale? `python protocol/generate_vectors.py`, and look at the difference: it is a change of the wire."""
    command = [sys.executable, str(ROOT / "protocol" / "generate_vectors.py"), "--check"]
    assert subprocess.run(command, cwd=ROOT).returncode == 0


@given(
    st.sampled_from(list(CODECS.values())),
    st.sampled_from(["account", "fair"]),
    st.one_of(st.integers(0, 300), st.integers(0, 2**53 - 1), st.sampled_from([2**p + d for p in (7, 8, 16, 32) for d in (-1, 0, 1)])),
    st.sampled_from([vector for vector in VECTORS if vector.name.startswith("event/")]),
)  # fmt: skip
def test_w3_a_spliced_event_frame_equals_an_encoded_one(
    codec: object, stream: f.Stream, pos: int, vector: Vector
) -> None:
    assert codec in (MSGPACK, JSON)
    chosen = MSGPACK if codec is MSGPACK else JSON
    body = vector.bytes if chosen is MSGPACK else bytes(vector.value)
    spliced = chosen.event_frame(stream, pos, body)
    assert spliced == chosen.encode(f.Event(stream=stream, pos=pos, body=msgspec.Raw(body)))
    plain = msgpack.unpackb(spliced) if chosen is MSGPACK else json.loads(spliced)
    assert plain == {"t": "event", "stream": stream, "pos": pos, "body": json.loads(bytes(vector.value))}
