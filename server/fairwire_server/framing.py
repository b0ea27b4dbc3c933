"""A WebSocket frame around a payload: for the hub, which prepares frames, and for the door, which turns clients away."""

from __future__ import annotations

__all__ = ["websocket_frame"]


def websocket_frame(payload: bytes, *, binary: bool) -> bytes:
    """A whole, unmasked, unfragmented server frame (RFC 6455 §5.2)."""
    head = 0x82 if binary else 0x81
    size = len(payload)
    if size < 126:
        return bytes((head, size)) + payload
    if size < 65_536:
        return bytes((head, 126, size >> 8, size & 0xFF)) + payload
    return bytes((head, 127)) + size.to_bytes(8, "big") + payload
