"""Who may call what: every operation of the catalogue, in one table (A4, A7).

What stands here is decided from the caller alone. What depends on the thing asked about is decided by the capability's rules on
rows read in the handler's transaction; `docs/permissions.md` is the same table with both.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fairwire_protocol.operations import bookings, chat, contacts, identity, notices, organiser, rooms, slots
from fairwire_server.registry import BUYERS, ORGANISERS, SIGNED_IN, TEAM, Allow, Registry

if TYPE_CHECKING:  # node.py builds them and calls `bind`
    from fairwire_server.compose.services import Services

__all__ = ["bind"]

PARTIES: Final = Allow(kinds=BUYERS.kinds | TEAM.kinds)
READERS: Final = replace(PARTIES, capability="read_history")
VIEWERS: Final = replace(READERS, kinds=READERS.kinds | ORGANISERS.kinds)  # an organiser sees reported images (A4)
WRITERS: Final = replace(PARTIES, capability="receive_chats")
RECEIVERS: Final = replace(TEAM, capability="receive_chats")
MOVERS: Final = replace(TEAM, capability="transfer_others")
STARRERS: Final = replace(TEAM, capability="mark_contacts")
MARKERS: Final = replace(PARTIES, capability="mark_contacts")
CUSTOMERS: Final = replace(TEAM, capability="customer_base")
PLANNERS: Final = replace(TEAM, capability="edit_slots")
SLOT_READERS: Final = replace(PARTIES, capability="see_bookings")
MEETERS: Final = replace(PARTIES, capability="see_bookings")
ASSIGNERS: Final = replace(TEAM, capability="assign_bookings")
REJECTERS: Final = replace(TEAM, capability="reject_bookings")
MANAGERS: Final = replace(TEAM, capability="manage_sub_accounts")


def bind(registry: Registry, to: Services) -> Registry:
    """The registry with everything bound."""
    _anonymous(registry, to)
    _own_account(registry, to)
    _team_and_directory(registry, to)
    _organiser(registry, to)
    _chat(registry, to)
    _contacts(registry, to)
    _slots(registry, to)
    _bookings(registry, to)
    _rooms(registry, to)
    _notices(registry, to)
    return registry.sealed()


def _notices(registry: Registry, to: Services) -> None:
    registry.bind(notices.PREFERENCES, SIGNED_IN, to.preferences.show)
    registry.bind(notices.SET_PREFERENCES, SIGNED_IN, to.preferences.set)
    registry.bind(notices.LIST, SIGNED_IN, to.preferences.list)
    registry.bind(notices.FIND, ORGANISERS, to.overseeing.find)
    registry.bind(notices.SHOW, ORGANISERS, to.overseeing.show)
    registry.bind(notices.RETRY, ORGANISERS, to.overseeing.retry)
    registry.bind(notices.PROVIDERS, ORGANISERS, to.overseeing.providers)


def _anonymous(registry: Registry, to: Services) -> None:
    registry.bind_anonymous(identity.SIGN_IN, to.sign_in.by_password)
    registry.bind_anonymous(identity.REQUEST_SIGN_IN_CODE, to.sign_in.request_code)
    registry.bind_anonymous(identity.SIGN_IN_BY_CODE, to.sign_in.by_code)
    registry.bind_anonymous(identity.REQUEST_ACTIVATION, to.sign_in.request_activation)
    registry.bind_anonymous(identity.ACTIVATE, to.sign_in.activate)
    registry.bind_anonymous(identity.REFRESH, to.sessions.refresh)
    registry.bind_anonymous(identity.REGISTER_BUYER, to.registration.register)
    registry.bind_anonymous(identity.FAIR, to.directory.fair)


def _own_account(registry: Registry, to: Services) -> None:
    registry.bind(identity.SIGN_OUT, SIGNED_IN, to.sessions.sign_out)
    registry.bind(identity.SESSIONS, SIGNED_IN, to.sessions.list)
    registry.bind(identity.REVOKE, SIGNED_IN, to.sessions.revoke)
    registry.bind(identity.ME, SIGNED_IN, to.profiles.show)
    registry.bind(identity.UPDATE_ME, SIGNED_IN, to.profiles.update)
    registry.bind(identity.UPDATE_PROFILE, BUYERS, to.profiles.update_profile)
    registry.bind(identity.CHANGE_PASSWORD, SIGNED_IN, to.password_change.change)
    registry.bind(identity.REQUEST_ADDRESS, SIGNED_IN, to.address_change.request)
    registry.bind(identity.VERIFY_ADDRESS, SIGNED_IN, to.address_change.verify)


def _team_and_directory(registry: Registry, to: Services) -> None:
    registry.bind(identity.TEAM, TEAM, to.teams.list)
    registry.bind(identity.CREATE_SUB_ACCOUNT, MANAGERS, to.teams.create)
    registry.bind(identity.UPDATE_SUB_ACCOUNT, MANAGERS, to.teams.update)
    registry.bind(identity.REMOVE_SUB_ACCOUNT, MANAGERS, to.teams.remove)
    registry.bind(identity.EXHIBITORS, SIGNED_IN, to.directory.exhibitors)
    registry.bind(identity.EXHIBITOR, SIGNED_IN, to.directory.exhibitor)


def _organiser(registry: Registry, to: Services) -> None:
    registry.bind(organiser.FIND_ACCOUNTS, ORGANISERS, to.organisers.find)
    registry.bind(organiser.SUSPEND, ORGANISERS, to.organisers.suspend)
    registry.bind(organiser.SILENCE, ORGANISERS, to.organisers.silence)
    registry.bind(organiser.CAPABILITIES, ORGANISERS, to.organisers.capabilities)
    registry.bind(organiser.SET_CAPABILITIES, ORGANISERS, to.organisers.set_capabilities)
    registry.bind(organiser.AUDIT, ORGANISERS, to.organisers.audit)
    registry.bind(organiser.ANNOUNCE, ORGANISERS, to.moderation.announce)
    registry.bind(organiser.FIGURES, ORGANISERS, to.moderation.figures)
    registry.bind(organiser.BOOKINGS, ORGANISERS, to.booking_views.of_fair)
    registry.bind(organiser.REPORTS, ORGANISERS, to.moderation.reports)
    registry.bind(organiser.READ_REPORT, ORGANISERS, to.moderation.read_report)
    registry.bind(organiser.CLOSE_REPORT, ORGANISERS, to.moderation.close_report)
    registry.bind(organiser.KEYWORDS, ORGANISERS, to.moderation.keywords)
    registry.bind(organiser.SET_KEYWORDS, ORGANISERS, to.moderation.set_keywords)


def _chat(registry: Registry, to: Services) -> None:
    registry.bind(chat.OPEN, BUYERS, to.opening.open)
    registry.bind(chat.SEND, WRITERS, to.sender.send, to.sender.ask)
    registry.bind(chat.SHOW, READERS, to.reading.show)
    registry.bind(chat.HISTORY, READERS, to.reading.history)
    registry.bind(chat.LIST, READERS, to.reading.list)
    registry.bind(chat.SEARCH, READERS, to.search.search)
    registry.bind(chat.MARK_READ, READERS, to.receipts.read, to.receipts.ask)
    registry.bind(chat.RECALL, WRITERS, to.acts.recall)
    registry.bind(chat.HANDLE, RECEIVERS, to.acts.handle)
    registry.bind(chat.BLOCK, WRITERS, to.acts.block)
    registry.bind(chat.TRANSFER, RECEIVERS, to.transfers.transfer)
    registry.bind(chat.TAKE_OVER, MOVERS, to.transfers.take_over)
    registry.bind(chat.ANSWER_OFFER, RECEIVERS, to.transfers.answer)
    registry.bind(chat.TRANSFER_LOG, replace(TEAM, capability="read_history"), to.transfers.log)
    registry.bind(chat.COLLEAGUES, RECEIVERS, to.transfers.colleagues)
    registry.bind(chat.REPORT, READERS, to.moderation.report)
    registry.bind(chat.TYPING, WRITERS, to.ephemera.typing)
    registry.bind(chat.LOOKING, READERS, to.ephemera.looking)
    registry.bind_upload(chat.UPLOAD_IMAGE, WRITERS, to.images.upload)
    registry.bind_download(chat.IMAGE, VIEWERS, to.images.full)
    registry.bind_download(chat.THUMBNAIL, VIEWERS, to.images.thumbnail)


def _contacts(registry: Registry, to: Services) -> None:
    registry.bind(contacts.RECENT, READERS, to.contacts.recent)
    registry.bind(contacts.STARRED, STARRERS, to.contacts.starred)
    registry.bind(contacts.STAR, STARRERS, to.contacts.star)
    registry.bind(contacts.PIN, MARKERS, to.contacts.pin)
    registry.bind(contacts.ADD_CUSTOMER, CUSTOMERS, to.contacts.add_customer)
    registry.bind(contacts.SHOW_CUSTOMER, CUSTOMERS, to.contacts.show_customer)
    registry.bind(contacts.WATCH, PARTIES, to.presences.watch)
    registry.bind(contacts.QUERY, PARTIES, to.presences.query)
    registry.bind(contacts.SET, PARTIES, to.presences.set_state)


def _slots(registry: Registry, to: Services) -> None:
    registry.bind(slots.CREATE, PLANNERS, to.slots.create)
    registry.bind(slots.CREATE_BATCH, PLANNERS, to.slots.create_batch)
    registry.bind(slots.LIST, PLANNERS, to.slots.list)
    registry.bind(slots.EDIT, PLANNERS, to.slots.edit)
    registry.bind(slots.WITHDRAW, PLANNERS, to.slots.withdraw)
    registry.bind(slots.OPEN, SLOT_READERS, to.slots.open)
    registry.bind(slots.REQUEST, BUYERS, to.requesting.request, to.requesting.ask)
    registry.bind(slots.WAIT, BUYERS, to.waiting.wait)
    registry.bind(slots.LEAVE, BUYERS, to.waiting.leave)
    registry.bind(slots.ANSWER_PLACE, BUYERS, to.waiting.answer)


def _bookings(registry: Registry, to: Services) -> None:
    registry.bind(bookings.LIST, MEETERS, to.booking_views.list)
    registry.bind(bookings.SHOW, MEETERS, to.booking_views.show)
    registry.bind(bookings.RECEIVERS, ASSIGNERS, to.booking_views.receivers)
    registry.bind(bookings.SCHEDULE, MEETERS, to.booking_views.schedule)
    registry.bind(bookings.ASSIGN, ASSIGNERS, to.bookings.assign)
    registry.bind(bookings.REJECT, REJECTERS, to.bookings.reject)
    registry.bind(bookings.CANCEL, MEETERS, to.bookings.cancel)
    registry.bind(bookings.PROPOSE, MEETERS, to.proposals.propose)
    registry.bind(bookings.ANSWER_PROPOSAL, MEETERS, to.proposals.answer)
    registry.bind(bookings.WITHDRAW_PROPOSAL, MEETERS, to.proposals.withdraw)


def _rooms(registry: Registry, to: Services) -> None:
    registry.bind(rooms.ENTER, MEETERS, to.entering.enter)
    registry.bind(rooms.ATTENDANCE, MEETERS, to.entering.attendance)
    registry.bind(rooms.INVITE, MEETERS, to.inviting.invite)
    registry.bind(rooms.INVITATIONS, MEETERS, to.inviting.invitations)
    registry.bind(rooms.REVOKE_INVITATION, MEETERS, to.inviting.revoke)
    registry.bind(rooms.UNINVITE, MEETERS, to.inviting.uninvite)
    registry.bind(rooms.LOBBY, MEETERS, to.lobby.guests)
    registry.bind(rooms.ADMIT, MEETERS, to.lobby.admit)
    registry.bind_download(rooms.CALENDAR, MEETERS, to.feeds.calendar)
    registry.bind(rooms.FEED, MEETERS, to.feeds.feed)
    registry.bind(rooms.RESET_FEED, MEETERS, to.feeds.reset)
