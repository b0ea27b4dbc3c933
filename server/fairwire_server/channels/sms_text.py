"""A short message put into words: every provider sends from the one catalogue (N7)."""

from __future__ import annotations

from fairwire_server.notices.parcels import Parcel, Sms, Undeliverable
from fairwire_server.notices.sms_catalogue import SmsCatalogue, Template

__all__ = ["words_of"]


def words_of(parcel: Parcel, catalogue: SmsCatalogue) -> tuple[Sms, Template, str]:
    """The message, its template and its whole text. `Undeliverable` for what is none, and for words no provider would take."""
    if not isinstance(parcel, Sms):
        raise Undeliverable("not_a_short_message")
    try:
        template = catalogue.find(parcel.template, parcel.language)
        return parcel, template, template.filled(parcel.variables)
    except KeyError:
        raise Undeliverable("template") from None
    except ValueError as error:
        raise Undeliverable(f"variable_{error}") from None  # its name, which is one of ours
