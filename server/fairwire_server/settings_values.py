"""What stands in a variable, as a value: numbers, sizes, switches, lists, networks, by the type that a setting is annotated with."""

from __future__ import annotations

import math
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final, Literal, get_args, get_origin

import msgspec

__all__ = ["KIB", "MIB", "Network", "read_value"]

KIB: Final = 1024
MIB: Final = 1024 * KIB

Network = IPv4Network | IPv6Network


def read_value(hint: object, text: str) -> object:
    """`text` as the type that `hint` annotates; a ValueError says what was expected."""
    kind = get_args(hint)[0]
    if kind is Path or Path in get_args(kind):
        return Path(text)
    if kind is bool:
        return _switch(text)
    if get_origin(kind) is tuple:
        parse: Callable[[str], object] = str if get_args(kind)[0] is str else _network
        return tuple(parse(item.strip()) for item in text.split(",") if item.strip())
    if get_origin(kind) is Literal and text not in get_args(kind):
        raise ValueError(f"Expected one of {', '.join(get_args(kind))}")
    return msgspec.convert(_number(kind, text) if kind in (int, float) else text, hint)


def _switch(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if text.lower() not in words:
        raise ValueError("Expected true or false")
    return words[text.lower()]


def _number(kind: object, text: str) -> int | float:
    """Sizes may be written as `10MiB`, and digits grouped by underscores."""
    for unit, factor in (("kib", KIB), ("mib", MIB), ("gib", 1024 * MIB)):
        if kind is int and text.lower().endswith(unit) and (digits := text[: -len(unit)].strip()).isdecimal():
            return int(digits) * factor
    try:
        number = int(text) if kind is int else float(text)
    except ValueError:
        raise ValueError("Expected a whole number" if kind is int else "Expected a number") from None
    if not math.isfinite(number):
        raise ValueError("Expected a finite number")
    return number


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a network such as 10.0.0.0/8 or fd00::/8") from None
