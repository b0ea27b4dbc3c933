"""Whose address a request came from, and which address a rate limit counts. Pure, since proxies are easy to get wrong."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from fairwire_server.settings import Network

__all__ = ["LOCAL", "client_address", "is_loopback", "limit_key"]

LOCAL = "local"
"""A client without an address: it came by a Unix socket."""


def client_address(peer: str | None, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> str:
    """The address the nearest stranger spoke from.

    `X-Forwarded-For` is read from its end: each trusted proxy vouches for the one address before it, and anything a client
    wrote itself stands further left. A header that comes from elsewhere, or that is not an address, changes nothing.
    """
    if not trusted and peer and peer.replace(".", "").isdecimal():
        return peer  # from the system, nearly always: nothing else is there to be known
    current = _parsed(peer or "")
    if current is None:
        return peer or LOCAL
    hops = [hop.strip() for header in forwarded_for for hop in header.split(",")]
    while hops and _is_trusted(current, trusted):
        before = _parsed(hops.pop())
        if before is None:
            break
        current = before
    return str(current)


def limit_key(address: str) -> str:
    """What a rate limit counts: an IPv4 address, or the /64 that one IPv6 subscriber gets."""
    parsed = _parsed(address)
    return str(ip_network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else address


def is_loopback(address: str) -> bool:
    """Whether the address is this machine's own."""
    parsed = _parsed(address)
    return address == LOCAL or (parsed is not None and parsed.is_loopback)


def _is_trusted(address: IPv4Address | IPv6Address, trusted: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in trusted)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """`text` as an address: brackets, a port and a scope removed, IPv4 in IPv6 as IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
