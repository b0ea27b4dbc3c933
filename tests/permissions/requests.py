"""The requests of the table: for each operation what is sent, with the id of one place in one field and all else in order.

A request is such that nothing but permission stands in its way: a column that may, succeeds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

from tests.images.samples import picture, saved
from tests.permissions.table import Row
from tests.permissions.world import PASSWORD, World

__all__ = ["KIND_OF_FIELD", "request_of", "upload_of"]

KIND_OF_FIELD = {
    "to": "account",
    "handover_to": "account",
    "holder": "account",
    "buyer": "account",
    "conversation": "conversation",
    "account": "account",
    "exhibitor": "exhibitor",
    "exhibit": "exhibit",
    "image": "image",
    "offer": "offer",
    "report": "report",
    "notice": "notice",
    "session": "session",
    "section": "section",
    "slot": "slot",
    "place": "place",
    "booking": "booking",
    "proposal": "proposal",
    "receiver": "account",
    "invitation": "invitation",
    "guest": "guest",
}
"""Which kind of thing an id field names; `fair` and `subjects` are built by hand."""

Args = dict[str, Any]
_number = count(1)
WRITES_IN = {
    "buyer": "held",
    "other_buyer": "colleague",
    "main": "colleague",
    "holder": "held",
    "other_exhibitor": "rival",
    "other_fair": "far",
}
"""Where a column may send: that an image is refused must have no other reason."""
SUBJECTS = {
    "acme": ("exhibitor", "acme"), "rival": ("exhibitor", "rival"), "far": ("exhibitor", "far"),
    "acme_account": ("account", "acme"), "rival_account": ("account", "rival"), "far_account": ("account", "far"),
    "buyer": ("account", "buyer"), "other_buyer": ("account", "other_buyer"), "far_buyer": ("account", "far_buyer"),
    "stranger": ("account", "visitor"), "unknown": ("account", "unknown"),
}  # fmt: skip
PLACES = {("buyer", "stranger"): "visitor", ("buyer", "far"): "far_buyer"}
"""Places whose account has another name in the world."""


def upload_of(op: str) -> bytes | None:
    """The body of an operation whose request is bytes."""
    return saved(picture(8, 8), "png") if op == "chat.upload_image" else None


def request_of(world: World, row: Row, column: str) -> Args:
    """What is sent for a cell."""
    args = BUILDERS.get(row.operation, _nothing)(world, row, column)
    if row.field in KIND_OF_FIELD:
        place = PLACES.get((row.field, row.place), row.place)
        args[row.field] = world.id(KIND_OF_FIELD[row.field], place, column)
    return args


def _nothing(world: World, row: Row, column: str) -> Args:
    return {}


def _constant(**args: Any) -> Callable[[World, Row, str], Args]:
    return lambda world, row, column: dict(args)


def _sign_in(world: World, row: Row, column: str) -> Args:
    return {"fair": "one", "login": "spare.acme", "password": PASSWORD, "device": "d"}


def _by_code(world: World, row: Row, column: str) -> Args:
    return {"fair": "one", "address": f"{column}.{next(_number)}@nowhere.test", "code": "000000", "device": "d"}


def _code(world: World, row: Row, column: str) -> Args:
    return {"fair": "one", "address": f"{column}.{next(_number)}@nowhere.test"}


def _activate(world: World, row: Row, column: str) -> Args:
    return {"fair": "one", "login": f"{column}.{next(_number)}", "code": "000000", "password": PASSWORD}


def _activation(world: World, row: Row, column: str) -> Args:
    return {"fair": "one", "login": f"{column}.{next(_number)}"}


def _register(world: World, row: Row, column: str) -> Args:
    return {"fair": "one", "login": f"new.{next(_number)}", "password": PASSWORD, "name": "New", "device": "d"}


def _refresh(world: World, row: Row, column: str) -> Args:
    return {"refresh_token": world.refresh_token}


def _fair(world: World, row: Row, column: str) -> Args:
    return {"fair": row.place}


def _address(world: World, row: Row, column: str) -> Args:
    return {"address": f"{column}.{next(_number)}@elsewhere.test"}


def _create(world: World, row: Row, column: str) -> Args:
    return {"kind": "business", "login": f"new.{next(_number)}", "name": "New", "password": PASSWORD}


def _member(world: World, row: Row, column: str) -> Args:
    return {"account": world.ids["account", "holder"]}


def _update_member(world: World, row: Row, column: str) -> Args:
    return _member(world, row, column) | ({"kind": "exhibit"} if row.field == "handover_to" else {"name": "Renamed"})


def _open(world: World, row: Row, column: str) -> Args:
    return {"exhibitor": world.ids["exhibitor", "acme"]}


def _send(world: World, row: Row, column: str) -> Args:
    if row.field == "image":
        return {"conversation": world.ids["conversation", WRITES_IN.get(column, "held")], "kind": "image"}
    return {"text": "hello"}


def _seq(world: World, row: Row, column: str) -> Args:
    return {"seq": world.seqs.get(row.place, 1)}


def _report(world: World, row: Row, column: str) -> Args:
    return {"seqs": [world.seqs.get(row.place, 1)], "reason": "rude"}


def _transfer(world: World, row: Row, column: str) -> Args:
    target = {"rival": "rival", "far": "far"}.get(row.place, "acme")
    return {"conversation": world.ids["conversation", "held"], "to": world.ids["account", target]}


def _subjects(world: World, row: Row, column: str) -> Args:
    kind, place = SUBJECTS[row.place]
    return {"subjects": [{"kind": kind, "id": world.ids[kind, place]}]}


def _new_slot(world: World, row: Row, column: str) -> Args:
    return {"starts_at": world.half_hour(days=20)}


def _new_slots(world: World, row: Row, column: str) -> Args:
    day = datetime.fromtimestamp(world.half_hour(days=30) / 1000, UTC).date().isoformat()
    return {"first": day, "last": day, "start": "09:00", "end": "10:00"}


def _moved_slot(world: World, row: Row, column: str) -> Args:
    return {"starts_at": world.half_hour(days=40)}


def _in_slot(world: World, row: Row, column: str) -> Args:
    return {"slot": world.ids["slot", "acme"]}


def _booking(world: World, row: Row, column: str) -> Args:
    return {"booking": world.ids["booking", "pending"]}


def _assign(world: World, row: Row, column: str) -> Args:
    target = {"rival": "rival", "far": "far"}.get(row.place, "acme")
    receiver = world.ids["account", target]
    return _booking(world, row, column) | {"receiver": receiver, "confirm_unreachable": True}


def _propose(world: World, row: Row, column: str) -> Args:
    place = row.place if row.place in {"rival", "far"} else "acme"
    return _booking(world, row, column) | {"slot": world.ids["slot", place]}


def _of_held(world: World, row: Row, column: str) -> Args:
    return {"booking": world.ids["booking", "held"]}


def _uninvite(world: World, row: Row, column: str) -> Args:
    return _of_held(world, row, column) | {"account": world.ids["account", "acme"]}


def _schedule(world: World, row: Row, column: str) -> Args:
    return {"whose": "everyone", "since": world.half_hour(days=60), "until": world.half_hour(days=90)}


BUILDERS: dict[str, Callable[[World, Row, str], Args]] = {
    "auth.sign_in": _sign_in,
    "auth.request_code": _code,
    "auth.sign_in_by_code": _by_code,
    "auth.request_activation": _activation,
    "auth.activate": _activate,
    "auth.refresh": _refresh,
    "auth.register": _register,
    "fair.show": _fair,
    "account.update": _constant(language="en"),
    "account.change_password": _constant(current="not this one", new="another password"),
    "account.request_address": _address,
    "account.verify_address": lambda world, row, column: _address(world, row, column) | {"code": "000000"},
    "buyer.update_profile": _constant(country="CL"),
    "team.create": _create,
    "team.update": _update_member,
    "team.remove": _member,
    "organiser.find_accounts": _constant(query="main"),
    "organiser.suspend": _constant(suspended=True),
    "organiser.silence": _constant(until=4_000_000_000_000),
    "organiser.set_capabilities": _constant(capabilities={"business": {"customer_base": "no"}}),
    "organiser.set_keywords": _constant(keywords=[{"word": "zzzz", "action": "flag"}]),
    "fair.announce": _constant(title="Welcome"),
    "chat.open": _open,
    "chat.send": _send,
    "chat.search": _constant(query="motorcycle"),
    "chat.read": _seq,
    "chat.recall": _seq,
    "chat.block": _constant(blocked=True),
    "chat.transfer": _transfer,
    "chat.answer_offer": _constant(accept=True),
    "chat.report": _report,
    "contacts.star": _constant(starred=True),
    "contacts.pin": _constant(pinned=True),
    "presence.watch": _subjects,
    "presence.query": _subjects,
    "presence.set": _constant(state="busy"),
    "bookings.assign": _assign,
    "bookings.reject": _constant(reason="no"),
    "bookings.cancel": _constant(reason="no"),
    "bookings.propose": _propose,
    "bookings.answer_proposal": _constant(accept=True),
    "meetings.schedule": _schedule,
    "meetings.invite": _of_held,
    "meetings.uninvite": _uninvite,
    "meetings.attendance": _constant(side="team", attendance="attended"),
    "slots.create": _new_slot,
    "slots.create_batch": _new_slots,
    "slots.edit": _moved_slot,
    "bookings.request": _in_slot,
    "bookings.wait": _in_slot,
    "bookings.answer_place": _constant(accept=False),
}
