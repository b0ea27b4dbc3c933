"""A mail as the bytes that leave: text and HTML, the invitation, and the headers that other machines read.

* RFC 6047: an iTIP object is one more alternative, with its method, and beside it a file for those who open attachments.
* RFC 8058: `List-Unsubscribe-Post` says that one POST ends such mails; N8 gives it to reminders alone.
* RFC 3834: `Auto-Submitted` keeps out-of-office replies away.
* RFC 5322 §3.6.4: mails of one meeting refer to the same id, which no mail has, so that they are one thread whichever came first.
* The Message-ID is made of the reference, so that a second try of the same mail is recognised as the same one (N4).

The few forms that occur are written by hand: the standard library's message objects took 7 ms for one mail, twenty times what its
delivery takes, and tens of thousands fall due in the same minute (N5). The tests read every mail with that library.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Iterator
from datetime import datetime
from email.utils import format_datetime, parseaddr
from typing import Final

from fairwire_server.notices.parcels import Mail

__all__ = ["MailWriter"]

LINE_MAX: Final = 990
"""RFC 5322 §2.1.1 allows 998."""
WORD_BYTES: Final = 39
"""Of text in one encoded word: 52 characters of base64, 64 with its frame, 73 after `Subject:` (RFC 2047 §2 allows 76)."""
LINE_BYTES: Final = 57
"""76 characters of base64 (RFC 2045 §6.8)."""
_NO_HEADER: Final = re.compile(r"[\x00-\x1f\x7f]")
_NO_ADDRESS: Final = re.compile(r"[\x00-\x20\x7f()<>\[\]:;,\\\"]")
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_PLAIN: Final = re.compile(r"[\x20-\x7e]*")
_ATOMS: Final = re.compile(r"[A-Za-z0-9 ._-]*")


class MailWriter:
    """Writes mails from one sender, a name and an address."""

    def __init__(self, sender: str) -> None:
        name, self.address = parseaddr(sender)
        self._domain = self.address.rpartition("@")[2] or "localhost"
        self._from = f"{_phrase(name)} <{self.address}>" if name else self.address

    def write(self, mail: Mail, to: str, at: datetime) -> bytes:
        """`mail` to that address, lines ending in CRLF; ASCII unless the address is not. `ValueError` for what no header can hold."""
        if _NO_ADDRESS.search(to) or (mail.unsubscribe is not None and not _PLAIN.fullmatch(mail.unsubscribe)):
            raise ValueError("address")
        boundary = f"=_{mail.reference.hex}"  # no line of base64 begins with `--`, and a text's own line never has this
        lines = [
            f"From: {self._from}",
            f"To: {to}",
            f"Subject: {_unstructured(mail.subject)}",
            f"Date: {format_datetime(at)}",
            f"Message-ID: <{mail.reference.hex}@{self._domain}>",
            "MIME-Version: 1.0",
            "Auto-Submitted: auto-generated",
            f"Content-Language: {_unstructured(mail.language)}",
        ]
        if mail.thread is not None:
            lines.append(f"References: <{mail.thread.hex}@{self._domain}>")
        if mail.unsubscribe is not None:
            lines += [f"List-Unsubscribe: <{mail.unsubscribe}>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click"]
        head = "\r\n".join(lines) + "\r\n"
        return head.encode() + b"".join(_body(mail, boundary))


def _body(mail: Mail, boundary: str) -> Iterator[bytes]:
    """The parts, each with its own head; the outermost one's head continues the mail's."""
    parts = [_text(mail.text, "text/plain")]
    if mail.html is not None:
        parts.append(_text(mail.html, "text/html"))
    if mail.calendar is None:
        yield parts[0] if len(parts) == 1 else _multipart("alternative", boundary, parts)
        return
    method = f"; method={mail.calendar_method}" if mail.calendar_method is not None else ""
    # RFC 6047 §2.4: the method stands in the part's type as it does in the object, and the charset is named.
    parts.append(_base64(mail.calendar, f'text/calendar; charset="utf-8"{method}'))
    # No `text/calendar`, or a client would act on the same invitation twice.
    file = _base64(mail.calendar, 'application/ics; name="meeting.ics"', 'attachment; filename="meeting.ics"')
    yield _multipart("mixed", f"{boundary}.m", [_multipart("alternative", boundary, parts), file])


def _multipart(kind: str, boundary: str, parts: list[bytes]) -> bytes:
    frame = f"--{boundary}\r\n".encode()
    head = f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\n\r\n'.encode()
    return head + b"".join(frame + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()


def _text(text: str, kind: str) -> bytes:
    """As it is where every server passes it on unchanged, else as base64."""
    lines = _LINE_END.split(text)  # not splitlines(), for which seven more characters end a line, and are gone
    if all(len(line) <= LINE_MAX and _PLAIN.fullmatch(line) for line in lines):
        head = f'Content-Type: {kind}; charset="utf-8"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n'
        return (head + "\r\n".join(lines) + "\r\n").encode()
    # CRLF before encoding: RFC 2045 §6.8, base64 of a text is that of its canonical form.
    canonical = "".join(f"{line}\r\n" for line in lines)
    return _base64(canonical.encode(errors="replace"), f'{kind}; charset="utf-8"')


def _base64(data: bytes, kind: str, disposition: str = "") -> bytes:
    head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n"
    head += f"Content-Disposition: {disposition}\r\n" if disposition else ""
    lines = [b2a_base64(data[at : at + LINE_BYTES], newline=False) + b"\r\n" for at in range(0, len(data), LINE_BYTES)]
    return f"{head}\r\n".encode() + b"".join(lines)


def _unstructured(text: str) -> str:
    """A header's value: plain, or as encoded words. `ValueError` for one that would end the line."""
    if _NO_HEADER.search(text):
        raise ValueError("header")
    if len(text) <= 60 and text.isascii() and "=?" not in text and text == text.strip():
        return text
    return "\r\n ".join(f"=?utf-8?b?{b2a_base64(word, newline=False).decode()}?=" for word in _words(text))


def _phrase(name: str) -> str:
    """A name before an address: words, a quoted string, or encoded words (RFC 5322 §3.4)."""
    if name.isascii() and "=?" not in name and not _NO_HEADER.search(name):
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return name if _ATOMS.fullmatch(name) else f'"{quoted}"'
    return _unstructured(name)


def _words(text: str) -> Iterator[bytes]:
    """Cut between characters, never inside one (RFC 2047 §5)."""
    word = b""
    for character in text:
        coded = character.encode(errors="replace")
        if len(word) + len(coded) > WORD_BYTES:
            yield word
            word = b""
        word += coded
    yield word
