"""The permission table, written by hand from A4, A7, C8, C9, C19, K2, K3, W10, and from nothing else.

What the server allows is asked of the server; what it must allow stands here. `docs/permissions.md` is printed from it and
`test_matrix.py` tries every cell on a running node, over both doors. An operation, an id field or a cell without an entry fails.

An operation's line names it, the rules its cells follow from, and why. Each line below it is one request: the id field that
varies and whose id stands in it (`world.py` says what the words mean; `plain`: the request names nothing), then one mark for
each column. *Foreign* and *unknown* ids must not be told apart; `test_table.py` holds the table itself to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["COLUMNS", "MARKS", "OPERATIONS", "PLAIN", "ROWS", "OperationEntry", "Row", "parse"]

COLUMNS: Final = (
    "anonymous", "visitor", "buyer", "other_buyer", "main", "manager", "holder", "former", "exhibit", "other_exhibitor",
    "other_fair", "suspended", "organiser",
)  # fmt: skip
"""holder and former are business accounts of main's exhibitor: one holds the chat `held`, the other gave it away."""

PLAIN: Final = "plain"

MARKS: Final = {
    "+": "ok",
    "0": "nothing",
    "~": "unauthenticated",
    "!": "suspended",
    "-": "forbidden",
    "?": "not_found",
    "C": "profile_incomplete",
    "H": "not_holder",
    "T": "bad_target",
    "B": "not_in_base",
    "R": "not_recallable",
    "W": "bad_credentials",
    "X": "bad_code",
    "E": "too_early",
    "G": "bad_guest",
    "N": "slot_not_full",
    "V": "bad_receiver",
    "S": "wrong_state",
    "P": "no_proposal",
}
"""What a mark stands for: `ok`, `nothing` (an answer that shows nothing of it), or the error's code."""

TABLE: Final = """
#                              anon vis buy oth main man hold form exh riv far sus org

auth.sign_in | A9 | whoever knows login and password; a token beside it changes nothing
  plain                           +   +   +   +   +   +   +   +   +   +   +   +   +
auth.request_code | A9 | the answer never tells whether there is such an account
  plain                           +   +   +   +   +   +   +   +   +   +   +   +   +
auth.sign_in_by_code | A9 | a code that was never sent
  plain                           X   X   X   X   X   X   X   X   X   X   X   X   X
auth.request_activation | A9 | the answer never tells whether there is such an account
  plain                           +   +   +   +   +   +   +   +   +   +   +   +   +
auth.activate | A9 | a code that was never sent
  plain                           X   X   X   X   X   X   X   X   X   X   X   X   X
auth.refresh | W13 | whoever has the refresh token
  plain                           +   +   +   +   +   +   +   +   +   +   +   +   +
auth.register | A3 | anybody becomes a buyer
  plain                           +   +   +   +   +   +   +   +   +   +   +   +   +
fair.show | A1 | read before signing in; a fair's code is public
  fair.one                        +   +   +   +   +   +   +   +   +   +   +   +   +
  fair.two                        +   +   +   +   +   +   +   +   +   +   +   +   +
  fair.unknown                    ?   ?   ?   ?   ?   ?   ?   ?   ?   ?   ?   ?   ?

auth.sign_out | A9 | everybody's own session
  plain                           ~   +   +   +   +   +   +   +   +   +   +   !   +
auth.sessions | A5 | everybody's own devices
  plain                           ~   +   +   +   +   +   +   +   +   +   +   !   +
auth.revoke | A5 A6 | own sessions only
  session.own                     ~   +   +   +   +   +   +   +   +   +   +   !   +
  session.acme                    ~   ?   ?   ?   ?   ?   ?   ?   ?   ?   ?   !   ?
  session.rival                   ~   ?   ?   ?   ?   ?   ?   ?   ?   ?   ?   !   ?
  session.far                     ~   ?   ?   ?   ?   ?   ?   ?   ?   ?   ?   !   ?
  session.unknown                 ~   ?   ?   ?   ?   ?   ?   ?   ?   ?   ?   !   ?
account.show | A7 | the own account
  plain                           ~   +   +   +   +   +   +   +   +   +   +   !   +
account.update | A9 | each account edits its own data
  plain                           ~   +   +   +   +   +   +   +   +   +   +   !   +
account.change_password | A9 | with the current password, which here is wrong
  plain                           ~   W   W   W   W   W   W   W   W   W   W   !   W
account.request_address | A8 | the own address
  plain                           ~   +   +   +   +   +   +   +   +   +   +   !   +
account.verify_address | A8 | with the code that was sent, which here is wrong
  plain                           ~   X   X   X   X   X   X   X   X   X   X   !   X
buyer.update_profile | A3 | buyers, complete or not
  plain                           ~   +   +   +   -   -   -   -   -   -   -   !   -

team.list | A2 A9 | every account of an exhibitor knows its colleagues
  plain                           ~   -   -   -   +   +   +   +   +   +   +   !   -
team.create | A7 A9 | main alone manages sub-accounts
  plain                           ~   -   -   -   +   -   -   -   -   +   +   !   -
team.update | A7 A9 | main alone, its own sub-accounts; a main account is none
  account.acme                    ~   -   -   -   +   -   -   -   -   ?   ?   !   -
  account.main                    ~   -   -   -   ?   -   -   -   -   ?   ?   !   -
  account.rival                   ~   -   -   -   ?   -   -   -   -   +   ?   !   -
  account.far                     ~   -   -   -   ?   -   -   -   -   ?   +   !   -
  account.buyer                   ~   -   -   -   ?   -   -   -   -   ?   ?   !   -
  account.unknown                 ~   -   -   -   ?   -   -   -   -   ?   ?   !   -
  handover_to.acme                ~   -   -   -   +   -   -   -   -   ?   ?   !   -
  handover_to.rival               ~   -   -   -   T   -   -   -   -   ?   ?   !   -
  handover_to.far                 ~   -   -   -   T   -   -   -   -   ?   ?   !   -
  handover_to.unknown             ~   -   -   -   T   -   -   -   -   ?   ?   !   -
team.remove | A6 A7 | main alone, its own sub-accounts
  account.acme                    ~   -   -   -   +   -   -   -   -   ?   ?   !   -
  account.main                    ~   -   -   -   ?   -   -   -   -   ?   ?   !   -
  account.rival                   ~   -   -   -   ?   -   -   -   -   +   ?   !   -
  account.far                     ~   -   -   -   ?   -   -   -   -   ?   +   !   -
  account.buyer                   ~   -   -   -   ?   -   -   -   -   ?   ?   !   -
  account.unknown                 ~   -   -   -   ?   -   -   -   -   ?   ?   !   -
  handover_to.acme                ~   -   -   -   +   -   -   -   -   ?   ?   !   -
  handover_to.rival               ~   -   -   -   T   -   -   -   -   ?   ?   !   -
  handover_to.far                 ~   -   -   -   T   -   -   -   -   ?   ?   !   -
  handover_to.unknown             ~   -   -   -   T   -   -   -   -   ?   ?   !   -
exhibitors.list | A1 A2 | the own fair's; a section of another fair has no exhibitors here
  section.one                     ~   +   +   +   +   +   +   +   +   +   0   !   +
  section.two                     ~   0   0   0   0   0   0   0   0   0   +   !   0
  section.unknown                 ~   0   0   0   0   0   0   0   0   0   0   !   0
exhibitors.show | A1 A2 | the own fair's
  exhibitor.acme                  ~   +   +   +   +   +   +   +   +   +   ?   !   +
  exhibitor.rival                 ~   +   +   +   +   +   +   +   +   +   ?   !   +
  exhibitor.far                   ~   ?   ?   ?   ?   ?   ?   ?   ?   ?   +   !   ?
  exhibitor.unknown               ~   ?   ?   ?   ?   ?   ?   ?   ?   ?   ?   !   ?

organiser.find_accounts | A4 | organisers
  plain                           ~   -   -   -   -   -   -   -   -   -   -   !   +
organiser.suspend | A1 A4 A6 | organisers, accounts of their fair but their own
  account.acme                    ~   -   -   -   -   -   -   -   -   -   -   !   +
  account.rival                   ~   -   -   -   -   -   -   -   -   -   -   !   +
  account.own                     ~   -   -   -   -   -   -   -   -   -   -   !   -
  account.far                     ~   -   -   -   -   -   -   -   -   -   -   !   ?
  account.unknown                 ~   -   -   -   -   -   -   -   -   -   -   !   ?
organiser.silence | A1 A4 C18 | organisers, accounts of their fair but their own
  account.acme                    ~   -   -   -   -   -   -   -   -   -   -   !   +
  account.rival                   ~   -   -   -   -   -   -   -   -   -   -   !   +
  account.own                     ~   -   -   -   -   -   -   -   -   -   -   !   -
  account.far                     ~   -   -   -   -   -   -   -   -   -   -   !   ?
  account.unknown                 ~   -   -   -   -   -   -   -   -   -   -   !   ?
organiser.capabilities | A7 | organisers
  plain                           ~   -   -   -   -   -   -   -   -   -   -   !   +
organiser.set_capabilities | A7 | organisers
  plain                           ~   -   -   -   -   -   -   -   -   -   -   !   +
organiser.audit | A4 | organisers
  plain                           ~   -   -   -   -   -   -   -   -   -   -   !   +
organiser.figures | A4 | organisers
  plain                           ~   -   -   -   -   -   -   -   -   -   -   !   +
organiser.bookings | A4 M5 | organisers, their fair's, in numbers
  plain                           ~   -   -   -   -   -   -   -   -   -   -   !   +
organiser.reports | A4 | organisers
  plain                           ~   -   -   -   -   -   -   -   -   -   -   !   +
organiser.read_report | A1 A4 | organisers, reports of their fair
  report.acme                     ~   -   -   -   -   -   -   -   -   -   -   !   +
  report.far                      ~   -   -   -   -   -   -   -   -   -   -   !   ?
  report.unknown                  ~   -   -   -   -   -   -   -   -   -   -   !   ?
organiser.notices | A1 A4 N5 | organisers, their fair's
  plain                           ~   -   -   -   -   -   -   -   -   -   -   !   +
organiser.notice | A1 A4 N4 | organisers, notices of their fair
  notice.acme                     ~   -   -   -   -   -   -   -   -   -   -   !   +
  notice.far                      ~   -   -   -   -   -   -   -   -   -   -   !   ?
  notice.unknown                  ~   -   -   -   -   -   -   -   -   -   -   !   ?
organiser.retry_notice | A1 A4 N3 | organisers, failed notices of their fair
  notice.acme                     ~   -   -   -   -   -   -   -   -   -   -   !   +
  notice.far                      ~   -   -   -   -   -   -   -   -   -   -   !   ?
  notice.unknown                  ~   -   -   -   -   -   -   -   -   -   -   !   ?
organiser.providers | A4 N6 | organisers
  plain                           ~   -   -   -   -   -   -   -   -   -   -   !   +
notices.preferences | N9 | everybody's own
  plain                           ~   +   +   +   +   +   +   +   +   +   +   !   +
notices.set_preferences | N9 | everybody's own
  plain                           ~   +   +   +   +   +   +   +   +   +   +   !   +
notices.list | N4 | everybody's own
  plain                           ~   +   +   +   +   +   +   +   +   +   +   !   +
organiser.close_report | A1 C18 | organisers, reports of their fair
  report.acme                     ~   -   -   -   -   -   -   -   -   -   -   !   +
  report.far                      ~   -   -   -   -   -   -   -   -   -   -   !   ?
  report.unknown                  ~   -   -   -   -   -   -   -   -   -   -   !   ?
organiser.keywords | C18 | organisers
  plain                           ~   -   -   -   -   -   -   -   -   -   -   !   +
organiser.set_keywords | C18 | organisers
  plain                           ~   -   -   -   -   -   -   -   -   -   -   !   +
fair.announce | A4 | organisers
  plain                           ~   -   -   -   -   -   -   -   -   -   -   !   +

chat.open | A3 C2 C19 | buyers with a complete profile, exhibitors of their fair, listed exhibits of that exhibitor
  exhibitor.acme                  ~   C   +   +   -   -   -   -   -   -   -   !   -
  exhibitor.rival                 ~   C   +   +   -   -   -   -   -   -   -   !   -
  exhibitor.far                   ~   C   ?   ?   -   -   -   -   -   -   -   !   -
  exhibitor.unknown               ~   C   ?   ?   -   -   -   -   -   -   -   !   -
  exhibit.acme                    ~   C   +   +   -   -   -   -   -   -   -   !   -
  exhibit.rival                   ~   C   ?   ?   -   -   -   -   -   -   -   !   -
  exhibit.far                     ~   C   ?   ?   -   -   -   -   -   -   -   !   -
  exhibit.unknown                 ~   C   ?   ?   -   -   -   -   -   -   -   !   -
chat.send | A7 C1 C7 C9 | its buyer and its holder; main and managers see that they do not hold it; images only one's own
  conversation.held               ~   ?   +   ?   H   H   +   ?   -   ?   ?   !   -
  conversation.colleague          ~   ?   ?   +   +   H   ?   ?   -   ?   ?   !   -
  conversation.rival              ~   ?   ?   +   ?   ?   ?   ?   -   +   ?   !   -
  conversation.far                ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   -
  conversation.unknown            ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
  image.own                       ~   ?   +   +   +   H   +   ?   -   +   +   !   -
  image.early                     ~   ?   +   ?   ?   H   ?   ?   -   ?   ?   !   -
  image.acme                      ~   ?   ?   ?   ?   H   ?   ?   -   ?   ?   !   -
  image.rival                     ~   ?   ?   ?   ?   H   ?   ?   -   ?   ?   !   -
  image.far                       ~   ?   ?   ?   ?   H   ?   ?   -   ?   ?   !   -
  image.unknown                   ~   ?   ?   ?   ?   H   ?   ?   -   ?   ?   !   -
chat.show | A7 C9 K2 | its buyer, main, managers, whoever holds or held it
  conversation.held               ~   ?   +   ?   +   +   +   +   -   ?   ?   !   -
  conversation.colleague          ~   ?   ?   +   +   +   ?   ?   -   ?   ?   !   -
  conversation.rival              ~   ?   ?   +   ?   ?   ?   ?   -   +   ?   !   -
  conversation.far                ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   -
  conversation.unknown            ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
chat.history | A7 C9 C14 | as chat.show; a former holder up to the transfer (test_canaries.py)
  conversation.held               ~   ?   +   ?   +   +   +   +   -   ?   ?   !   -
  conversation.colleague          ~   ?   ?   +   +   +   ?   ?   -   ?   ?   !   -
  conversation.rival              ~   ?   ?   +   ?   ?   ?   ?   -   +   ?   !   -
  conversation.far                ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   -
  conversation.unknown            ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
chat.list | A7 C9 C11 | own scope; who gave a chat away is not told who holds it; a buyer's list has no holders to choose
  holder.holder                   ~   0   +   +   +   +   +   0   -   0   0   !   -
  holder.main                     ~   0   +   +   +   +   0   0   -   0   0   !   -
  holder.other_exhibitor          ~   0   +   +   0   0   0   0   -   +   0   !   -
  holder.other_fair               ~   0   +   +   0   0   0   0   -   0   +   !   -
  holder.unknown                  ~   0   +   +   0   0   0   0   -   0   0   !   -
chat.search | A7 C9 C15 | within what chat.show shows
  conversation.held               ~   ?   +   ?   +   +   +   +   -   ?   ?   !   -
  conversation.colleague          ~   ?   ?   +   +   +   ?   ?   -   ?   ?   !   -
  conversation.rival              ~   ?   ?   +   ?   ?   ?   ?   -   +   ?   !   -
  conversation.far                ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   -
  conversation.unknown            ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
chat.read | C11 W9 | whoever sees it
  conversation.held               ~   ?   +   ?   +   +   +   +   -   ?   ?   !   -
  conversation.colleague          ~   ?   ?   +   +   +   ?   ?   -   ?   ?   !   -
  conversation.rival              ~   ?   ?   +   ?   ?   ?   ?   -   +   ?   !   -
  conversation.far                ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   -
  conversation.unknown            ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
chat.recall | C9 C12 | the sender alone, here the buyer; a message after the transfer does not exist for who gave the chat away
  conversation.held               ~   ?   +   ?   R   R   R   R   -   ?   ?   !   -
  conversation.held_late          ~   ?   +   ?   R   R   R   ?   -   ?   ?   !   -
  conversation.colleague          ~   ?   ?   +   R   R   ?   ?   -   ?   ?   !   -
  conversation.rival              ~   ?   ?   +   ?   ?   ?   ?   -   R   ?   !   -
  conversation.far                ~   ?   ?   ?   ?   ?   ?   ?   -   ?   R   !   -
  conversation.unknown            ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
chat.handle | A7 C11 | the holder, main, managers
  conversation.held               ~   -   -   -   +   +   +   ?   -   ?   ?   !   -
  conversation.colleague          ~   -   -   -   +   +   ?   ?   -   ?   ?   !   -
  conversation.rival              ~   -   -   -   ?   ?   ?   ?   -   +   ?   !   -
  conversation.far                ~   -   -   -   ?   ?   ?   ?   -   ?   +   !   -
  conversation.unknown            ~   -   -   -   ?   ?   ?   ?   -   ?   ?   !   -
chat.block | A7 C18 | its buyer; the holder, main, managers
  conversation.held               ~   ?   +   ?   +   +   +   ?   -   ?   ?   !   -
  conversation.colleague          ~   ?   ?   +   +   +   ?   ?   -   ?   ?   !   -
  conversation.rival              ~   ?   ?   +   ?   ?   ?   ?   -   +   ?   !   -
  conversation.far                ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   -
  conversation.unknown            ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
chat.transfer | A7 C7 | the holder, main, managers; to another active account of the exhibitor that may receive chats
  conversation.held               ~   -   -   -   +   +   +   ?   -   ?   ?   !   -
  conversation.colleague          ~   -   -   -   +   +   ?   ?   -   ?   ?   !   -
  conversation.rival              ~   -   -   -   ?   ?   ?   ?   -   +   ?   !   -
  conversation.far                ~   -   -   -   ?   ?   ?   ?   -   ?   +   !   -
  conversation.unknown            ~   -   -   -   ?   ?   ?   ?   -   ?   ?   !   -
  to.acme                         ~   -   -   -   +   +   +   ?   -   ?   ?   !   -
  to.holder                       ~   -   -   -   T   T   T   ?   -   ?   ?   !   -
  to.exhibit                      ~   -   -   -   T   T   T   ?   -   ?   ?   !   -
  to.suspended                    ~   -   -   -   T   T   T   ?   -   ?   ?   !   -
  to.buyer                        ~   -   -   -   T   T   T   ?   -   ?   ?   !   -
  to.rival                        ~   -   -   -   T   T   T   ?   -   ?   ?   !   -
  to.far                          ~   -   -   -   T   T   T   ?   -   ?   ?   !   -
  to.unknown                      ~   -   -   -   T   T   T   ?   -   ?   ?   !   -
chat.take_over | A7 C7 C11 | main and managers, what they do not hold already
  conversation.held               ~   -   -   -   +   +   -   -   -   ?   ?   !   -
  conversation.colleague          ~   -   -   -   T   +   -   -   -   ?   ?   !   -
  conversation.rival              ~   -   -   -   ?   ?   -   -   -   T   ?   !   -
  conversation.far                ~   -   -   -   ?   ?   -   -   -   ?   T   !   -
  conversation.unknown            ~   -   -   -   ?   ?   -   -   -   ?   ?   !   -
chat.answer_offer | C8 | whom the offer was made to: of `held` the manager, of `colleague` the former holder
  offer.held                      ~   -   -   -   ?   +   ?   ?   -   ?   ?   !   -
  offer.colleague                 ~   -   -   -   ?   ?   ?   +   -   ?   ?   !   -
  offer.rival                     ~   -   -   -   ?   ?   ?   ?   -   ?   ?   !   -
  offer.far                       ~   -   -   -   ?   ?   ?   ?   -   ?   ?   !   -
  offer.unknown                   ~   -   -   -   ?   ?   ?   ?   -   ?   ?   !   -
chat.transfers | A7 C8 C9 C10 | the team within its scope; never the buyer, who must not see notes
  conversation.held               ~   -   -   -   +   +   +   +   -   ?   ?   !   -
  conversation.colleague          ~   -   -   -   +   +   ?   ?   -   ?   ?   !   -
  conversation.rival              ~   -   -   -   ?   ?   ?   ?   -   +   ?   !   -
  conversation.far                ~   -   -   -   ?   ?   ?   ?   -   ?   +   !   -
  conversation.unknown            ~   -   -   -   ?   ?   ?   ?   -   ?   ?   !   -
chat.colleagues | A7 C7 | accounts that receive chats
  plain                           ~   -   -   -   +   +   +   +   -   +   +   !   -
chat.report | A4 C9 C18 | whoever may read the messages that are named
  conversation.held               ~   ?   +   ?   +   +   +   +   -   ?   ?   !   -
  conversation.held_late          ~   ?   +   ?   +   +   +   ?   -   ?   ?   !   -
  conversation.colleague          ~   ?   ?   +   +   +   ?   ?   -   ?   ?   !   -
  conversation.rival              ~   ?   ?   +   ?   ?   ?   ?   -   +   ?   !   -
  conversation.far                ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   -
  conversation.unknown            ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
chat.typing | A7 C9 C16 | its buyer and its holder
  conversation.held               ~   ?   +   ?   H   H   +   H   -   ?   ?   !   -
  conversation.colleague          ~   ?   ?   +   +   H   ?   ?   -   ?   ?   !   -
  conversation.rival              ~   ?   ?   +   ?   ?   ?   ?   -   +   ?   !   -
  conversation.far                ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   -
  conversation.unknown            ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
chat.looking | C16 | whoever sees it; shown to the holder alone
  conversation.held               ~   ?   +   ?   +   +   +   +   -   ?   ?   !   -
  conversation.colleague          ~   ?   ?   +   +   +   ?   ?   -   ?   ?   !   -
  conversation.rival              ~   ?   ?   +   ?   ?   ?   ?   -   +   ?   !   -
  conversation.far                ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   -
  conversation.unknown            ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
chat.upload_image | A7 C4 | buyers, and accounts that receive chats
  plain                           ~   +   +   +   +   +   +   +   -   +   +   !   -
chat.image | A4 A7 C4 C9 | whoever may read a message that shows it; unsent, its owner; the organiser if a report names it
  image.early                     ~   ?   +   ?   +   +   +   +   -   ?   ?   !   +
  image.late                      ~   ?   +   ?   +   +   +   ?   -   ?   ?   !   ?
  image.colleague                 ~   ?   ?   +   +   +   ?   ?   -   ?   ?   !   ?
  image.sent_rival                ~   ?   ?   +   ?   ?   ?   ?   -   +   ?   !   ?
  image.sent_far                  ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   ?
  image.own                       ~   +   +   +   +   +   +   +   -   +   +   !   ?
  image.acme                      ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   ?
  image.unknown                   ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   ?
chat.thumbnail | A4 A7 C4 C9 | as chat.image
  image.early                     ~   ?   +   ?   +   +   +   +   -   ?   ?   !   +
  image.late                      ~   ?   +   ?   +   +   +   ?   -   ?   ?   !   ?
  image.colleague                 ~   ?   ?   +   +   +   ?   ?   -   ?   ?   !   ?
  image.sent_rival                ~   ?   ?   +   ?   ?   ?   ?   -   +   ?   !   ?
  image.sent_far                  ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   ?
  image.own                       ~   +   +   +   +   +   +   +   -   +   +   !   ?
  image.acme                      ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   ?
  image.unknown                   ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   ?

contacts.recent | A7 K1 | buyers, and accounts that read chats at all
  plain                           ~   +   +   +   +   +   +   +   -   +   +   !   -
contacts.starred | A7 K3 | accounts that star; a buyer has no customer base
  plain                           ~   -   -   -   +   +   +   +   -   +   +   !   -
contacts.star | A7 K3 | whoever sees the chat, once the buyer is in the base; here only the buyer of `held` is
  conversation.held               ~   -   -   -   +   +   +   +   -   ?   ?   !   -
  conversation.colleague          ~   -   -   -   B   B   ?   ?   -   ?   ?   !   -
  conversation.rival              ~   -   -   -   ?   ?   ?   ?   -   B   ?   !   -
  conversation.far                ~   -   -   -   ?   ?   ?   ?   -   ?   B   !   -
  conversation.unknown            ~   -   -   -   ?   ?   ?   ?   -   ?   ?   !   -
contacts.pin | A7 K4 | whoever sees the chat
  conversation.held               ~   ?   +   ?   +   +   +   +   -   ?   ?   !   -
  conversation.colleague          ~   ?   ?   +   +   +   ?   ?   -   ?   ?   !   -
  conversation.rival              ~   ?   ?   +   ?   ?   ?   ?   -   +   ?   !   -
  conversation.far                ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   -
  conversation.unknown            ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
customers.add | A7 C19 K2 | main and managers any buyer that has opened a chat with them, business accounts those of chats they hold or held
  buyer.buyer                     ~   -   -   -   +   +   +   +   -   ?   ?   !   -
  buyer.other_buyer               ~   -   -   -   +   +   ?   ?   -   +   ?   !   -
  buyer.stranger                  ~   -   -   -   ?   ?   ?   ?   -   ?   ?   !   -
  buyer.main                      ~   -   -   -   ?   ?   ?   ?   -   ?   ?   !   -
  buyer.far                       ~   -   -   -   ?   ?   ?   ?   -   ?   +   !   -
  buyer.unknown                   ~   -   -   -   ?   ?   ?   ?   -   ?   ?   !   -
customers.show | A7 C19 K2 | as customers.add
  buyer.buyer                     ~   -   -   -   +   +   +   +   -   ?   ?   !   -
  buyer.other_buyer               ~   -   -   -   +   +   ?   ?   -   +   ?   !   -
  buyer.stranger                  ~   -   -   -   ?   ?   ?   ?   -   ?   ?   !   -
  buyer.main                      ~   -   -   -   ?   ?   ?   ?   -   ?   ?   !   -
  buyer.far                       ~   -   -   -   ?   ?   ?   ?   -   ?   +   !   -
  buyer.unknown                   ~   -   -   -   ?   ?   ?   ?   -   ?   ?   !   -
presence.watch | C9 C17 W10 | buyers: exhibitors of their fair; a team: its own, and the buyers of chats it holds, or reads
  subjects.acme                   ~   +   +   +   +   +   +   +   +   0   0   !   -
  subjects.rival                  ~   +   +   +   0   0   0   0   0   +   0   !   -
  subjects.far                    ~   0   0   0   0   0   0   0   0   0   +   !   -
  subjects.acme_account           ~   0   0   0   +   +   +   +   +   0   0   !   -
  subjects.rival_account          ~   0   0   0   0   0   0   0   0   +   0   !   -
  subjects.far_account            ~   0   0   0   0   0   0   0   0   0   +   !   -
  subjects.buyer                  ~   0   0   0   +   +   +   0   0   0   0   !   -
  subjects.other_buyer            ~   0   0   0   +   +   0   0   0   +   0   !   -
  subjects.far_buyer              ~   0   0   0   0   0   0   0   0   0   +   !   -
  subjects.stranger               ~   0   0   0   0   0   0   0   0   0   0   !   -
  subjects.unknown                ~   0   0   0   0   0   0   0   0   0   0   !   -
presence.query | C9 C17 W10 | as presence.watch
  subjects.acme                   ~   +   +   +   +   +   +   +   +   0   0   !   -
  subjects.rival                  ~   +   +   +   0   0   0   0   0   +   0   !   -
  subjects.far                    ~   0   0   0   0   0   0   0   0   0   +   !   -
  subjects.acme_account           ~   0   0   0   +   +   +   +   +   0   0   !   -
  subjects.rival_account          ~   0   0   0   0   0   0   0   0   +   0   !   -
  subjects.far_account            ~   0   0   0   0   0   0   0   0   0   +   !   -
  subjects.buyer                  ~   0   0   0   +   +   +   0   0   0   0   !   -
  subjects.other_buyer            ~   0   0   0   +   +   0   0   0   +   0   !   -
  subjects.far_buyer              ~   0   0   0   0   0   0   0   0   0   +   !   -
  subjects.stranger               ~   0   0   0   0   0   0   0   0   0   0   !   -
  subjects.unknown                ~   0   0   0   0   0   0   0   0   0   0   !   -
presence.set | C17 | everybody but the organiser, who is nobody's contact
  plain                           ~   +   +   +   +   +   +   +   +   +   +   !   -

slots.create | A7 M1 | main and managers
  plain                           ~   -   -   -   +   +   -   -   -   +   +   !   -
slots.create_batch | A7 M1 | main and managers
  plain                           ~   -   -   -   +   +   -   -   -   +   +   !   -
slots.list | A7 M3 | main and managers, the own exhibitor's
  plain                           ~   -   -   -   +   +   -   -   -   +   +   !   -
slots.edit | A1 A7 M3 | main and managers, the own exhibitor's
  slot.acme                       ~   -   -   -   +   +   -   -   -   ?   ?   !   -
  slot.rival                      ~   -   -   -   ?   ?   -   -   -   +   ?   !   -
  slot.far                        ~   -   -   -   ?   ?   -   -   -   ?   +   !   -
  slot.unknown                    ~   -   -   -   ?   ?   -   -   -   ?   ?   !   -
slots.withdraw | A1 A7 M3 | main and managers, the own exhibitor's
  slot.acme                       ~   -   -   -   +   +   -   -   -   ?   ?   !   -
  slot.rival                      ~   -   -   -   ?   ?   -   -   -   +   ?   !   -
  slot.far                        ~   -   -   -   ?   ?   -   -   -   ?   +   !   -
  slot.unknown                    ~   -   -   -   ?   ?   -   -   -   ?   ?   !   -
slots.open | A1 A7 M4 | the fair's buyers, and who sees bookings those of the own exhibitor
  exhibitor.acme                  ~   +   +   +   +   +   +   +   -   ?   ?   !   -
  exhibitor.rival                 ~   +   +   +   ?   ?   ?   ?   -   +   ?   !   -
  exhibitor.far                   ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   -
  exhibitor.unknown               ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
bookings.request | A1 A3 M4 | complete buyers, a slot of their fair; an exhibit of the same exhibitor
  slot.acme                       ~   C   +   +   -   -   -   -   -   -   -   !   -
  slot.rival                      ~   C   +   +   -   -   -   -   -   -   -   !   -
  slot.far                        ~   ?   ?   ?   -   -   -   -   -   -   -   !   -
  slot.unknown                    ~   ?   ?   ?   -   -   -   -   -   -   -   !   -
  exhibit.acme                    ~   C   +   +   -   -   -   -   -   -   -   !   -
  exhibit.rival                   ~   C   ?   ?   -   -   -   -   -   -   -   !   -
  exhibit.far                     ~   C   ?   ?   -   -   -   -   -   -   -   !   -
  exhibit.unknown                 ~   C   ?   ?   -   -   -   -   -   -   -   !   -
bookings.wait | A1 A3 M13 | complete buyers, a slot of their fair, which here has seats left
  slot.acme                       ~   C   N   N   -   -   -   -   -   -   -   !   -
  slot.rival                      ~   C   N   N   -   -   -   -   -   -   -   !   -
  slot.far                        ~   ?   ?   ?   -   -   -   -   -   -   -   !   -
  slot.unknown                    ~   ?   ?   ?   -   -   -   -   -   -   -   !   -
  exhibit.acme                    ~   C   N   N   -   -   -   -   -   -   -   !   -
  exhibit.rival                   ~   C   ?   ?   -   -   -   -   -   -   -   !   -
  exhibit.far                     ~   C   ?   ?   -   -   -   -   -   -   -   !   -
  exhibit.unknown                 ~   C   ?   ?   -   -   -   -   -   -   -   !   -
bookings.leave | M13 | the buyer whose place it is
  place.buyer                     ~   ?   +   ?   -   -   -   -   -   -   -   !   -
  place.other_buyer               ~   ?   ?   +   -   -   -   -   -   -   -   !   -
  place.far                       ~   ?   ?   ?   -   -   -   -   -   -   -   !   -
  place.unknown                   ~   ?   ?   ?   -   -   -   -   -   -   -   !   -
bookings.answer_place | M13 | the buyer whose place it is
  place.buyer                     ~   ?   +   ?   -   -   -   -   -   -   -   !   -
  place.other_buyer               ~   ?   ?   +   -   -   -   -   -   -   -   !   -
  place.far                       ~   ?   ?   ?   -   -   -   -   -   -   -   !   -
  place.unknown                   ~   ?   ?   ?   -   -   -   -   -   -   -   !   -
bookings.list | A7 K2 M5 | who sees bookings: buyers their own, main and managers all, business accounts their own
  plain                           ~   +   +   +   +   +   +   +   -   +   +   !   -
  section.one                     ~   0   +   0   +   +   +   +   -   0   0   !   -
  section.two                     ~   0   0   0   0   0   0   0   -   0   +   !   -
  section.unknown                 ~   0   0   0   0   0   0   0   -   0   0   !   -
  receiver.holder                 ~   0   +   0   +   +   +   +   -   0   0   !   -
  receiver.main                   ~   0   0   +   +   +   0   0   -   0   0   !   -
  receiver.other_exhibitor        ~   0   0   +   0   0   0   0   -   +   0   !   -
  receiver.far                    ~   0   0   0   0   0   0   0   -   0   0   !   -
  receiver.unknown                ~   0   0   0   0   0   0   0   -   0   0   !   -
bookings.show | A1 A7 K2 M5 | as bookings.list; a former receiving account keeps seeing what it has held
  booking.held                    ~   ?   +   ?   +   +   +   +   -   ?   ?   !   -
  booking.pending                 ~   ?   +   ?   +   +   ?   ?   -   ?   ?   !   -
  booking.colleague               ~   ?   ?   +   +   +   ?   ?   -   ?   ?   !   -
  booking.rival                   ~   ?   ?   +   ?   ?   ?   ?   -   +   ?   !   -
  booking.far                     ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   -
  booking.unknown                 ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
bookings.receivers | A7 M6 | whoever may assign
  booking.held                    ~   -   -   -   +   +   -   -   -   ?   ?   !   -
  booking.colleague               ~   -   -   -   +   +   -   -   -   ?   ?   !   -
  booking.rival                   ~   -   -   -   ?   ?   -   -   -   +   ?   !   -
  booking.far                     ~   -   -   -   ?   ?   -   -   -   ?   +   !   -
  booking.unknown                 ~   -   -   -   ?   ?   -   -   -   ?   ?   !   -
bookings.assign | A7 M6 | main and managers, never business accounts (seed); to an account of the own exhibitor that may receive
  booking.held                    ~   -   -   -   +   +   -   -   -   ?   ?   !   -
  booking.pending                 ~   -   -   -   +   +   -   -   -   ?   ?   !   -
  booking.rival                   ~   -   -   -   ?   ?   -   -   -   +   ?   !   -
  booking.far                     ~   -   -   -   ?   ?   -   -   -   ?   +   !   -
  booking.unknown                 ~   -   -   -   ?   ?   -   -   -   ?   ?   !   -
  receiver.acme                   ~   -   -   -   +   +   -   -   -   ?   ?   !   -
  receiver.exhibit                ~   -   -   -   V   V   -   -   -   ?   ?   !   -
  receiver.buyer                  ~   -   -   -   V   V   -   -   -   ?   ?   !   -
  receiver.rival                  ~   -   -   -   V   V   -   -   -   ?   ?   !   -
  receiver.far                    ~   -   -   -   V   V   -   -   -   ?   ?   !   -
  receiver.unknown                ~   -   -   -   V   V   -   -   -   ?   ?   !   -
bookings.reject | A7 M7 | main and managers, while it is pending
  booking.pending                 ~   -   -   -   +   +   -   -   -   ?   ?   !   -
  booking.held                    ~   -   -   -   S   S   -   -   -   ?   ?   !   -
  booking.rival                   ~   -   -   -   ?   ?   -   -   -   S   ?   !   -
  booking.far                     ~   -   -   -   ?   ?   -   -   -   ?   S   !   -
  booking.unknown                 ~   -   -   -   ?   ?   -   -   -   ?   ?   !   -
bookings.cancel | A7 M7 | the buyer, and of the exhibitor whoever may reject
  booking.held                    ~   ?   +   ?   +   +   -   -   -   ?   ?   !   -
  booking.pending                 ~   ?   +   ?   +   +   ?   ?   -   ?   ?   !   -
  booking.colleague               ~   ?   ?   +   +   +   ?   ?   -   ?   ?   !   -
  booking.rival                   ~   ?   ?   +   ?   ?   ?   ?   -   +   ?   !   -
  booking.far                     ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   -
  booking.unknown                 ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
bookings.propose | A7 M7 | the buyer; of the exhibitor whoever may assign, and the receiving account, but not a former one
  booking.held                    ~   ?   +   ?   +   +   +   -   -   ?   ?   !   -
  booking.pending                 ~   ?   +   ?   +   +   ?   ?   -   ?   ?   !   -
  booking.colleague               ~   ?   ?   +   +   +   ?   ?   -   ?   ?   !   -
  booking.rival                   ~   ?   ?   +   ?   ?   ?   ?   -   +   ?   !   -
  booking.far                     ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   -
  booking.unknown                 ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
  slot.acme                       ~   ?   +   ?   +   +   ?   ?   -   ?   ?   !   -
  slot.rival                      ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
  slot.far                        ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
  slot.unknown                    ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
bookings.answer_proposal | A7 M7 | the side that did not propose
  proposal.by_buyer               ~   ?   P   ?   +   +   +   -   -   ?   ?   !   -
  proposal.by_team                ~   ?   ?   +   P   P   ?   ?   -   ?   ?   !   -
  proposal.rival                  ~   ?   ?   +   ?   ?   ?   ?   -   P   ?   !   -
  proposal.far                    ~   ?   ?   ?   ?   ?   ?   ?   -   ?   P   !   -
  proposal.unknown                ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
bookings.withdraw_proposal | A7 M7 | the side that proposed
  proposal.by_buyer               ~   ?   +   ?   P   P   P   -   -   ?   ?   !   -
  proposal.by_team                ~   ?   ?   P   +   +   ?   ?   -   ?   ?   !   -
  proposal.rival                  ~   ?   ?   P   ?   ?   ?   ?   -   +   ?   !   -
  proposal.far                    ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   -
  proposal.unknown                ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
meetings.schedule | A7 M15 | as bookings.list; `account` narrows everybody's schedule
  plain                           ~   +   +   +   +   +   +   +   -   +   +   !   -
  account.main                    ~   0   0   0   +   +   0   0   -   0   0   !   -
  account.holder                  ~   0   0   0   +   +   +   +   -   0   0   !   -
  account.other_exhibitor         ~   0   0   0   0   0   0   0   -   +   0   !   -
  account.far                     ~   0   0   0   0   0   0   0   -   0   0   !   -
  account.unknown                 ~   0   0   0   0   0   0   0   -   0   0   !   -
meetings.enter | A7 M8 | buyer and receiving account, of the exhibitor's others only those that were invited; from 24 h ahead
  booking.soon                    ~   ?   +   ?   -   -   +   -   -   ?   ?   !   -
  booking.held                    ~   ?   E   ?   -   -   E   -   -   ?   ?   !   -
  booking.rival                   ~   ?   ?   E   ?   ?   ?   ?   -   E   ?   !   -
  booking.far                     ~   ?   ?   ?   ?   ?   ?   ?   -   ?   E   !   -
  booking.unknown                 ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
meetings.invite | A7 M8 | buyer and receiving account, once it is assigned; by account a colleague of the exhibitor's that sees bookings
  booking.held                    ~   ?   +   ?   -   -   +   -   -   ?   ?   !   -
  booking.pending                 ~   ?   S   ?   -   -   ?   ?   -   ?   ?   !   -
  booking.rival                   ~   ?   ?   +   ?   ?   ?   ?   -   +   ?   !   -
  booking.far                     ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   -
  booking.unknown                 ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
  account.acme                    ~   ?   G   ?   -   -   +   -   -   ?   ?   !   -
  account.main                    ~   ?   G   ?   -   -   +   -   -   ?   ?   !   -
  account.exhibit                 ~   ?   G   ?   -   -   G   -   -   ?   ?   !   -
  account.buyer                   ~   ?   G   ?   -   -   G   -   -   ?   ?   !   -
  account.rival                   ~   ?   G   ?   -   -   G   -   -   ?   ?   !   -
  account.far                     ~   ?   G   ?   -   -   G   -   -   ?   ?   !   -
  account.unknown                 ~   ?   G   ?   -   -   G   -   -   ?   ?   !   -
meetings.invitations | A7 M9 | who takes part, and who sees all bookings; of the own side alone
  booking.held                    ~   ?   +   ?   +   +   +   -   -   ?   ?   !   -
  booking.pending                 ~   ?   +   ?   +   +   ?   ?   -   ?   ?   !   -
  booking.rival                   ~   ?   ?   +   ?   ?   ?   ?   -   +   ?   !   -
  booking.far                     ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   -
  booking.unknown                 ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
meetings.revoke_invitation | A7 M9 | the same, a link of the own side
  invitation.buyer                ~   ?   +   ?   ?   ?   ?   ?   -   ?   ?   !   -
  invitation.team                 ~   ?   ?   ?   +   +   +   -   -   ?   ?   !   -
  invitation.rival                ~   ?   ?   ?   ?   ?   ?   ?   -   +   ?   !   -
  invitation.far                  ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   -
  invitation.unknown              ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
meetings.uninvite | A7 M8 | the same, of the exhibitor's side; a colleague who was invited
  booking.held                    ~   ?   ?   ?   +   +   +   -   -   ?   ?   !   -
  booking.rival                   ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
  booking.far                     ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
  booking.unknown                 ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
  account.acme                    ~   ?   ?   ?   +   +   +   -   -   ?   ?   !   -
  account.rival                   ~   ?   ?   ?   ?   ?   ?   -   -   ?   ?   !   -
  account.far                     ~   ?   ?   ?   ?   ?   ?   -   -   ?   ?   !   -
  account.unknown                 ~   ?   ?   ?   ?   ?   ?   -   -   ?   ?   !   -
meetings.lobby | A7 M9 | who takes part, and who sees all bookings; guests of the own side alone
  booking.held                    ~   ?   +   ?   +   +   +   -   -   ?   ?   !   -
  booking.pending                 ~   ?   +   ?   +   +   ?   ?   -   ?   ?   !   -
  booking.rival                   ~   ?   ?   +   ?   ?   ?   ?   -   +   ?   !   -
  booking.far                     ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   -
  booking.unknown                 ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
meetings.admit | A7 M9 | the same, a guest of the own side, while the meeting can be entered
  guest.buyer                     ~   ?   +   ?   ?   ?   ?   ?   -   ?   ?   !   -
  guest.team                      ~   ?   ?   ?   +   +   +   -   -   ?   ?   !   -
  guest.rival                     ~   ?   ?   ?   ?   ?   ?   ?   -   E   ?   !   -
  guest.far                       ~   ?   ?   ?   ?   ?   ?   ?   -   ?   E   !   -
  guest.unknown                   ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
meetings.attendance | A7 M11 | whoever sees the meeting, after its slot
  booking.over                    ~   ?   +   ?   +   +   +   +   -   ?   ?   !   -
  booking.held                    ~   ?   E   ?   E   E   E   E   -   ?   ?   !   -
  booking.rival                   ~   ?   ?   E   ?   ?   ?   ?   -   E   ?   !   -
  booking.far                     ~   ?   ?   ?   ?   ?   ?   ?   -   ?   E   !   -
  booking.unknown                 ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
meetings.calendar | A7 M14 | whoever sees the meeting
  booking.held                    ~   ?   +   ?   +   +   +   +   -   ?   ?   !   -
  booking.pending                 ~   ?   +   ?   +   +   ?   ?   -   ?   ?   !   -
  booking.rival                   ~   ?   ?   +   ?   ?   ?   ?   -   +   ?   !   -
  booking.far                     ~   ?   ?   ?   ?   ?   ?   ?   -   ?   +   !   -
  booking.unknown                 ~   ?   ?   ?   ?   ?   ?   ?   -   ?   ?   !   -
meetings.feed | A7 M14 M15 | who sees bookings, the own schedule
  plain                           ~   +   +   +   +   +   +   +   -   +   +   !   -
meetings.reset_feed | A7 M14 M15 | who sees bookings, the own schedule
  plain                           ~   +   +   +   +   +   +   +   -   +   +   !   -
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One request of an operation: which id field varies, whose id stands in it, and the outcome for each column."""

    operation: str
    field: str | None
    place: str
    expected: dict[str, str]

    @property
    def name(self) -> str:
        """How it is called in the table."""
        return PLAIN if self.field is None else f"{self.field}.{self.place}"


@dataclass(frozen=True, slots=True)
class OperationEntry:
    """An operation with its rules and reason, and its rows."""

    name: str
    rules: tuple[str, ...]
    reason: str
    rows: tuple[Row, ...]


def parse(text: str) -> tuple[OperationEntry, ...]:
    """The table's entries; raises for a row that does not have a known mark in every column."""
    found: list[tuple[str, tuple[str, ...], str, list[Row]]] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith(" "):
            name, rules, reason = (part.strip() for part in line.split("|"))
            found.append((name, tuple(rules.split()), reason, []))
            continue
        request, *marks = line.split()
        if len(marks) != len(COLUMNS) or not set(marks) <= set(MARKS):
            raise ValueError(f"{found[-1][0]} {request}: {len(COLUMNS)} known marks, please")
        field, _, place = request.partition(".")
        outcomes = {column: MARKS[mark] for column, mark in zip(COLUMNS, marks, strict=True)}
        found[-1][3].append(Row(found[-1][0], None if field == PLAIN else field, place, outcomes))
    return tuple(OperationEntry(name, rules, reason, tuple(rows)) for name, rules, reason, rows in found)


OPERATIONS: Final = parse(TABLE)
ROWS: Final = tuple(row for entry in OPERATIONS for row in entry.rows)
