"""Bounces, as the mail server that gets them passes them on: one POST each, to an address that ends with the tagged one.

The tag is the proof: nobody can name a mail that we did not send, and who can name one may only say what became of that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fairwire_server.channels.bounce_rules import BounceTags, read_bounce
from fairwire_server.notices.parcels import Callback, CallbackRefused, Receipt

__all__ = ["BounceReports"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceReports:
    """Reads what `python -m fairwire_server bounce` passes on."""

    tags: BounceTags
    provider: str
    """The channel's name, which receipts of its mails carry."""
    name: str = "bounce"
    signature_header: str = ""
    answer: bytes = b"{}"

    def read(self, callback: Callback, now: datetime) -> Sequence[Receipt]:
        """The one receipt, if the mail is a bounce that says something final."""
        reference = self.tags.reference(callback.token)
        if reference is None:
            raise CallbackRefused("token")
        bounce = read_bounce(callback.body, reference)
        if bounce is None:
            return []
        return [
            Receipt(
                provider=self.provider,
                reference=reference.hex,
                notice=reference,
                outcome=bounce.outcome,
                reason=bounce.reason,
                at=now,
            )
        ]
