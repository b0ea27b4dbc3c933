"""The data set of `bench.search`: a fair of 1,000,000 messages, the same for everybody who builds it.

1,000 exhibitors and 20,000 conversations of 50 messages, written over ten days in the order they would have come. One exhibitor
has 100,000 messages in 2,000 chats, 300 of which one business account holds; another has 200 messages. 60 % of the texts are
Chinese of 6 to 60 characters, the others Latin of 3 to 15 words; words fall off as in real text (Zipf), so there are common ones,
rare ones and everything in between.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Final
from uuid import UUID

import asyncpg

from fairwire_server.chat.search_tokens import SearchTokens

MESSAGES: Final = 1_000_000
PER_CHAT: Final = 50
LARGE_CHATS: Final = 2_000
SMALL_CHATS: Final = 4
OWN_CHATS: Final = 300
EXHIBITORS: Final = 1_000
BUYERS: Final = 5_000
START: Final = datetime(2026, 11, 1, tzinfo=UTC)
DAYS: Final = timedelta(days=10)
PENDING: Final = 1_000
"""Texts that have not been merged into the index of words: nearly as many as its pending list holds."""
_INDEX_COLUMNS: Final = ["conversation_id", "seq", "exhibitor_id", "at", "tokens"]

_TRADE: Final = (
    "的 我们 您好 价格 样品 订单 工厂 产品 可以 请问 质量 交货 付款 数量 合同 报价 多少 公司 谢谢 需要 展会 摊位 运费 包装 尺寸 颜色 "
    "材料 不锈钢 玻璃 机器 轴承 电缆 灯具 家具 纺织 玩具 证书 检验 海关 集装箱 最低 起订量 定制 目录 广州 交会 洽谈 视频 会议 明天"
)
_ENGLISH: Final = (
    "the price sample order factory product please quality delivery payment quantity contract quote how many company thanks need booth "
    "freight packing size color material stainless steel glass machine bearing cable lamp furniture textile toy certificate customs "
    "container minimum custom catalogue meeting tomorrow price_list invoice warranty shipping discount"
)
_SYLLABLES: Final = (
    "ba be bo ca ce co da de di fa fi go gra ha he la le li lo ma me mi mo na ne no pa pe pi po ra re ri ro sa se si so ta te ti to tra "
    "va ve vi vo"
)


def exhibitor(number: int) -> UUID:
    """The id of an exhibitor; 0 is the large one, 1 the small one."""
    return UUID(int=0xE0_0000_0000 + number)


def account(of: int, number: int = 0) -> UUID:
    """An account of exhibitor `of`; 0 is main. Of the large one, 1 holds `OWN_CHATS` chats."""
    return UUID(int=0xA0_0000_0000 + of * 16 + number)


def buyer(number: int) -> UUID:
    """The id of a buyer."""
    return UUID(int=0xB0_0000_0000 + number)


def fair() -> UUID:
    """The fair's id."""
    return UUID(int=0xF0)


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation of the data set."""

    id: UUID
    exhibitor: int
    holder: UUID
    buyer: int
    pos: int


def chats() -> list[Chat]:
    """All 20,000: those of the large exhibitor first, then those of the small one."""
    counts = [LARGE_CHATS, SMALL_CHATS]
    rest = MESSAGES // PER_CHAT - sum(counts)
    others = EXHIBITORS - len(counts)
    counts += [rest // others + (number < rest % others) for number in range(others)]
    found: list[Chat] = []
    for of, count in enumerate(counts):
        for number in range(count):
            holder = 0 if of else 1 if number < OWN_CHATS else 2 + number % 5
            found.append(
                Chat(
                    UUID(int=0xC0_0000_0000 + len(found)),
                    of,
                    account(of, holder),
                    (of * 7 + number) % BUYERS,
                    number + 1,
                )
            )
    return found


class Texts:
    """Texts of a fair, from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        hanzi = [bytes([0xB0 + n // 94, 0xA1 + n % 94]).decode("gb2312") for n in range(3_755)]
        self._random.shuffle(hanzi)
        rank = list(accumulate(1 / (n + 10) for n in range(len(hanzi))))
        made = (
            "".join(self._random.choices(hanzi, cum_weights=rank, k=k))
            for k in self._random.choices((1, 2, 2, 3), k=8_000)
        )
        self._chinese = [*_TRADE.split(), *made]
        words = {
            "".join(self._random.choices(_SYLLABLES.split(), k=k)) for k in self._random.choices((2, 3, 4), k=6_000)
        }
        models = [
            f"{a}{b}-{self._random.randrange(100, 9_999)}"
            for a in "ABCDEFGHKLMNPRST"
            for b in "XYZKLM"
            for _ in range(20)
        ]
        self._latin = [*_ENGLISH.split(), *sorted(words), *models]
        self._chinese_ranks = list(accumulate(1 / (n + 2) for n in range(len(self._chinese))))
        self._latin_ranks = list(accumulate(1 / (n + 2) for n in range(len(self._latin))))

    def __iter__(self) -> Iterator[str]:
        chance = self._random
        while True:
            chinese = chance.choices(self._chinese, cum_weights=self._chinese_ranks, k=20_000)
            latin = chance.choices(self._latin, cum_weights=self._latin_ranks, k=10_000)
            while len(chinese) > 64 and len(latin) > 16:
                if chance.random() < 0.6:
                    length, text = chance.randint(6, 60), ""
                    while len(text) < length:
                        text += chinese.pop()
                    yield text[:length]
                else:
                    yield " ".join(latin.pop() for _ in range(chance.randint(3, 15)))


async def build(dsn: str, tokens: SearchTokens, *, messages: int = MESSAGES) -> None:
    """Fill a migrated database. The index of words is built after the rows, as one would after an import; the newest texts come when it
    is there, and lie in its pending list."""
    connection = await asyncpg.connect(dsn)
    try:
        await _parties(connection, tokens)
        await connection.execute("SET session_replication_role = replica; SET maintenance_work_mem = '512MB'")
        definition = await connection.fetchval("SELECT pg_get_indexdef('message_search_tokens'::regclass)")
        await connection.execute("DROP INDEX message_search_tokens")
        all_chats = chats()
        await _conversations(connection, all_chats)
        newest = await _messages(connection, all_chats, tokens, messages)
        await connection.execute(definition)
        await connection.execute("VACUUM ANALYZE")
        await _copy(connection, "message_search", _INDEX_COLUMNS, newest)
    finally:
        await connection.close()


async def _parties(connection: asyncpg.Connection[asyncpg.Record], tokens: SearchTokens) -> None:
    await connection.execute(
        "INSERT INTO fair (id, code, name_zh, name_en, opens_at, closes_at, created_at) VALUES ($1, 'bench', '展', 'Bench', $2, $3, $2)",
        fair(), START, START + 2 * DAYS,
    )  # fmt: skip
    await connection.execute("INSERT INTO fair_stream (fair_id, epoch) VALUES ($1, 1)", fair())
    names = iter(Texts(2))
    exhibitors = (
        (exhibitor(n), fair(), str(n), next(names)[:12], next(names)[:24], "domestic") for n in range(EXHIBITORS)
    )
    await connection.copy_records_to_table(
        "exhibitor", records=exhibitors, columns=["id", "fair_id", "external_id", "name_zh", "name_en", "domicile"]
    )
    rows: list[tuple[UUID, UUID | None, str, str, str]] = [
        (account(of, n), exhibitor(of), ("main", "business")[n > 0], f"{of}-{n}", f"Sales {of} {n}")
        for of in range(EXHIBITORS)
        for n in range(7 if of == 0 else 1)
    ]
    rows += [(buyer(n), None, "buyer", f"buyer-{n}", next(names)[:16]) for n in range(BUYERS)]
    await _copy(
        connection, "account", ["id", "fair_id", "exhibitor_id", "kind", "login", "name", "name_tokens", "created_at"],
        (_line(i, fair(), e, kind, login, name, tokens.index_tokens(name), START) for i, e, kind, login, name in rows),
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO buyer (account_id, country, interests, complete) SELECT id, 'ES', '{machines}', true FROM account WHERE kind = 'buyer'"
    )
    await connection.execute("INSERT INTO account_stream (account_id, epoch, pos) SELECT id, 1, 1000000 FROM account")


async def _conversations(connection: asyncpg.Connection[asyncpg.Record], all_chats: list[Chat]) -> None:
    end = START + DAYS
    await connection.copy_records_to_table(
        "conversation",
        records=(
            (
                c.id,
                fair(),
                exhibitor(c.exhibitor),
                buyer(c.buyer),
                c.holder,
                PER_CHAT,
                c.pos % 10 == 0,
                START,
                end,
                START,
            )
            for c in all_chats
        ),
        columns=[
            "id",
            "fair_id",
            "exhibitor_id",
            "buyer_id",
            "holder_id",
            "last_seq",
            "open",
            "opened_at",
            "last_at",
            "created_at",
        ],
    )
    await connection.copy_records_to_table(
        "participant",
        records=((c.id, who, c.pos, PER_CHAT) for c in all_chats for who in (c.holder, buyer(c.buyer))),
        columns=["conversation_id", "account_id", "last_pos", "received_seq"],
    )


async def _messages(
    connection: asyncpg.Connection[asyncpg.Record], all_chats: list[Chat], tokens: SearchTokens, messages: int
) -> list[str]:
    """All of them, and their rows of the index but for the newest, which it answers."""
    chance = random.Random(3)
    order = [number for number in range(len(all_chats)) for _ in range(PER_CHAT)]
    chance.shuffle(order)
    texts, seqs = iter(Texts(1)), [0] * len(all_chats)
    newest: list[str] = []
    for start in range(0, messages, 50_000):
        rows: list[str] = []
        index, newest = newest, []
        for number, at in zip(order[start : start + 50_000], range(start, messages), strict=False):
            chat = all_chats[number]
            seqs[number] += 1
            seq, text, when = seqs[number], next(texts), START + DAYS * (at / messages)
            from_team = seq % 2 == 0
            sender = chat.holder if from_team else buyer(chat.buyer)
            side = "team" if from_team else "buyer"
            rows.append(_line(chat.id, seq, "text", side, sender, UUID(int=at + 1), text, when))
            index.append(_line(chat.id, seq, exhibitor(chat.exhibitor), when, tokens.index_tokens(text)))
        await _copy(
            connection, "message", ["conversation_id", "seq", "kind", "side", "sender_id", "cid", "text", "at"], rows
        )
        index, newest = index[:-PENDING], index[-PENDING:]
        await _copy(connection, "message_search", _INDEX_COLUMNS, index)
    return newest


def _line(*values: object) -> str:
    """One row of COPY's text format; nothing of ours holds a tab, a line break or a backslash."""
    return "\t".join("\\N" if value is None else str(value) for value in values) + "\n"


async def _copy(
    connection: asyncpg.Connection[asyncpg.Record], table: str, columns: list[str], rows: Iterable[str]
) -> None:
    await connection.copy_to_table(table, source=io.BytesIO("".join(rows).encode()), columns=columns)
