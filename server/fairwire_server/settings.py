"""Every setting of the server: one frozen value, read once from `FAIRWIRE_*` variables.

A setting is one line of `Settings`: name, type, bounds, default and the sentence that documents it. From that line come
the variable's name, its check, its row in the documents (`markdown_table`) and in `--help` (`help_text`). Reading never
stops at the first fault: `load` gathers all of them, each with its variable's name, into one `SettingsError`.
This is the only module that reads the environment.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, get_args, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from fairwire_server.settings_values import KIB, MIB, Network, read_value

__all__ = [
    "Fault",
    "Network",
    "SettingDoc",
    "Settings",
    "SettingsError",
    "describe",
    "environment_with",
    "from_environment",
    "help_text",
    "load",
    "markdown_table",
]

PREFIX: Final = "FAIRWIRE_"
_PLACE: Final = re.compile(r"\{(\w+)\}")


def _doc(text: str, ge: float | None = None, le: float | None = None) -> Meta:
    """The sentence of a setting and the bounds of its value."""
    return Meta(description=text, ge=ge, le=le)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator may choose. To add one: one line here, nothing elsewhere."""

    # where things are
    database_url: Annotated[str, _doc("PostgreSQL 15 to 18 as a postgresql:// URL; empty runs the embedded one.")] = ""
    redis_url: Annotated[
        str,
        _doc("Valkey or Redis 7 and later, for several nodes: redis://, rediss:// or unix://; empty: one node alone."),
    ] = ""
    data_dir: Annotated[Path, _doc("Folder of the embedded PostgreSQL, of images and of the outbox.")] = Path("./data")
    host: Annotated[str, _doc("Address that clients connect to.")] = "127.0.0.1"
    port: Annotated[int, _doc("Port that clients connect to; 0 takes a free one.", 0, 65535)] = 8080
    admin_host: Annotated[str, _doc("Address of metrics and health; keep it private.")] = "127.0.0.1"
    admin_port: Annotated[int, _doc("Port of metrics and health; 0 takes a free one.", 0, 65535)] = 8081
    public_url: Annotated[str, _doc("How the world reaches this server; empty: http://host:port.")] = ""

    # who is trusted
    secret: Annotated[
        str, _doc("Signs tokens and codes, 32 characters or more; empty: made once and kept in the database.")
    ] = ""
    allowed_origins: Annotated[tuple[str, ...], _doc("Browser origins let in, exact, by commas (W1).")] = ()
    trusted_proxies: Annotated[tuple[Network, ...], _doc("Networks whose forwarded addresses count, by commas.")] = ()
    access_token_s: Annotated[int, _doc("Life of an access token in seconds (W13).", 1, 900)] = 900
    refresh_token_days: Annotated[int, _doc("Life of a refresh token in days.", 1, 365)] = 30
    demo: Annotated[bool, _doc("A demo or bench installation: demo sign-ins shown, `token` allowed.")] = False

    # several nodes
    reuse_port: Annotated[bool, _doc("Share the port with other nodes on this machine (SO_REUSEPORT).")] = False
    background: Annotated[
        Literal["serve", "worker"],
        _doc("Who does what falls due (expiry, sweeps, pruning): each serve, or worker alone."),
    ] = "serve"

    # the database
    pool_min: Annotated[int, _doc("Database connections kept open.", 0, 1000)] = 2
    pool_max: Annotated[int, _doc("Database connections at most.", 1, 1000)] = 16
    # Not above 2.5 by default: with PostgreSQL frozen every request is answered within 3 s.
    command_timeout_s: Annotated[
        float, _doc("Seconds of a transaction or read, waiting for a connection included.", 0.1, 600)
    ] = 2.5
    lock_timeout_ms: Annotated[int, _doc("Longest wait for a row lock in milliseconds.", 1, 60_000)] = 2000

    # the rules of chat and contacts
    sub_account_limit: Annotated[int, _doc("Sub-accounts of an exhibitor (A2).", 0, 1000)] = 5
    text_max: Annotated[int, _doc("Characters of a text message (C4).", 1, 16_000)] = 4000
    image_max_bytes: Annotated[int, _doc("Size of an uploaded image (C4).", 1)] = 10 * MIB
    image_max_pixels: Annotated[int, _doc("Pixels of an uploaded image (C4).", 1)] = 40_000_000
    image_quota_bytes: Annotated[int, _doc("Images that one account may keep (C4).", 0)] = 500 * MIB
    recall_s: Annotated[int, _doc("A message may be recalled this long (C12).", 0)] = 120
    recent_max: Annotated[int, _doc("Entries of the recent list (K1).", 1, 300)] = 300
    pins_max: Annotated[int, _doc("Contacts that an account may pin (K4).", 0, 300)] = 50
    proposal_hours: Annotated[
        float,
        _doc("A proposal of another time waits this long for its answer, and never past either start (M7).", 0.01, 720),
    ] = 24.0
    offer_s: Annotated[int, _doc("An ask-first transfer waits this long for its answer (C8).", 1)] = 120
    waiting_minutes: Annotated[int, _doc("Minutes until an unanswered chat is shown to managers (C11).", 1)] = 15

    # the rules of meetings
    slot_batch_max: Annotated[int, _doc("Slots that one batch may plan (M1).", 1, 5000)] = 1000
    places_max: Annotated[int, _doc("Waiting lists that a buyer may stand in at once (M13).", 1, 1000)] = 50
    place_s: Annotated[int, _doc("A freed seat is held this long for the first in line (M13).", 1, 86_400)] = 900

    # the socket
    beat_interval_s: Annotated[float, _doc("Seconds between two beats (W11).", 0.05)] = 25.0
    beat_answer_s: Annotated[float, _doc("Seconds to answer a beat (W11).", 0.05)] = 8.0
    first_frame_s: Annotated[float, _doc("Seconds to say hello after connecting (W1).", 0.05)] = 10.0
    connecting_max: Annotated[
        int, _doc("Sockets that are brought up to date at once; they share a few statements.", 1, 1000)
    ] = 64
    connecting_wait_s: Annotated[
        float, _doc("Seconds that a socket waits for that; who would wait longer is told when to come back.", 0)
    ] = 3.0
    first_states_bytes: Annotated[
        int, _doc("Memory for first states that are sent again while their account's stream stands still; 0: none.", 0)
    ] = 128 * MIB
    presence_grace_s: Annotated[float, _doc("Seconds from the last socket's end to offline (W14).", 0)] = 20.0
    frame_max_bytes: Annotated[int, _doc("Size of an incoming frame (W15).", 1024, 16 * MIB)] = 64 * KIB
    queue_max_bytes: Annotated[int, _doc("Unsent bytes of a socket until it lags (W12).", 1024)] = 1 * MIB
    queue_max_frames: Annotated[int, _doc("Unsent frames of a socket until it lags (W12).", 1)] = 256
    lagging_max_s: Annotated[float, _doc("Seconds that a socket may lag until it is closed (W12).", 0.05)] = 10.0
    resume_window_hours: Annotated[float, _doc("Hours that events can be resumed (W6).", 0)] = 24.0
    resume_max_events: Annotated[int, _doc("Events resumed at most; more means a snapshot (W6).", 0)] = 1000
    devices_max: Annotated[int, _doc("Devices of an account online at once (W15).", 1)] = 10
    subscriptions_max: Annotated[int, _doc("Presence subscriptions of a socket (W10).", 1, 50)] = 50
    in_flight_max: Annotated[int, _doc("Requests of a socket in work at once (W8).", 1)] = 8

    # rates
    rate_factor: Annotated[
        float, _doc("Scales every rate limit of doors/limits.py; 0 turns them off (benches).", 0, 1e6)
    ] = 1.0
    search_index: Annotated[bool, _doc("Write the search index (C15); off in benches only.")] = True

    # mail
    smtp_host: Annotated[str, _doc("Mail server; empty: mail is shown on the local outbox page.")] = ""
    smtp_port: Annotated[int, _doc("Port of the mail server.", 1, 65535)] = 587
    smtp_user: Annotated[str, _doc("User at the mail server; empty: no sign-in.")] = ""
    smtp_password: Annotated[str, _doc("Password at the mail server.")] = ""
    smtp_from: Annotated[str, _doc("Sender of every mail; needed with a mail server.")] = ""
    smtp_starttls: Annotated[bool, _doc("Demand STARTTLS of the mail server.")] = True
    smtp_bounces: Annotated[
        str, _doc("Mailbox for bounces; every mail's envelope sender is it with a tag of its own; empty: `SMTP_FROM`.")
    ] = ""
    smtp_connections: Annotated[int, _doc("Connections to the mail server at most.", 1, 200)] = 8
    smtp_rate: Annotated[float, _doc("Mails a second that the mail server takes from all workers (N5).", 0.01, 1e5)] = (
        100.0
    )
    smtp_timeout_s: Annotated[float, _doc("Seconds to hand over one mail.", 0.1, 300)] = 20.0

    # short messages
    sms_daily_max: Annotated[
        int, _doc("Short messages to one number a day (UTC+8) that are no T−15 reminders (N7).", 1, 1000)
    ] = 10
    sms_provider: Annotated[
        Literal["", "outbox", "smpp", "aliyun", "tencent", "twilio"],
        _doc("Who sends short messages; empty: the outbox page without a mail server, else nobody."),
    ] = ""
    sms_key_id: Annotated[str, _doc("Aliyun's AccessKey id, Tencent's SecretId, Twilio's account SID.")] = ""
    sms_key_secret: Annotated[str, _doc("Aliyun's AccessKey secret, Tencent's SecretKey, Twilio's auth token.")] = ""
    sms_app_id: Annotated[str, _doc("Tencent's SmsSdkAppId.")] = ""
    sms_region: Annotated[str, _doc("Tencent's region.")] = "ap-guangzhou"
    sms_sender: Annotated[
        str, _doc("Who messages are from: a number, a short code, a name, or Twilio's messaging service.")
    ] = ""
    sms_endpoint: Annotated[str, _doc("Another address of the provider's interface; empty: its usual one.")] = ""
    sms_callback_token: Annotated[
        str, _doc("End of the address for Aliyun's and Tencent's reports, 24 characters or more; empty: no reports.")
    ] = ""
    sms_rate: Annotated[float, _doc("Messages a second that the provider takes from all workers (N5).", 0.01, 1e5)] = (
        50.0
    )
    sms_timeout_s: Annotated[float, _doc("Seconds to hand over one message.", 0.1, 300)] = 10.0
    sms_templates: Annotated[
        Path | None, _doc("Catalogue of short messages with providers' template ids, TOML; empty: the shipped one.")
    ] = None

    # short messages by SMPP 3.4
    smpp_host: Annotated[str, _doc("Message centre.")] = ""
    smpp_port: Annotated[int, _doc("Port of the message centre.", 1, 65535)] = 2775
    smpp_system_id: Annotated[str, _doc("Our account there.")] = ""
    smpp_password: Annotated[str, _doc("Its password.")] = ""
    smpp_system_type: Annotated[str, _doc("system_type, where the centre asks for one.")] = ""
    smpp_tls: Annotated[bool, _doc("Bind over TLS.")] = False
    smpp_window: Annotated[int, _doc("Requests under way at once.", 1, 1000)] = 10
    smpp_concatenation: Annotated[
        Literal["udh", "sar"], _doc("How parts are held together: a header in the text, or optional parameters.")
    ] = "udh"
    smpp_statuses: Annotated[
        tuple[str, ...],
        _doc("The centre's own statuses as `0x401=budget`, by commas: retry, busy, budget or final (N6)."),
    ] = ()
    # rooms
    room_provider: Annotated[
        Literal["template", "jitsi"], _doc("Where meetings take place: any address, or a Jitsi server (M8).")
    ] = "template"
    room_url: Annotated[
        str,
        _doc(
            "Address of a room, with {room} and maybe {booking} {name} {id} {role} {language}; of the Jitsi server; empty: none."
        ),
    ] = ""
    room_jitsi_app: Annotated[str, _doc("The Jitsi server's id of this application.")] = ""
    room_jitsi_secret: Annotated[str, _doc("Signs Jitsi tokens by HS256, 32 characters or more.")] = ""
    room_jitsi_key: Annotated[
        Path | None, _doc("Private RSA key in PEM that signs Jitsi tokens by RS256, as 8x8 asks for.")
    ] = None
    room_jitsi_key_id: Annotated[str, _doc("That key's id.")] = ""

    # operating
    log_level: Annotated[Literal["debug", "info", "warning", "error"], _doc("Least level logged.")] = "info"
    log_format: Annotated[
        Literal["auto", "json", "console"], _doc("Shape of the log; auto: console on a terminal, else JSON.")
    ] = "auto"
    drain_s: Annotated[float, _doc("Seconds that a stopping server waits for its work to end.", 0)] = 25.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong variable and what is wrong with it."""

    variable: str
    problem: str


class SettingsError(Exception):
    """Everything wrong with the environment, at once."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(f"{fault.variable}: {fault.problem}" for fault in faults))


@dataclass(frozen=True, slots=True)
class SettingDoc:
    """One row of the generated documents."""

    variable: str
    default: str
    text: str


def from_environment() -> Settings:
    """`load` over this process's environment."""
    return load(os.environ)


def environment_with(**changes: object) -> dict[str, str]:
    """This process's environment with some settings changed, for a process that it starts."""
    return {**os.environ, **{_variable(name): str(value) for name, value in changes.items()}}


def load(environ: Mapping[str, str]) -> Settings:
    """The settings that `environ` describes; raises `SettingsError` with all faults together. Empty means default."""
    hints = get_type_hints(Settings, include_extras=True)
    values: dict[str, object] = {}
    faults: list[Fault] = []
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in hints or variable != _variable(name):
            faults.append(Fault(variable, _did_you_mean(variable, hints)))
            continue
        if not (stripped := text.strip()):
            continue
        try:
            values[name] = read_value(hints[name], stripped)
        except ValueError as error:
            faults.append(Fault(variable, f"{str(error).rstrip('.')}."))
    wrong = {fault.variable for fault in faults}
    settings = Settings(**values)  # type: ignore[arg-type]  # each value was made by its field's own reader
    faults += [fault for fault in _contradictions(settings) if fault.variable not in wrong]
    if faults:
        raise SettingsError(sorted(faults, key=lambda fault: fault.variable))
    return settings


def describe() -> list[SettingDoc]:
    """Every setting with its default and its sentence, in the order of declaration."""
    hints = get_type_hints(Settings, include_extras=True)
    return [
        SettingDoc(_variable(field.name), _shown(field.default), _meta(hints[field.name]).description or "")
        for field in msgspec.structs.fields(Settings)
    ]


def markdown_table() -> str:
    """The table of docs/operating.md."""
    rows = [f"| `{row.variable}` | {f'`{row.default}`' if row.default else ''} | {row.text} |" for row in describe()]
    return "\n".join(["| variable | default | what it does |", "|---|---|---|", *rows, ""])


def help_text() -> str:
    """The same as plain text for `--help`, one setting a line."""
    return "\n".join(f"{row.variable}={row.default}\n    {row.text}" for row in describe())


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _meta(hint: object) -> Meta:
    return next(extra for extra in get_args(hint)[1:] if isinstance(extra, Meta))


def _shown(default: object) -> str:
    match default:
        case bool():
            return str(default).lower()
        case None:
            return ""
        case tuple():
            return ",".join(map(str, default))
        case Path():
            return f"./{default}"
        case _:
            return str(default)


def _did_you_mean(variable: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(variable.upper(), map(_variable, known), n=1, cutoff=0.7)
    return f"There is no such setting; did you mean {close[0]}?" if close else "There is no such setting."


def _contradictions(settings: Settings) -> Iterator[Fault]:
    """What only shows when the values are seen as what they mean, or beside each other."""
    if settings.database_url and not settings.database_url.startswith(("postgresql://", "postgres://")):
        yield Fault(_variable("database_url"), "Expected a postgresql:// URL.")
    if settings.redis_url and not settings.redis_url.startswith(("redis://", "rediss://", "unix:///")):
        yield Fault(_variable("redis_url"), "Expected a redis://, rediss:// or unix:/// URL.")
    if settings.secret and len(settings.secret) < 32:
        yield Fault(_variable("secret"), "Expected at least 32 characters.")
    for name in ("public_url", "allowed_origins"):
        value: str | tuple[str, ...] = getattr(settings, name)
        for url in filter(None, (value,) if isinstance(value, str) else value):
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query:
                yield Fault(_variable(name), f"Expected https://host without a path, found {url!r}.")
    yield from _room_faults(settings)
    if settings.pool_min > settings.pool_max:
        yield Fault(_variable("pool_min"), f"Larger than {_variable('pool_max')} ({settings.pool_max}).")
    if settings.beat_answer_s >= settings.beat_interval_s:
        yield Fault(_variable("beat_answer_s"), f"Not below {_variable('beat_interval_s')}.")
    if (
        settings.smtp_bounces.count("@") != (settings.smtp_bounces != "")
        or len(settings.smtp_bounces.split("@")[0]) > 14
    ):
        yield Fault(_variable("smtp_bounces"), "Expected name@domain, 14 characters before the @ at most.")
    yield from _of_messages(settings)
    if settings.smtp_host and not settings.smtp_from:
        yield Fault(_variable("smtp_from"), f"Needed when {_variable('smtp_host')} is set.")


def _of_messages(settings: Settings) -> Iterator[Fault]:
    """What a provider of short messages cannot work without."""
    needed = {
        "aliyun": ("sms_key_id", "sms_key_secret", "sms_templates"),
        "tencent": ("sms_key_id", "sms_key_secret", "sms_app_id", "sms_templates"),
        "twilio": ("sms_key_id", "sms_key_secret", "sms_sender"),
        "smpp": ("smpp_host", "smpp_system_id", "sms_sender"),
    }
    for name in needed.get(settings.sms_provider, ()):
        if not getattr(settings, name):
            yield Fault(_variable(name), f"Needed when {_variable('sms_provider')} is {settings.sms_provider}.")
    if settings.sms_callback_token and not re.fullmatch(r"[A-Za-z0-9_-]{24,200}", settings.sms_callback_token):
        yield Fault(_variable("sms_callback_token"), "Expected 24 to 200 letters, digits, _ or -.")
    if settings.sms_endpoint and not settings.sms_endpoint.startswith(("https://", "http://127.0.0.1:")):
        yield Fault(_variable("sms_endpoint"), "Expected an https:// address.")


def _room_faults(settings: Settings) -> Iterator[Fault]:
    url, parts = settings.room_url, urlsplit(settings.room_url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname or "{" in parts.netloc):
        yield Fault(_variable("room_url"), "Expected https://host with a path.")
    elif settings.room_provider == "template":
        unknown = set(_PLACE.findall(url)) - {"room", "booking", "name", "id", "role", "language"}
        if unknown or (url and not {"{room}", "{booking}"} & {f"{{{name}}}" for name in _PLACE.findall(url)}):
            yield Fault(_variable("room_url"), "Expected {room} in it, and no others than the documented ones.")
    else:
        if not url or not settings.room_jitsi_app:
            yield Fault(_variable("room_jitsi_app"), f"Needed for Jitsi, as is {_variable('room_url')}.")
        if settings.room_jitsi_key is None and len(settings.room_jitsi_secret) < 32:
            yield Fault(
                _variable("room_jitsi_secret"), f"Expected at least 32 characters, or {_variable('room_jitsi_key')}."
            )
