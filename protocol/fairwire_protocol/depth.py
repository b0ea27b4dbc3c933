"""The bound on nesting (W15), checked before anything is built from a frame.

Both checks first count bytes that could open a container, which costs next to nothing; only a frame with more of them than
the bound is walked, and the walk keeps its own stack, so that no input can exhaust Python's.
"""

from __future__ import annotations

from typing import Final

from fairwire_protocol.errors import Refused

__all__ = ["DEPTH_MAX", "check_json_depth", "check_msgpack_depth"]

DEPTH_MAX: Final = 16
_CONTAINERS: Final = bytes([*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF])
_NOT_CONTAINERS: Final = bytes(set(range(256)) - set(_CONTAINERS))
# Bytes that follow the type byte: fixed sizes, and for strings and binaries how many bytes hold the length.
_FIXED: Final = {0xC0: 0, 0xC1: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2,
                 0xD2: 4, 0xD3: 8, 0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}  # fmt: skip
_SIZED: Final = {0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1), 0xD9: (1, 0),
                 0xDA: (2, 0), 0xDB: (4, 0)}  # fmt: skip
_COUNTED: Final = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def _too_deep(deepest: int) -> Refused:
    return Refused("malformed", f"nested deeper than {deepest}")


def check_msgpack_depth(data: bytes, deepest: int = DEPTH_MAX) -> None:
    """Raise `Refused("malformed")` when containers nest deeper than `deepest`. Broken bytes are left to the decoder."""
    if len(data.translate(None, _NOT_CONTAINERS)) <= deepest:
        return
    open_items: list[int] = []
    at, end = 0, len(data)
    while at < end:
        byte = data[at]
        at += 1
        items = -1
        if byte < 0x80 or byte >= 0xE0:
            pass
        elif byte < 0x90:
            items = (byte & 0x0F) * 2
        elif byte < 0xA0:
            items = byte & 0x0F
        elif byte < 0xC0:
            at += byte & 0x1F
        elif byte in _FIXED:
            at += _FIXED[byte]
        elif byte in _SIZED:
            width, extra = _SIZED[byte]
            at += width + extra + int.from_bytes(data[at : at + width], "big")
        else:
            width, per_item = _COUNTED[byte]
            items = int.from_bytes(data[at : at + width], "big") * per_item
            at += width
        if items >= 0:
            if len(open_items) >= deepest:
                raise _too_deep(deepest)
            if items:
                open_items.append(items)
                continue
        while open_items:
            open_items[-1] -= 1
            if open_items[-1] > 0:
                break
            open_items.pop()


def check_json_depth(data: bytes, deepest: int = DEPTH_MAX) -> None:
    """Raise `Refused("malformed")` when brackets outside strings nest deeper than `deepest`."""
    if data.count(b"[") + data.count(b"{") <= deepest:
        return
    depth = 0
    quoted = escaped = False
    for byte in data:
        if quoted:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                quoted = False
        elif byte == 0x22:
            quoted = True
        elif byte in b"[{":
            depth += 1
            if depth > deepest:
                raise _too_deep(deepest)
        elif byte in b"]}":
            depth -= 1
