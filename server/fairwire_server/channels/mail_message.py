"""A mail as the bytes that leave: text and HTML, the invitation, and the headers that other machines read.

* RFC 6047: an iTIP object is one more alternative, with its method, and beside it a file for those who open attachments.
* RFC 8058: `List-Unsubscribe-Post` says that one POST ends such mails; N8 gives it to reminders alone.
* RFC 3834: `Auto-Submitted` keeps out-of-office replies away.
* The Message-ID is made of the reference, so that a second try of the same mail is recognised as the same one (N4).
"""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

from fairwire_server.notices.parcels import Mail

__all__ = ["message_bytes"]


def message_bytes(mail: Mail, sender: str, at: datetime, *, utf8: bool = False) -> bytes:
    """`mail` from `sender` (a name and an address), with CRLF. Raises `ValueError` for what no header can hold."""
    message = EmailMessage(policy=(SMTPUTF8 if utf8 else SMTP).clone(cte_type="7bit"))
    message["From"] = sender
    message["To"] = mail.to
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{mail.reference.hex}@{sender.rpartition('@')[2].rstrip('> ') or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"
    if mail.unsubscribe is not None:
        message["List-Unsubscribe"] = f"<{mail.unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(mail.text)
    if mail.html is not None:
        message.add_alternative(mail.html, subtype="html")
    if mail.calendar is not None:
        _invite(message, mail.calendar, mail.calendar_method)
    message["Content-Language"] = mail.language  # last: setting contents drops the headers of the ones before
    return message.as_bytes()


def _invite(message: EmailMessage, calendar: bytes, method: str | None) -> None:
    """RFC 6047 §2.4: the method stands in the part's type as it does in the object, and the charset is named.

    The attached copy is no `text/calendar`, or a client would act on the same invitation twice.
    """
    message.add_alternative(
        calendar.decode(), subtype="calendar", params={"method": method} if method is not None else None
    )
    message.add_attachment(calendar, maintype="application", subtype="ics", filename="meeting.ics")
