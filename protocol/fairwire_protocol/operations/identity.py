"""Operations on accounts, sessions and the fair's directory (A)."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fairwire_protocol.models import Account, Exhibit, ExhibitorCard, Fair, Model, Session
from fairwire_protocol.operations.base import Empty, Operation, Request

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Login = Annotated[str, Meta(min_length=1, max_length=200)]
Password = Annotated[str, Meta(min_length=1, max_length=200)]
NewPassword = Annotated[str, Meta(min_length=10, max_length=200)]
Address = Annotated[str, Meta(min_length=3, max_length=254)]
VerificationCode = Annotated[str, Meta(min_length=4, max_length=12)]
Language = Annotated[str, Meta(min_length=2, max_length=35)]
TimeZone = Annotated[str, Meta(min_length=1, max_length=64)]
DeviceId = Annotated[str, Meta(min_length=1, max_length=64)]
DeviceName = Annotated[str, Meta(max_length=100)]
FairCode = Annotated[str, Meta(min_length=1, max_length=64)]
Token = Annotated[str, Meta(min_length=1, max_length=2000)]
SubAccountKind = Literal["manager", "business", "exhibit"]
Profile = Annotated[
    dict[Annotated[str, Meta(max_length=40)], Annotated[str, Meta(max_length=500)]], Meta(max_length=40)
]


class SignIn(Request, frozen=True, kw_only=True):
    """By login and password (A9)."""

    fair: FairCode
    login: Login
    password: Password
    device: DeviceId
    device_name: DeviceName = ""


class RequestSignInCode(Request, frozen=True, kw_only=True):
    """Send a sign-in code to a verified number or email. The answer never tells whether there is such an account."""

    fair: FairCode
    address: Address


class SignInByCode(Request, frozen=True, kw_only=True):
    """By the code sent to a verified address (A9)."""

    fair: FairCode
    address: Address
    code: VerificationCode
    device: DeviceId
    device_name: DeviceName = ""


class SignedIn(Model, frozen=True, kw_only=True):
    """A session: `access_token` for calls and sockets until `expires_at`, `refresh_token` for the next pair (W13)."""

    account: Account
    session: UUID
    access_token: str
    expires_at: int
    refresh_token: str


class RefreshSession(Request, frozen=True, kw_only=True):
    """Exchange a refresh token; it is rotated, the old one answers the same for 60 s (W13)."""

    refresh_token: Token


class RequestActivation(Request, frozen=True, kw_only=True):
    """Send an activation code to the address an imported account is registered with. Tells nobody whether it exists."""

    fair: FairCode
    login: Login


class Activate(Request, frozen=True, kw_only=True):
    """Set the first password of an imported account, with the code that was sent."""

    fair: FairCode
    login: Login
    code: VerificationCode
    password: NewPassword


class SessionList(Model, frozen=True, kw_only=True):
    """Signed-in devices, the most recently used first."""

    sessions: tuple[Session, ...]


class SessionRef(Request, frozen=True, kw_only=True):
    """One session of the own account."""

    session: UUID


class AccountReply(Model, frozen=True, kw_only=True):
    """An account."""

    account: Account


class UpdateAccount(Request, frozen=True, kw_only=True):
    """What an account changes about itself; fields left out stay."""

    name: Name | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    time_zone: TimeZone | UnsetType | None = UNSET


class ChangePassword(Request, frozen=True, kw_only=True):
    """A new password revokes the other sessions (A9)."""

    current: Password
    new: NewPassword


class RequestAddress(Request, frozen=True, kw_only=True):
    """Register or change a number or email. A verified number changes only with a code sent to the present one first (A8)."""

    address: Address
    current_code: VerificationCode | None = None


class AddressRequested(Model, frozen=True, kw_only=True):
    """Where the code went: to the new address, or first to the current one."""

    sent_to: Literal["new", "current"]


class VerifyAddress(Request, frozen=True, kw_only=True):
    """The code that came to the new address."""

    address: Address
    code: VerificationCode


class RegisterBuyer(Request, frozen=True, kw_only=True):
    """A buyer registers itself (A3)."""

    fair: FairCode
    login: Login
    password: NewPassword
    name: Name
    role: Literal["buyer", "representative"] = "buyer"
    email: Address | None = None
    mobile: Address | None = None
    country: Annotated[str, Meta(pattern="^[A-Z]{2}$")] | None = None
    interests: Annotated[tuple[Name, ...], Meta(max_length=20)] = ()
    profile: Profile = msgspec.field(default_factory=dict)
    language: Language = "en"
    device: DeviceId
    device_name: DeviceName = ""


class UpdateProfile(Request, frozen=True, kw_only=True):
    """A buyer's own data; fields left out stay, a field set to "" is emptied and completeness recomputed (A3)."""

    role: Literal["buyer", "representative"] | UnsetType = UNSET
    country: Annotated[str, Meta(pattern="^([A-Z]{2})?$")] | UnsetType = UNSET
    interests: Annotated[tuple[Name, ...], Meta(max_length=20)] | UnsetType = UNSET
    profile: Profile | UnsetType = UNSET


class Team(Model, frozen=True, kw_only=True):
    """The exhibitor's accounts, main first, and how many sub-accounts it may have (A2)."""

    accounts: tuple[Account, ...]
    sub_account_limit: int


class CreateSubAccount(Request, frozen=True, kw_only=True):
    """Main creates a sub-account (子账号)."""

    kind: SubAccountKind
    login: Login
    name: Name
    password: NewPassword
    mobile: Address | None = None
    email: Address | None = None


class UpdateSubAccount(Request, frozen=True, kw_only=True):
    """Main changes a sub-account; fields left out stay."""

    account: UUID
    kind: SubAccountKind | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    password: NewPassword | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    handover_to: UUID | None = None


class RemoveSubAccount(Request, frozen=True, kw_only=True):
    """Remove a sub-account; what it holds goes to `handover_to` in one step, or the removal is refused with the list (A6)."""

    account: UUID
    handover_to: UUID | None = None


class FairRef(Request, frozen=True, kw_only=True):
    """A fair by its code."""

    fair: FairCode


class FairReply(Model, frozen=True, kw_only=True):
    """The fair, its sections, and the fields a complete profile has."""

    fair: Fair


class ListExhibitors(Request, frozen=True, kw_only=True):
    """The fair's exhibitors by name; `query` finds by words of either name, `section` narrows."""

    query: Annotated[str, Meta(max_length=200)] = ""
    section: UUID | None = None
    after: Annotated[str, Meta(max_length=400)] | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 30


class ExhibitorList(Model, frozen=True, kw_only=True):
    """A page; `next` continues it."""

    exhibitors: tuple[ExhibitorCard, ...]
    next: str | None = None


class ExhibitorRef(Request, frozen=True, kw_only=True):
    """One exhibitor."""

    exhibitor: UUID


class ExhibitorReply(Model, frozen=True, kw_only=True):
    """The exhibitor and its listed exhibits, as many as a page holds."""

    exhibitor: ExhibitorCard
    exhibits: tuple[Exhibit, ...] = ()


SIGN_IN = Operation(
    name="auth.sign_in", request=SignIn, reply=SignedIn, http=("POST", "/v1/sign-in"), socket=False,
    one_door="a socket opens with an access token", summary="Sign in by login and password.",
    rules=("A5", "A9", "W13"), rate="sign_in", effect="ephemeral", anonymous=True,
)  # fmt: skip
REQUEST_SIGN_IN_CODE = Operation(
    name="auth.request_code", request=RequestSignInCode, reply=Empty, http=("POST", "/v1/sign-in/code"), socket=False,
    one_door="a socket opens with an access token", summary="Have a sign-in code sent to a verified address.",
    rules=("A9",), rate="sign_in", effect="ephemeral", anonymous=True,
)  # fmt: skip
SIGN_IN_BY_CODE = Operation(
    name="auth.sign_in_by_code", request=SignInByCode, reply=SignedIn, http=("POST", "/v1/sign-in/by-code"), socket=False,
    one_door="a socket opens with an access token", summary="Sign in by a code sent to a verified address.",
    rules=("A9",), rate="sign_in", effect="ephemeral", anonymous=True,
)  # fmt: skip
REFRESH = Operation(
    name="auth.refresh", request=RefreshSession, reply=SignedIn, http=("POST", "/v1/refresh"), socket=False,
    one_door="it works when no access token does", summary="Exchange a refresh token for a new pair.",
    rules=("W13",), rate="sign_in", effect="ephemeral", anonymous=True,
)  # fmt: skip
REQUEST_ACTIVATION = Operation(
    name="auth.request_activation", request=RequestActivation, reply=Empty, http=("POST", "/v1/activation/code"), socket=False,
    one_door="a socket opens with an access token", summary="Have an activation code sent to an imported account's address.",
    rules=("A9",), rate="sign_in", effect="ephemeral", anonymous=True,
)  # fmt: skip
ACTIVATE = Operation(
    name="auth.activate", request=Activate, reply=Empty, http=("POST", "/v1/activation"), socket=False,
    one_door="a socket opens with an access token", summary="Set the first password of an imported account.",
    rules=("A9",), rate="sign_in", effect="ephemeral", anonymous=True,
)  # fmt: skip
REGISTER_BUYER = Operation(
    name="auth.register", request=RegisterBuyer, reply=SignedIn, http=("POST", "/v1/buyers"), socket=False,
    one_door="a socket opens with an access token", summary="Register as a buyer or representative and sign in.",
    rules=("A3",), rate="sign_in", effect="ephemeral", anonymous=True,
)  # fmt: skip
SIGN_OUT = Operation(
    name="auth.sign_out", request=Request, reply=Empty, http=("POST", "/v1/sign-out"),
    summary="End this session and its sockets.", rules=("A9",), rate="command", effect="idempotent",
)  # fmt: skip
SESSIONS = Operation(
    name="auth.sessions", request=Request, reply=SessionList, http=("GET", "/v1/sessions"),
    summary="The account's signed-in devices.", rules=("A5",), rate="read", effect="read",
)  # fmt: skip
REVOKE = Operation(
    name="auth.revoke", request=SessionRef, reply=Empty, http=("DELETE", "/v1/sessions/{session}"),
    summary="Sign another device out; its sockets close within a second.", rules=("A5", "A6"), rate="command", effect="idempotent",
)  # fmt: skip
ME = Operation(
    name="account.show", request=Request, reply=AccountReply, http=("GET", "/v1/me"),
    summary="The own account and what it may do.", rules=("A7",), rate="read", effect="read",
)  # fmt: skip
UPDATE_ME = Operation(
    name="account.update", request=UpdateAccount, reply=AccountReply, http=("PATCH", "/v1/me"),
    summary="Change the own name, language or time zone.", rules=("A9",), rate="command", effect="idempotent",
)  # fmt: skip
CHANGE_PASSWORD = Operation(
    name="account.change_password", request=ChangePassword, reply=Empty, http=("POST", "/v1/me/password"),
    summary="Set a new password; the other sessions end.", rules=("A9",), rate="sign_in", effect="ephemeral",
)  # fmt: skip
REQUEST_ADDRESS = Operation(
    name="account.request_address", request=RequestAddress, reply=AddressRequested, http=("POST", "/v1/me/addresses"),
    summary="Register or change the own number or email; a code is sent.", rules=("A8",), rate="sign_in", effect="ephemeral",
)  # fmt: skip
VERIFY_ADDRESS = Operation(
    name="account.verify_address", request=VerifyAddress, reply=AccountReply, http=("POST", "/v1/me/addresses/verify"),
    summary="Verify an address by the code that came to it.", rules=("A8",), rate="sign_in", effect="ephemeral",
)  # fmt: skip
UPDATE_PROFILE = Operation(
    name="buyer.update_profile", request=UpdateProfile, reply=AccountReply, http=("PATCH", "/v1/me/profile"),
    summary="Change the own buyer profile; completeness is recomputed.", rules=("A3",), rate="command", effect="idempotent",
)  # fmt: skip
TEAM = Operation(
    name="team.list", request=Request, reply=Team, http=("GET", "/v1/team"),
    summary="The exhibitor's accounts.", rules=("A2", "A9"), rate="read", effect="read",
)  # fmt: skip
CREATE_SUB_ACCOUNT = Operation(
    name="team.create", request=CreateSubAccount, reply=AccountReply, http=("POST", "/v1/team"),
    summary="Create a sub-account (子账号).", rules=("A2", "A9"), rate="command", effect="once",
)  # fmt: skip
UPDATE_SUB_ACCOUNT = Operation(
    name="team.update", request=UpdateSubAccount, reply=AccountReply, http=("PATCH", "/v1/team/{account}"),
    summary="Edit, disable or re-enable a sub-account, or change its type.", rules=("A6", "A9"), rate="command", effect="idempotent",
)  # fmt: skip
REMOVE_SUB_ACCOUNT = Operation(
    name="team.remove", request=RemoveSubAccount, reply=Empty, http=("POST", "/v1/team/{account}/removal"),
    summary="Remove a sub-account, handing over what it holds in the same step.", rules=("A6",), rate="command", effect="idempotent",
)  # fmt: skip
FAIR = Operation(
    name="fair.show", request=FairRef, reply=FairReply, http=("GET", "/v1/fairs/{fair}"), socket=False, anonymous=True,
    one_door="it is read before signing in", summary="A fair and its sections.", rules=("A1",), rate="read", effect="read",
)  # fmt: skip
EXHIBITORS = Operation(
    name="exhibitors.list", request=ListExhibitors, reply=ExhibitorList, http=("GET", "/v1/exhibitors"),
    summary="The fair's exhibitors, by name or section.", rules=("A2",), rate="read", effect="read",
)  # fmt: skip
EXHIBITOR = Operation(
    name="exhibitors.show", request=ExhibitorRef, reply=ExhibitorReply, http=("GET", "/v1/exhibitors/{exhibitor}"),
    summary="An exhibitor and its listed exhibits.", rules=("A2", "C2", "C5"), rate="read", effect="read",
)  # fmt: skip
