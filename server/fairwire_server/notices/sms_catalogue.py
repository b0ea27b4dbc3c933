"""The catalogue of short messages: texts, variables and providers' template ids, checked when it is read (N7).

A carrier sends what it has approved and nothing else, so a text is not composed: it is a template of this catalogue and a few
short variables. Whatever could make a provider refuse it later is found here, all of it together: an unknown kind, language or
variable, a text that can grow past its segments, an address where a variable stands, a provider's id that is missing.
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Literal

import msgspec

from fairwire_server.notices.segment_rules import in_gsm, segments

__all__ = ["VARIABLES", "CatalogueError", "SmsCatalogue", "SmsKind", "Template", "default_catalogue", "read_catalogue"]

SmsKind = Literal["assigned", "reminder_day", "reminder_soon", "changed", "cancelled", "code"]
VARIABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "assigned": ("time", "room"),
    "reminder_day": ("time", "room"),
    "reminder_soon": ("time", "room"),
    "changed": ("time", "room"),
    "cancelled": ("time",),
    "code": ("code", "minutes"),
}
"""What the words of each kind may name; what is offered beside that is passed over."""
LONGEST: Final[Mapping[str, int]] = {"time": 20, "room": 12, "code": 8, "minutes": 3}
"""Characters; the carriers' own limits for variables are above these."""
LANGUAGES: Final = ("zh", "en")
PROVIDERS: Final = ("aliyun", "tencent")
"""Those that take a template's id and its variables. The others take texts."""
_SIGNATURE: Final = {"zh": "【{}】", "en": "[{}] "}
_SIGNATURE_MAX: Final = 18
_LINK: Final = re.compile(r"://|www\.|\.[a-z]{2,}(/|$|\W)", re.IGNORECASE)

_LINK_OF_ONE: Final = re.compile(r"\{platform\}[!-~]*\{|\}[!-~]*\{platform\}")


class CatalogueError(Exception):
    """Everything wrong with a catalogue, at once."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(faults))


class _Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    aliyun: str = ""
    tencent: str = ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: str
    signature: dict[str, str]
    segments: dict[str, int]
    kinds: dict[str, dict[str, _Words]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One kind in one language. `text` has its signature and the fixed address; only variables are left in it."""

    kind: str
    language: str
    text: str
    variables: tuple[str, ...]
    """In the order in which the text names them: the order of providers that count instead of naming."""
    ids: Mapping[str, str]

    def values(self, offered: Mapping[str, str]) -> dict[str, str]:
        """The variables of this template; `ValueError` for one that is missing, too long, holds a link or a line's end, or
        would change the encoding that the segments were counted in."""
        values: dict[str, str] = {}
        for name in self.variables:
            value = offered.get(name, "")
            plain = value.isprintable() and not _LINK.search(value)
            if not value or len(value) > LONGEST[name] or not plain or (self.language == "en" and not in_gsm(value)):
                raise ValueError(name)
            values[name] = value
        return values

    def filled(self, offered: Mapping[str, str]) -> str:
        """The whole text; raises as `values` does."""
        return self.text.format_map(self.values(offered))


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsCatalogue:
    """What `read_catalogue` found right."""

    version: str
    signature: Mapping[str, str]
    templates: Mapping[tuple[str, str], Template]

    def find(self, kind: str, language: str) -> Template:
        """The template for a reader of that language: Chinese for `zh…`, English for everybody else; `KeyError` for none."""
        return self.templates[kind, "zh" if language.partition("-")[0] == "zh" else "en"]


def default_catalogue(platform: str) -> SmsCatalogue:
    """The one that is shipped, for an installation at `platform`."""
    return read_catalogue(files(__package__).joinpath("sms_templates.toml").read_text("utf-8"), platform)


def read_catalogue(text: str, platform: str, provider: str = "") -> SmsCatalogue:
    """The catalogue that a TOML file describes; `CatalogueError` with all faults. Ids of `provider` must be there."""
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CatalogueError([f"{error}"]) from None
    platform = platform.removeprefix("https://").removeprefix("http://").rstrip("/")
    faults = list(_of_head(file))
    templates: dict[tuple[str, str], Template] = {}
    for kind in VARIABLES:
        for language in LANGUAGES:
            words = file.kinds.get(kind, {}).get(language)
            if words is None:
                faults.append(f"kinds.{kind}.{language}: Missing.")
                continue
            template, wrong = _template(kind, language, words, file, platform)
            if provider in PROVIDERS and not template.ids[provider]:
                wrong.append(f"The template's id at {provider} is missing.")
            faults += [f"kinds.{kind}.{language}: {fault}" for fault in wrong]
            templates[kind, language] = template
    if faults:
        raise CatalogueError(faults)
    return SmsCatalogue(version=file.version, signature=file.signature, templates=templates)


def _of_head(file: _File) -> Iterator[str]:
    for table, found in (("signature", set(file.signature)), ("segments", set(file.segments))):
        if found != set(LANGUAGES):
            yield f"{table}: Expected one for each of {', '.join(LANGUAGES)}."
    for language, signature in file.signature.items():
        if not 2 <= len(signature) <= _SIGNATURE_MAX or any(mark in signature for mark in "【】[]{}"):
            yield f"signature.{language}: Expected 2 to {_SIGNATURE_MAX} characters without brackets, which are added."
    for language, most in file.segments.items():
        if not 1 <= most <= 8:
            yield f"segments.{language}: Expected 1 to 8."
    for kind, languages in file.kinds.items():
        if kind not in VARIABLES:
            yield f"kinds.{kind}: There is no such kind; known are {', '.join(VARIABLES)}."
        for language in languages:
            if language not in LANGUAGES:
                yield f"kinds.{kind}.{language}: There is no such language; known are {', '.join(LANGUAGES)}."


def _template(kind: str, language: str, words: _Words, file: _File, platform: str) -> tuple[Template, list[str]]:
    """The template, and what is wrong with it."""
    faults: list[str] = []
    named = _names(words.text)
    if named is None:
        faults.append("The braces of the text do not fit.")
        named = []
    unknown = [name for name in named if name not in VARIABLES[kind] and name != "platform"]
    if unknown:
        faults.append(f"Unknown variable {', '.join(unknown)}; this kind has {', '.join(VARIABLES[kind])}, platform.")
    if _LINK.search(re.sub(r"\{[^{}]*\}", " ", words.text)):
        faults.append("An address in the text; the only one is {platform}.")
    if _LINK_OF_ONE.search(words.text):
        faults.append("A variable beside {platform}: carriers reject a link of its own for each message.")
    if not words.text.replace("\n", "").isprintable() or any(mark in words.text for mark in "【】"):
        faults.append("Control characters or 【】, which only the signature has.")
    variables = tuple(dict.fromkeys(name for name in named if name in LONGEST and not unknown))
    signature = _SIGNATURE[language].format(file.signature.get(language, ""))
    text = signature + words.text.replace("{platform}", platform)
    template = Template(
        kind=kind,
        language=language,
        text=text,
        variables=variables,
        ids={provider: getattr(words, provider) for provider in PROVIDERS},
    )
    most = file.segments.get(language, 1)
    if not faults:
        longest = text.format_map({name: "0" * LONGEST[name] for name in variables})
        if (needed := segments(longest).count) > most:
            faults.append(f"May take {needed} segments, {most} are allowed.")
        if language == "en" and segments(longest).encoding != "gsm7":
            faults.append("A character outside the GSM alphabet, which more than halves what fits.")
    return template, faults


def _names(text: str) -> list[str] | None:
    """The names in braces, in order; None where the braces make no sense or ask for more than a name."""
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:
        return None
    if any(name is not None and (not name.isidentifier() or spec or conversion) for _, name, spec, conversion in parts):
        return None
    return [name for _, name, _, _ in parts if name is not None]
