"""What the organiser sees and does about chats: reports, keywords, figures, announcements (A1, A4, C9, C18, W2)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from fairwire_server.chat.keyword_lists import KeywordLists
from fairwire_server.chat.keywords import Action, KeywordList
from fairwire_server.chat.moderation_store import ModerationStore
from tests.chat.desk import Desk
from tests.harness.until import until


async def spoken(desk: Desk) -> tuple[UUID, list[int]]:
    """A conversation of five messages."""
    conversation = await desk.open("buyer")
    return conversation, [await desk.say("buyer", conversation, f"message {number}") for number in range(5)]


async def reported(desk: Desk, who: str, conversation: UUID, seqs: list[int]) -> UUID:
    """A new report."""
    reply = await desk.call(who, "chat.report", conversation=conversation, seqs=seqs, reason="rude")
    report: UUID = reply.report
    return report


async def set_keywords(desk: Desk, **words: str) -> None:
    """The fair's whole list."""
    keywords = [{"word": word, "action": action} for word, action in words.items()]
    await desk.call("organiser", "organiser.set_keywords", keywords=keywords)


async def test_c18_a_report_carries_the_named_messages_and_no_others_a4(desk: Desk) -> None:
    conversation, seqs = await spoken(desk)
    report = await reported(desk, "main", conversation, [seqs[3], seqs[1], seqs[1]])
    reply = await desk.call("organiser", "organiser.read_report", report=report)
    assert [message.text for message in reply.messages] == ["message 1", "message 3"]
    assert (reply.report.count, reply.report.reporter) == (2, desk.running.ground["main"].id)


async def test_a4_every_reading_is_in_the_audit_log(desk: Desk) -> None:
    conversation, seqs = await spoken(desk)
    report = await reported(desk, "buyer", conversation, seqs[:1])
    for count in range(3):
        assert await desk.value("audited", "report.read", desk.running.ground["organiser"].id) == count
        await desk.call("organiser", "organiser.read_report", report=report)
    entries = (await desk.call("organiser", "organiser.audit")).entries
    assert [entry.subject for entry in entries if entry.action == "report.read"] == [report] * 3


async def test_c18_the_organisers_of_the_fair_get_a_notice_a1(desk: Desk) -> None:
    conversation, seqs = await spoken(desk)
    await reported(desk, "buyer", conversation, seqs[:1])
    ground = desk.running.ground

    async def told() -> bool:
        return bool(await desk.value("notices", ground["organiser"].id) == 1)

    await until(told)
    for who in ("far_organiser", "buyer", "main", "manager"):
        assert await desk.value("notices", ground[who].id) == 0, who


async def test_c9_nobody_reports_what_it_may_not_read(desk: Desk) -> None:
    conversation, seqs = await spoken(desk)
    for who in ("buyer2", "rival", "sales", "far_buyer", "far_main"):
        fields: dict[str, Any] = {"conversation": conversation, "seqs": [seqs[0]], "reason": "x"}
        assert await desk.code(who, "chat.report", **fields) == "not_found", who
    await desk.transfer("main", conversation, "sales")
    await desk.transfer("sales", conversation, "sales2")
    later = await desk.say("buyer", conversation, "not for sales")
    assert await desk.code("sales", "chat.report", conversation=conversation, seqs=[seqs[0]], reason="x") == "ok"
    assert await desk.code("sales", "chat.report", conversation=conversation, seqs=[later], reason="x") == "not_found"
    for seq in (0, later + 1):
        assert await desk.code("buyer", "chat.report", conversation=conversation, seqs=[seq], reason="x") == "not_found"


async def test_a1_another_fairs_organiser_meets_no_report(desk: Desk) -> None:
    conversation, seqs = await spoken(desk)
    report = await reported(desk, "buyer", conversation, seqs[:1])
    assert (await desk.call("far_organiser", "organiser.reports")).reports == ()
    for operation in ("organiser.read_report", "organiser.close_report"):
        assert await desk.code("far_organiser", operation, report=report) == "not_found"
        assert await desk.code("organiser", operation, report=uuid4()) == "not_found"


async def test_c18_reports_are_listed_newest_first_until_closed(desk: Desk) -> None:
    conversation, seqs = await spoken(desk)
    made = [await reported(desk, "buyer", conversation, [seq]) for seq in seqs[:3]]
    await desk.call("organiser", "organiser.close_report", report=made[1])
    await desk.call("organiser", "organiser.close_report", report=made[1])  # twice is no error, and one line in the log
    assert await desk.value("audited", "report.close", desk.running.ground["organiser"].id) == 1
    listed = (await desk.call("organiser", "organiser.reports")).reports
    assert [report.id for report in listed] == [made[2], made[0]]
    every = (await desk.call("organiser", "organiser.reports", state="all")).reports
    assert [(report.id, report.closed) for report in every] == [(made[2], False), (made[1], True), (made[0], False)]
    assert "message" not in repr(every)


async def test_c18_a_page_of_reports_is_continued(desk: Desk) -> None:
    conversation, seqs = await spoken(desk)
    made = [await reported(desk, "buyer", conversation, seqs[:1]) for _ in range(53)]
    first = await desk.call("organiser", "organiser.reports")
    second = await desk.call("organiser", "organiser.reports", after=first.next)
    assert [report.id for report in (*first.reports, *second.reports)] == made[::-1]
    assert second.next is None
    assert await desk.code("organiser", "organiser.reports", after="nonsense") == "invalid"


async def test_c12_a_report_of_a_recalled_message_shows_that_it_was_recalled(desk: Desk) -> None:
    conversation, seqs = await spoken(desk)
    report = await reported(desk, "main", conversation, seqs[:1])
    await desk.call("buyer", "chat.recall", conversation=conversation, seq=seqs[0])
    (message,) = (await desk.call("organiser", "organiser.read_report", report=report)).messages
    assert message.recalled
    assert message.text is None


async def test_c18_a_new_keyword_counts_from_its_commit_on(desk: Desk) -> None:
    conversation, _ = await spoken(desk)
    await set_keywords(desk, 加微信="refuse", whatsapp="flag")
    code = await desk.code("buyer", "chat.send", conversation=conversation, kind="text", text="请加微信吧")
    assert code == "refused_keyword"
    await desk.say("buyer", conversation, "my WhatsApp is")
    assert (await desk.call("organiser", "organiser.figures")).flagged_messages == 1
    await set_keywords(desk, other="flag")
    await desk.say("buyer", conversation, "请加微信吧")
    keywords = (await desk.call("organiser", "organiser.keywords")).keywords
    assert [(keyword.word, keyword.action) for keyword in keywords] == [("other", "flag")]
    await desk.call("organiser", "organiser.set_keywords", keywords=[])
    assert (await desk.call("organiser", "organiser.keywords")).keywords == ()


async def test_c18_a_word_listed_twice_means_the_graver_and_an_invisible_one_is_invalid(desk: Desk) -> None:
    words = [{"word": "a", "action": "refuse"}, {"word": " a ", "action": "flag"}, {"word": "b", "action": "flag"}]
    reply = await desk.call("organiser", "organiser.set_keywords", keywords=words)
    assert [(keyword.word, keyword.action) for keyword in reply.keywords] == [("a", "refuse"), ("b", "flag")]
    invisible = [{"word": "\u200b", "action": "flag"}]
    assert await desk.code("organiser", "organiser.set_keywords", keywords=invisible) == "invalid"
    assert len((await desk.call("organiser", "organiser.keywords")).keywords) == 2


async def test_a1_one_fairs_keywords_mean_nothing_to_another(desk: Desk) -> None:
    await set_keywords(desk, secret="refuse")
    await desk.say("far_buyer", await desk.open("far_buyer", "far"), "secret")
    assert (await desk.call("far_organiser", "organiser.keywords")).keywords == ()


async def test_c18_two_lists_at_once_leave_one_of_them(desk: Desk) -> None:
    lists = [{f"word{number}": "flag", "shared": "refuse"} for number in range(6)]
    await asyncio.gather(*(set_keywords(desk, **words) for words in lists))
    keywords = (await desk.call("organiser", "organiser.keywords")).keywords
    assert {keyword.word: keyword.action for keyword in keywords} in lists


async def test_c18_another_node_learns_of_a_change(desk: Desk) -> None:
    node = desk.running.node
    other = KeywordLists(node.works, ModerationStore(), node.ground.folding)
    fair = desk.running.ground.fairs["one"]
    await set_keywords(desk, bad="refuse")
    await other.refresh()
    assert other(fair).check("bad").action == "refuse"
    await set_keywords(desk, bad="flag")
    await other.refresh()
    assert other(fair).check("bad").action == "flag"
    await desk.call("organiser", "organiser.set_keywords", keywords=[])
    await other.refresh()
    assert other(fair).check("bad").action == "pass"
    assert other(desk.running.ground.fairs["two"]).check("bad").action == "pass"


class Overtaken(KeywordLists):
    """While it makes what it has read, this node commits a newer list."""

    overtaken_by: tuple[UUID, Mapping[str, Action]] | None = None

    async def build(self, words: Mapping[str, Action]) -> KeywordList:
        if self.overtaken_by is not None:
            fair, newer = self.overtaken_by
            self.put(fair, await super().build(newer))
        return await super().build(words)


async def test_c18_a_refresh_that_began_earlier_does_not_undo_what_was_put(desk: Desk) -> None:
    node, fair = desk.running.node, desk.running.ground.fairs["one"]
    lists = Overtaken(node.works, ModerationStore(), node.ground.folding)
    await set_keywords(desk, old="refuse")
    lists.overtaken_by = (fair, {"new": "refuse"})
    await lists.refresh()
    assert lists(fair).check("new").action == "refuse"
    assert lists(fair).check("old").action == "pass"


async def test_a4_figures_count_the_own_fair(desk: Desk) -> None:
    conversation, seqs = await spoken(desk)
    await reported(desk, "buyer", conversation, seqs[:1])
    await desk.say("far_buyer", await desk.open("far_buyer", "far"), "hello")
    figures = await desk.call("organiser", "organiser.figures")
    assert (figures.exhibitors, figures.buyers) == (2, 3)
    assert (figures.conversations, figures.open_chats, figures.waiting_chats) == (1, 1, 0)
    assert (figures.messages, figures.open_reports, figures.flagged_messages) == (5, 1, 0)
    assert (figures.sockets, figures.accounts_online) == (0, {})
    assert (await desk.call("far_organiser", "organiser.figures")).messages == 1


async def test_w2_an_announcement_is_one_row_and_once_per_cid_w7(desk: Desk) -> None:
    cid = uuid4()
    first = await desk.call("organiser", "fair.announce", cid=cid, title="Hall 3 is open", text="Come in")
    again = await desk.call("organiser", "fair.announce", cid=cid, title="Hall 3 is open", text="Come in")
    assert again == first
    other = await desk.call("organiser", "fair.announce", title="闭馆", language="zh")
    assert other.pos == first.pos + 1
    assert await desk.value("audited", "fair.announce", desk.running.ground["organiser"].id) == 2
    assert await desk.code("organiser", "fair.announce", title=" ") == "empty_text"


async def test_a4_only_organisers_may(desk: Desk) -> None:
    calls: dict[str, dict[str, Any]] = {
        "fair.announce": {"title": "x"}, "organiser.figures": {}, "organiser.reports": {}, "organiser.keywords": {},
        "organiser.read_report": {"report": uuid4()}, "organiser.close_report": {"report": uuid4()},
        "organiser.set_keywords": {"keywords": []},
    }  # fmt: skip
    for who in ("buyer", "main", "manager", "sales", "exhibit"):
        for operation, fields in calls.items():
            assert await desk.code(who, operation, **fields) == "forbidden", (who, operation)
    assert await desk.code("organiser", "chat.report", conversation=uuid4(), seqs=[1], reason="x") == "forbidden"
