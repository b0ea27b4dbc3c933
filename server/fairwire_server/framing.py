"""A WebSocket frame around a payload: for the hub, which prepares frames, and for the door, which turns clients away."""

from __future__ import annotations

__all__ = ["websocket_frame", "websocket_head"]


def websocket_frame(payload: bytes, *, binary: bool) -> bytes:
    """A whole, unmasked, unfragmented server frame (RFC 6455 §5.2)."""
    return websocket_head(len(payload), binary=binary) + payload


def websocket_head(size: int, *, binary: bool) -> bytes:
    """What stands before a payload of that size."""
    head = 0x82 if binary else 0x81
    if size < 126:
        return bytes((head, size))
    if size < 65_536:
        return bytes((head, 126, size >> 8, size & 0xFF))
    return bytes((head, 127)) + size.to_bytes(8, "big")
