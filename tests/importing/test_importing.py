"""What an import makes of a fair: A1, A2, A3, A8, O1, and that a second one finds nothing to do."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import msgspec
import pytest

from fairwire_server.bus.notify import CHANNEL, notify, notify_reset
from fairwire_server.importing.importer import Options
from fairwire_server.importing.report import Report
from tests.harness.clock import ManualClock
from tests.importing.helpers import FAIR, Fairground, adds_up

ACCOUNTS = [
    {"id": "a1", "exhibitor": "X1", "type": "main", "name": "王经理", "login": "tianhe"},
    {"id": "a2", "exhibitor": "X1", "type": "business", "name": "Li", "login": ""},
    {"id": "a3", "exhibitor": "X2", "type": "展品子账号", "name": "Uwe", "login": "uwe"},
]
BUYERS = [
    {
        "id": "b1",
        "name": "Anna",
        "country": "de",
        "interests": "LED; Lamps",
        "full_name": "Anna M",
        "company": "Lampen",
        "company_id": "c1",
    },
    {
        "id": "b2",
        "name": "Bob",
        "country": "",
        "interests": "LED",
        "full_name": "Bob B",
        "company": "Lampen",
        "company_id": "c1",
    },
]
EXHIBITS = [
    {
        "exhibitor": "X1",
        "id": "p1",
        "name_en": "Lamp",
        "section": "s1",
        "owner": "a2",
        "tags": "a;b",
        "state": "已下架",
    },
    {"exhibitor": "X2", "id": "p1", "name_en": "Drill", "section": "", "owner": "UWE", "tags": "", "state": ""},
]


def outcome(report: Report, kind: str) -> tuple[int, int, int]:
    counts = report.kinds[kind]
    assert adds_up(report)
    return counts.created, counts.updated, counts.unchanged


async def test_a_whole_fair_in_any_order_and_again(ground: Fairground) -> None:
    """The order between files is free; a second run changes nothing, not even a row's version."""
    kinds = {
        "exhibits": EXHIBITS,
        "buyers": BUYERS,
        "accounts": ACCOUNTS,
        "exhibitors": [
            {"id": "X1", "name_en": "Tianhe", "domicile": "domestic", "sections": "s1"},
            {"id": "X2", "name_en": "Müller", "domicile": "overseas", "sections": ""},
        ],
        "sections": [{"id": "s1", "name_en": "Electronics"}],
        "fairs": [FAIR],
    }
    first = await ground.rows(**kinds)
    assert first.failed == 0
    assert {kind: outcome(first, kind)[0] for kind in first.kinds} == {
        "fair": 1, "section": 1, "exhibitor": 2, "account": 3, "buyer": 2, "exhibit": 2,
    }  # fmt: skip
    versions = (
        "SELECT id, xmin::text FROM account UNION SELECT account_id, xmin::text FROM buyer "
        "UNION SELECT id, xmin::text FROM exhibit ORDER BY 1"
    )
    before = await ground.fetch(versions)
    ground.told.clear()
    second = await ground.rows(**kinds)
    assert all(outcome(second, kind) == (0, 0, counts.total) for kind, counts in second.kinds.items())
    assert await ground.fetch(versions) == before
    assert ground.told == []


async def test_every_account_has_a_stream_and_every_fair_too(fair: Fairground) -> None:
    """W2: a random epoch that a client can hold, position 0."""
    rows = await fair.fetch("SELECT epoch, pos FROM account a LEFT JOIN account_stream s ON s.account_id = a.id")
    rows += await fair.fetch("SELECT epoch, pos FROM fair f LEFT JOIN fair_stream s ON s.fair_id = f.id")
    assert len(rows) == 3
    assert len({row["epoch"] for row in rows}) == 3
    assert all(isinstance(row["epoch"], int) and 0 < row["epoch"] < 2**53 and row["pos"] == 0 for row in rows)


async def test_an_exhibitor_has_exactly_one_main_account(fair: Fairground) -> None:
    """A2: made by the exhibitor's row, then described by a row of its own, and never doubled."""
    mains = "SELECT login, name, external_id FROM account WHERE kind = 'main' ORDER BY external_id"
    assert [row["login"] for row in await fair.fetch(mains)] == ["exhibitor-x1", "mueller"]
    report = await fair.rows(
        accounts=[*ACCOUNTS[:1], {"id": "a9", "exhibitor": "X1", "type": "main", "name": "Second", "login": "second"}]
    )
    assert outcome(report, "account") == (1, 0, 0)
    assert report.kinds["account"].failed == {"main_exists": 1}
    exhibitors = [{"id": "X1", "name_en": "Tianhe Ltd", "domicile": "domestic", "login": "other", "contact": "Other"}]
    assert outcome(await fair.rows(exhibitors=exhibitors), "exhibitor") == (0, 1, 0)
    rows = await fair.fetch(mains)
    assert [(row["login"], row["name"]) for row in rows] == [("tianhe", "王经理"), ("mueller", "Müller GmbH")]


async def test_sub_accounts_beyond_the_limit_fail(fair: Fairground) -> None:
    """A2: the exhibitor's limit, else the fair's, else the installation's; what is there stays."""
    subs = [{"id": f"s{n}", "exhibitor": "X1", "type": "business", "name": f"N{n}"} for n in range(4)]
    report = await fair.rows_with(Options(sub_account_limit=2), accounts=subs)
    assert (outcome(report, "account"), report.kinds["account"].failed) == ((2, 0, 0), {"account_limit": 2})
    assert [failure.line for failure in fair.failed("accounts.csv")] == [4, 5]
    await fair.rows(fairs=[{**FAIR, "sub_account_limit": "3"}])
    report = await fair.rows_with(Options(sub_account_limit=2), accounts=subs)
    assert (outcome(report, "account"), report.kinds["account"].failed) == ((1, 0, 2), {"account_limit": 1})
    await fair.rows(exhibitors=[{"id": "X1", "name_en": "Tianhe", "domicile": "domestic", "sub_account_limit": "0"}])
    report = await fair.rows(accounts=[{"id": "s9", "exhibitor": "X1", "type": "manager", "name": "N"}, *subs[:3]])
    assert (outcome(report, "account"), report.kinds["account"].failed) == ((0, 0, 3), {"account_limit": 1})


async def test_what_does_not_fit_is_put_aside_with_its_reason(fair: Fairground) -> None:
    """A bad row never stops the rest."""
    report = await fair.rows(
        accounts=[
            {"id": "a1", "exhibitor": "X9", "type": "business", "name": "Lost", "login": ""},
            {"id": "a2", "exhibitor": "X1", "type": "boss", "name": "Boss", "login": ""},
            {"id": "a3", "exhibitor": "X1", "type": "organiser", "name": "Me", "login": ""},
            {"id": "a4", "exhibitor": "X1", "type": "business", "name": "", "login": ""},
            {"id": "a5", "exhibitor": "X1", "type": "business", "name": "Taken", "login": "MUELLER"},
            {"id": "a6", "exhibitor": "X1", "type": "business", "name": "Good", "login": "good"},
            {"id": "a6", "exhibitor": "X1", "type": "business", "name": "Again", "login": "again"},
            {"id": "a7", "exhibitor": "X1", "type": "business", "name": "Twin", "login": "Good"},
            {"id": "a8", "exhibitor": "X1", "type": "business", "name": "Spaced", "login": "a b"},
        ],
        exhibits=[
            {"exhibitor": "X9", "id": "p", "name_en": "P", "section": "", "owner": ""},
            {"exhibitor": "X1", "id": "p", "name_en": "P", "section": "s9", "owner": ""},
            {"exhibitor": "X2", "id": "p", "name_en": "P", "section": "", "owner": "a6"},
        ],
    )
    assert outcome(report, "account") == (1, 0, 0)
    failures = {failure.line: (failure.reason, failure.field) for failure in fair.failed("accounts.csv")}
    assert failures == {
        2: ("unknown_exhibitor", "exhibitor"), 3: ("invalid", "type"), 4: ("invalid", "type"), 5: ("missing", "name"),
        6: ("login_taken", "login"), 8: ("duplicate", None), 9: ("login_taken", "login"), 10: ("invalid", "login"),
    }  # fmt: skip
    assert report.kinds["exhibit"].failed == {"unknown_exhibitor": 1, "unknown_section": 1, "unknown_owner": 1}
    kept = fair.failed("accounts.csv")[0].row
    assert isinstance(kept, dict)
    assert kept["exhibitor"] in {"X9", "X1"}


async def test_a_refused_batch_is_halved_down_to_the_row(fair: Fairground) -> None:
    """The database's constraint has the last word, and over one row only."""
    async with fair.database.transaction() as connection:
        await connection.execute("ALTER TABLE exhibit ADD CONSTRAINT no_seven CHECK (external_id NOT LIKE 'p7%')")
    rows = [{"exhibitor": "X1", "id": f"p{n}", "name_en": f"Lamp {n}"} for n in range(12)]
    report = await fair.rows(exhibits=rows)
    assert (outcome(report, "exhibit"), report.kinds["exhibit"].failed) == ((11, 0, 0), {"refused": 1})
    assert [(failure.line, failure.field) for failure in fair.failed("exhibits.csv")] == [(9, "no_seven")]


async def test_completeness_follows_the_fields_of_the_fair(fair: Fairground) -> None:
    """A3: computed for each row, anew when a field is emptied, and for everybody when the fair asks for other fields."""
    complete = "SELECT a.external_id, b.complete FROM buyer b JOIN account a ON a.id = b.account_id ORDER BY 1"
    await fair.rows(buyers=BUYERS)
    assert [row["complete"] for row in await fair.fetch(complete)] == [True, False]
    report = await fair.rows(
        buyers=[{"id": "b1", "name": "Anna", "company": ""}, {"id": "b2", "name": "Bob", "company": "Lampen"}]
    )
    assert outcome(report, "buyer") == (0, 1, 1)
    assert [row["complete"] for row in await fair.fetch(complete)] == [False, False]
    report = await fair.rows(fairs=[{**FAIR, "profile_fields": "full_name;interests"}])
    assert [row["complete"] for row in await fair.fetch(complete)] == [True, True]
    assert report.resets == 2
    assert await fair.value("SELECT count(*) FROM buyer_company") == 1


async def test_absent_columns_leave_and_empty_cells_empty(fair: Fairground) -> None:
    await fair.rows(buyers=[{**BUYERS[0], "time_zone": "Europe/Berlin", "role": "representative", "profile.fax": "1"}])
    await fair.rows(buyers=[{"id": "b1", "name": "Anna", "interests": "", "profile.fax": ""}])
    row = (await fair.fetch("SELECT a.time_zone, b.* FROM buyer b JOIN account a ON a.id = b.account_id"))[0]
    assert (row["country"], row["interests"], row["role"], row["time_zone"]) == (
        "DE",
        [],
        "representative",
        "Europe/Berlin",
    )
    profile = row["profile"]
    assert isinstance(profile, bytes)
    assert msgspec.json.decode(profile) == {"full_name": "Anna M", "company": "Lampen"}


async def test_addresses_are_registered_and_verified_only_if_the_file_says_so(fair: Fairground) -> None:
    """A8: one that its owner has verified is left alone, the rest of the row is taken."""
    addresses = (
        "SELECT email, email_verified_at, mobile, mobile_verified_at FROM account WHERE external_id = 'buyer:b1'"
    )
    clock = ManualClock(datetime(2026, 10, 1, tzinfo=UTC))
    name = fair.file(
        "buyers.csv", "id,name,country,email,email_verified,mobile\nb1,Anna,CN,Anna@Lampen.DE,yes,138 0013 8000\n"
    )
    await fair.files(name, clock=clock)
    row = (await fair.fetch(addresses))[0]
    assert row == {
        "email": "Anna@lampen.de",
        "email_verified_at": clock.now(),
        "mobile": "+8613800138000",
        "mobile_verified_at": None,
    }
    name = fair.file("buyers.csv", "id,name,email,mobile\nb1,Anna B,other@lampen.de,+4915112345678\n")
    report = await fair.files(name)
    assert (outcome(report, "buyer"), report.kinds["buyer"].kept) == ((0, 1, 0), 1)
    row = (await fair.fetch(addresses))[0]
    assert (row["email"], row["mobile"]) == ("Anna@lampen.de", "+4915112345678")
    name = fair.file(
        "buyers.csv", "id,name,email,email_verified\nb2,Twin,Anna@lampen.de,yes\nb3,Free,Anna@lampen.de,no\n"
    )
    report = await fair.files(name)
    assert (outcome(report, "buyer"), report.kinds["buyer"].failed) == ((1, 0, 0), {"address_taken": 1})


async def test_imported_accounts_have_no_password(fair: Fairground) -> None:
    """A9: activated later by a code."""
    assert await fair.value("SELECT count(*) FROM account WHERE password_hash IS NOT NULL") == 0


async def test_types_and_exhibitors_of_accounts_do_not_change_by_import(fair: Fairground) -> None:
    """A6: what an account holds is handed over in the platform; a removed account stays removed."""
    await fair.rows(accounts=ACCOUNTS)
    changed = [{**ACCOUNTS[1], "type": "exhibit"}, {**ACCOUNTS[2], "exhibitor": "X1", "type": "exhibit"}]
    assert (await fair.rows(accounts=changed)).kinds["account"].failed == {"type_changed": 1, "exhibitor_changed": 1}
    async with fair.database.transaction() as connection:
        await connection.execute("UPDATE account SET state = 'removed' WHERE external_id = 'account:a2'")
    assert (await fair.rows(accounts=ACCOUNTS[1:2])).kinds["account"].failed == {"account_removed": 1}


async def test_fairs_never_see_each_other(fair: Fairground) -> None:
    """A1: the same ids and logins at another fair are other rows."""
    other = {**FAIR, "code": "cf141"}
    exhibitor = {"id": "X1", "name_en": "Elsewhere", "domicile": "overseas", "login": "mueller"}
    report = await fair.rows(fairs=[other], exhibitors=[exhibitor])
    assert outcome(report, "exhibitor") == (1, 0, 0)
    assert await fair.value("SELECT count(*) FROM exhibitor WHERE external_id = 'X1'") == 2
    report = await fair.rows(exhibitors=[exhibitor])
    assert report.kinds["exhibitor"].failed == {"unknown_fair": 1}, "two fairs, and the row names none"
    report = await fair.rows_with(Options(fair="cf141"), exhibitors=[exhibitor])
    assert outcome(report, "exhibitor") == (0, 0, 1)


async def test_a_change_that_others_see_renews_their_streams_and_tells_the_server(fair: Fairground) -> None:
    """W6: the renamed account, its colleagues, buyers it wrote with; the buyer's exhibitors. Nobody else. NOTIFY names them."""
    await fair.rows(accounts=ACCOUNTS, buyers=BUYERS)
    async with fair.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO conversation (id, fair_id, exhibitor_id, buyer_id, holder_id, created_at) "
            "SELECT gen_random_uuid(), e.fair_id, e.id, b.id, h.id, now() FROM exhibitor e, account b, account h "
            "WHERE e.external_id = 'X1' AND b.external_id = 'buyer:b1' AND h.external_id = 'account:a2'"
        )
        await connection.execute(
            "INSERT INTO participant (conversation_id, account_id) "
            "SELECT c.id, p.id FROM conversation c, account p WHERE p.id IN (c.buyer_id, c.holder_id)"
        )
    heard: list[str] = []

    async def reset_by(**kinds: list[dict[str, str]]) -> set[object]:
        epochs = {
            row["account_id"]: row["epoch"] for row in await fair.fetch("SELECT account_id, epoch FROM account_stream")
        }
        heard.clear()
        await fair.rows(**kinds)
        rows = await fair.fetch(
            "SELECT s.account_id, s.epoch, a.external_id FROM account_stream s JOIN account a ON a.id = s.account_id"
        )
        changed = {row["account_id"]: row["external_id"] for row in rows if row["epoch"] != epochs[row["account_id"]]}
        await listener.fetchval("SELECT 1")  # what was sent before its answer has come with it
        await asyncio.sleep(0)
        assert {id_ for payload in heard for id_ in json.loads(payload)["reset"]} == {str(id_) for id_ in changed}
        return set(changed.values())

    async with fair.database.dedicated() as listener:
        await listener.add_listener(CHANNEL, lambda *args: heard.append(str(args[3])))
        assert await reset_by(accounts=[{**ACCOUNTS[1], "name": "Lee"}]) == {"account:a1", "account:a2", "buyer:b1"}
        assert await reset_by(accounts=[{**ACCOUNTS[1], "name": "Lee", "login": "lee"}]) == {"account:a2"}
        assert await reset_by(buyers=[{**BUYERS[0], "country": "AT"}]) == {"buyer:b1", "account:a1", "account:a2"}
        assert await reset_by(buyers=[{**BUYERS[1], "country": "AT"}]) == {"buyer:b2"}
        renamed = {"id": "X1", "name_en": "Tianhe Ltd", "domicile": "domestic"}
        assert await reset_by(exhibitors=[renamed]) == {"account:a1", "buyer:b1"}


async def test_notifications_stay_below_what_postgresql_takes(fair: Fairground) -> None:
    async with fair.database.reader() as connection:
        ids = [
            row["id"] for row in await connection.fetch("SELECT gen_random_uuid() AS id FROM generate_series(1, 1000)")
        ]
        await notify_reset(connection, ids)
        with pytest.raises(ValueError, match="does not fit"):
            await notify(connection, {"reset": [str(id_) for id_ in ids]})


async def test_a_dry_run_counts_and_changes_nothing(fair: Fairground) -> None:
    report = await fair.rows_with(Options(dry_run=True), accounts=ACCOUNTS, buyers=BUYERS, exhibits=EXHIBITS)
    assert report.dry_run
    assert [outcome(report, kind)[0] for kind in ("account", "buyer", "exhibit")] == [3, 2, 2]
    assert await fair.value("SELECT count(*) FROM account") == 2
    assert outcome(await fair.rows(accounts=ACCOUNTS), "account") == (3, 0, 0)


async def test_names_are_found_by_their_tokens(fair: Fairground) -> None:
    """C15: both names of an exhibitor, folded."""
    query = "SELECT external_id FROM exhibitor WHERE name_tokens @@ '天河 | muller'::tsquery ORDER BY 1"
    found = await fair.fetch(query)
    assert [row["external_id"] for row in found] == ["X1", "X2"]


async def test_the_failures_file_tells_of_the_last_run(fair: Fairground) -> None:
    await fair.rows(sections=[{"id": "", "name_en": "Nothing"}])
    assert [failure.reason for failure in fair.failed("sections.csv")] == ["missing"]
    await fair.rows(sections=[{"id": "s3", "name_en": "Something"}])
    assert not (fair.folder / "sections.csv.failed.jsonl").exists()


async def test_json_lines_of_all_kinds(ground: Fairground) -> None:
    rows = [
        {
            "kind": "buyer",
            "id": 17,
            "name": "Anna",
            "country": "DE",
            "profile": {"full_name": "A", "fax": "1"},
            "interests": ["LED", "LED"],
        },
        {"kind": "account", "id": "a", "exhibitor": 1, "type": "business", "name": "Li"},
        {"kind": "exhibitor", "id": 1, "name_zh": "天河", "domicile": "domestic", "vip": True, "sections": ["s"]},
        {"kind": "section", "id": "s", "name_zh": "电子"},
        {"kind": "buyer", "id": 18, "name": "Bob", "interest": "x"},
        {"kind": "fair", **FAIR},
    ]
    name = ground.file("all.jsonl", "\n".join(json.dumps(row) for row in rows))
    report = await ground.files(name)
    assert report.failed == 1
    assert [(failure.line, failure.reason, failure.field) for failure in ground.failed("all.jsonl")] == [
        (5, "unknown_field", "interest")
    ]
    assert {kind: counts.created for kind, counts in report.kinds.items()} == {
        "fair": 1, "section": 1, "exhibitor": 1, "account": 1, "buyer": 1,
    }  # fmt: skip
    assert await ground.value("SELECT vip FROM exhibitor") is True
