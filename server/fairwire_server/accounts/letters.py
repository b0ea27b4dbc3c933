"""What accounts write to somebody: a code, in the reader's language (A8, A9)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

__all__ = ["AddressKind", "Letter", "Purpose", "code_letter", "kind_of"]

AddressKind = Literal["email", "mobile"]
Purpose = Literal["sign_in", "verify", "change", "activate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """To one address, as plain text. Its `repr` tells no address and no code, so that no log does."""

    kind: AddressKind
    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    language: str = "zh"
    code: str = field(repr=False)
    minutes: int
    """How long the code opens something. A short message says no more than these two (N7)."""


_ZH: Final[dict[Purpose, str]] = {
    "sign_in": "用于登录",
    "verify": "用于验证此地址",
    "change": "用于将您的登记地址更改为 {about}。如非本人操作，请勿告诉任何人，并修改密码",
    "activate": "用于激活您的账号并设置密码",
}
_EN: Final[dict[Purpose, str]] = {
    "sign_in": "It signs you in.",
    "verify": "It verifies this address.",
    "change": "It changes your registered address to {about}. If that was not you, tell nobody the code and change your password.",
    "activate": "It activates your account and sets its password.",
}


def kind_of(address: str) -> AddressKind:
    """Which kind a normalised address is."""
    return "email" if "@" in address else "mobile"


def code_letter(purpose: Purpose, address: str, code: str, minutes: int, language: str, about: str = "") -> Letter:
    """The letter that carries a code. `about` is the new address that a `change` code allows."""
    if language.partition("-")[0] == "zh":
        subject = f"验证码：{code}"
        text = f"您的验证码是 {code}，{minutes} 分钟内有效，{_ZH[purpose].format(about=about)}。"
    else:
        subject = f"Your code: {code}"
        text = f"Your code is {code}, for {minutes} minutes. {_EN[purpose].format(about=about)}"
    return Letter(
        kind=kind_of(address), to=address, subject=subject, text=text, language=language, code=code, minutes=minutes
    )
