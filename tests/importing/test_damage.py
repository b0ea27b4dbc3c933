"""Damaged files against a real database: whatever is in them, every row is accounted for and nothing else happens."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairwire_server.importing.importer import Options
from fairwire_server.importing.rows import Refusal
from tests.importing.helpers import FAIR, Fairground, adds_up, as_csv

CELLS = st.one_of(
    st.sampled_from(["", "X1", "x1", "domestic", "s1;s9", "yes", "+8613800138000", "a@b.cn", "DE", "\x00", '"', "0", "main"]),
    st.text(max_size=12),
    st.integers(190, 230).map("长".__mul__),
)  # fmt: skip
EXHIBITOR = (
    "id", "name_zh", "name_en", "domicile", "vip", "sections", "sub_account_limit", "login", "contact", "mobile", "mobile_verified",
    "email", "email_verified", "language", "time_zone",
)  # fmt: skip
ACCOUNT = ("id", "exhibitor", "type", "name", "login", "mobile", "mobile_verified", "email", "email_verified")
BUYER = (
    "id",
    "name",
    "login",
    "role",
    "company_id",
    "company",
    "country",
    "interests",
    "full_name",
    "profile.fax",
    "avatar",
)
EXHIBIT = ("exhibitor", "id", "name_zh", "name_en", "code", "section", "owner", "tags", "state")


def rows_of(columns: tuple[str, ...]) -> st.SearchStrategy[list[dict[str, str]]]:
    return st.lists(st.fixed_dictionaries(dict.fromkeys(columns, CELLS)), min_size=1, max_size=4)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(exhibitors=rows_of(EXHIBITOR), accounts=rows_of(ACCOUNT), buyers=rows_of(BUYER), exhibits=rows_of(EXHIBIT))
async def test_every_row_is_accounted_for(
    fair: Fairground,
    exhibitors: list[dict[str, str]],
    accounts: list[dict[str, str]],
    buyers: list[dict[str, str]],
    exhibits: list[dict[str, str]],
) -> None:
    """total = created + updated + unchanged + failed + duplicate, whatever the cells hold."""
    before = await fair.fetch("SELECT id, xmin::text FROM account ORDER BY id")
    report = await fair.rows_with(
        Options(dry_run=True), exhibitors=exhibitors, accounts=accounts, buyers=buyers, exhibits=exhibits
    )
    assert adds_up(report)
    assert {kind: counts.total for kind, counts in report.kinds.items() if kind != "unknown"}.keys() == {
        "exhibitor", "account", "buyer", "exhibit",
    }  # fmt: skip
    failed = sum(len(fair.failed(f"{kind}.csv")) for kind in ("exhibitors", "accounts", "buyers", "exhibits"))
    assert failed == report.failed + sum(counts.duplicate for counts in report.kinds.values())
    assert await fair.fetch("SELECT id, xmin::text FROM account ORDER BY id") == before


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(st.tuples(st.integers(0, 900), st.binary(max_size=8), st.integers(0, 60)), min_size=1, max_size=6))
async def test_damaged_bytes(fair: Fairground, places: list[tuple[int, bytes, int]]) -> None:
    """Cut, overwritten and torn places in a file: refused before anything is read, or every row accounted for."""
    content = as_csv(
        [
            {"id": f"b{n}", "name": f'Änne "{n}"', "country": "DE", "company": "Größe,\nSohn", "interests": "LED"}
            for n in range(20)
        ]
    ).encode()
    for at, inserted, removed in places:
        content = content[:at] + inserted + content[at + removed :]
    name = fair.file("buyers.csv", content)
    try:
        report = await fair.files(name, options=Options(dry_run=True))
    except Refusal:
        return
    assert adds_up(report)


async def test_a_torn_fair_row_takes_nothing_with_it(ground: Fairground) -> None:
    """Rows of a fair that could not be made fail by their own reason."""
    report = await ground.rows(fairs=[{**FAIR, "opens_at": "soon"}], sections=[{"id": "s1", "name_en": "Tools"}])
    assert report.kinds["fair"].failed == {"invalid": 1}
    assert report.kinds["section"].failed == {"unknown_fair": 1}
