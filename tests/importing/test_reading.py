"""Files as they come: what refuses a file, what costs a row, and that nothing of it is ever an exception."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairwire_server.importing.lines import LINE_MAX
from fairwire_server.importing.rows import Damaged, Item, Refusal, Row
from fairwire_server.importing.sources import open_sources

HEADER = "id,name_en,domicile\n"
SOUND = HEADER + "X1,One,domestic\nX2,Two,overseas\n"


def read(folder: Path, content: bytes | str, name: str = "exhibitors.csv", **options: str) -> list[Item]:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (source,) = open_sources([str(path)], **options)
    return list(source)


def reasons(items: list[Item]) -> list[str]:
    return [item.reason if isinstance(item, Damaged) else "row" for item in items]


def refusal(folder: Path, content: bytes | str, name: str = "exhibitors.csv", **options: str) -> str:
    with pytest.raises(Refusal) as refused:
        read(folder, content, name, **options)
    return str(refused.value)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_and_byte_order_mark(tmp_path: Path, ending: str, mark: bytes) -> None:
    items = read(tmp_path, mark + SOUND.replace("\n", ending).encode())
    assert [item.fields for item in items if isinstance(item, Row)] == [
        {"id": "X1", "name_en": "One", "domicile": "domestic"},
        {"id": "X2", "name_en": "Two", "domicile": "overseas"},
    ]


def test_quoted_cells_hold_delimiters_quotes_and_lines(tmp_path: Path) -> None:
    items = read(tmp_path, HEADER + 'X1,"A, ""B""\nand C",domestic\nX2,Two,overseas\n')
    assert isinstance(items[0], Row)
    assert items[0].fields["name_en"] == 'A, "B"\nand C'
    assert [item.line for item in items] == [2, 4]


def test_an_unclosed_quote_costs_its_own_line_only(tmp_path: Path) -> None:
    assert reasons(read(tmp_path, HEADER + 'X1,"open,domestic\nX2,Two,overseas\nX3,Three,overseas\n')) == [
        "bad_quotes",
        "row",
        "row",
    ]
    assert reasons(read(tmp_path, HEADER + 'X1,"open,domestic\nX2,"Two",overseas\nX3,"3",overseas\n')) == [
        "bad_quotes",
        "row",
        "row",
    ]
    many = "".join(f"X{number},N,domestic\n" for number in range(3, 1000))
    assert reasons(read(tmp_path, HEADER + 'X1,"open,domestic\n' + many)).count("row") == 997


def test_damaged_lines_cost_themselves(tmp_path: Path) -> None:
    content = (
        HEADER.encode() + b"X1,Caf\xe9,domestic\nX2,One\nX3,One,domestic,more\nX4," + b"x" * LINE_MAX + b",domestic\n"
        b"X5,a\0b,domestic\nX6,a\rb,domestic\nX7,Z\xc3\xbcrich,overseas\n\n   \nX8,cut"
    )
    found = reasons(read(tmp_path, content))
    assert found == [
        "not_decodable",
        "wrong_column_count",
        "wrong_column_count",
        "too_long",
        "row",
        "row",
        "row",
        "wrong_column_count",
    ]


def test_a_line_of_ten_megabytes(tmp_path: Path) -> None:
    items = read(tmp_path, (HEADER + "X1," + "y" * 10_000_000 + ",domestic\nX2,Two,overseas\n").encode())
    assert reasons(items) == ["too_long", "row"]
    assert isinstance(items[0], Damaged)
    assert len(items[0].text) <= 2000
    assert items[1].line == 3


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("\n  \n", "is empty"),
        (SOUND.encode("utf-16"), "UTF-16"),
        (SOUND.encode("utf-16-le"), "UTF-16"),
        (b"PK\x03\x04\x14\x00", "spreadsheet"),
        (SOUND.replace("\n", "\r"), "CR alone"),
        (HEADER.replace(",", ";") + "X1;One;domestic\n", "--delimiter semicolon"),
        (HEADER.replace(",", "\t"), "--delimiter tab"),
        ("id,name_en,domicile,id\n", "stands twice"),
        ("id,name_en,domicil\n", "did you mean 'domicile'"),
        ("id,name_en,domicile,\n", "has no name"),
        ("id,domicile\n", "lacks name_zh or name_en"),
        ("id,name_en\n", "lacks domicile"),
        ('id,"name_en,domicile\n', "quotes of the header"),
        (("id,name_zh,domicile\n" + "X1,广州市天河电子,domestic\n").encode("gbk"), "--encoding gb18030"),
        (b"id,name_\xffen,domicile\n", "header is not utf-8"),
        (b"id," + b"n" * LINE_MAX, "longer than 1 MiB"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, content: bytes | str, says: str) -> None:
    assert says in refusal(tmp_path, content)


def test_all_refusals_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        open_sources(
            [str(tmp_path / "exhibitors.csv"), "exhibiter=nothing.csv", str(tmp_path / "list.csv"), str(tmp_path)]
        )
    said = str(refused.value).splitlines()
    assert "No such file" in said[0]
    assert "did you mean 'exhibitor'" in said[1]
    assert "tells no kind" in said[2]
    assert "is a folder" in said[3]


def test_gbk_is_read_when_named(tmp_path: Path) -> None:
    items = read(tmp_path, "id,name_zh,domicile\nX1,广州市天河电子,境内\n".encode("gbk"), encoding="gbk")
    assert isinstance(items[0], Row)
    assert items[0].fields["name_zh"] == "广州市天河电子"


def test_the_kind_is_a_word_of_the_name_or_named(tmp_path: Path) -> None:
    (tmp_path / "2026-buyers.part2.csv").write_text("id,name\nb1,Anna\n")
    (tmp_path / "x.csv").write_text("id,name\nb1,Anna\n")
    sources = open_sources([str(tmp_path / "2026-buyers.part2.csv"), f"buyers={tmp_path / 'x.csv'}"])
    assert [item.kind for source in sources for item in source] == ["buyer", "buyer"]


def test_json_lines_take_any_kind_and_cost_lines_only(tmp_path: Path) -> None:
    lines = [
        "not json", '{"kind": "buyers", "id": 1, "name": "Anna"}', "[1]", '{"id": "X", "kind": "exhibiter"}', '{"id": 3}', "",
        '{"kind": "fair", "code": "\\ud800"}', "[" * 5000, '{"kind": "buyer", "id": ' + "9" * 5000 + "}", '{"kind": "section"',
    ]  # fmt: skip
    items = read(tmp_path, "\n".join(lines), "all.jsonl")
    assert reasons(items) == [
        "not_json", "row", "not_json", "unknown_kind", "unknown_kind", "not_json", "not_json", "not_json", "not_json",
    ]  # fmt: skip
    assert [item.line for item in items] == [1, 2, 3, 4, 5, 7, 8, 9, 10]


def test_an_unknown_kind_at_the_top_refuses_a_json_lines_file(tmp_path: Path) -> None:
    assert "did you mean 'exhibitor'" in refusal(tmp_path, '{"kind": "exhibiter", "id": "X1"}\n', "all.jsonl")
    assert "names no kind" in refusal(tmp_path, '{"id": "X1"}\n', "all.jsonl")
    assert "is empty" in refusal(tmp_path, "", "all.jsonl")
    items = read(tmp_path, '{"id": "b1", "name": "Anna"}\n', "buyers.jsonl")
    assert [item.kind for item in items] == ["buyer"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["exhibitors.csv", "all.jsonl"]),
    places=st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=6), st.integers(0, 30)), min_size=1, max_size=8),
    encoding=st.sampled_from(["utf-8", "gbk", "gb18030", "big5"]),
)
def test_damage_is_a_refusal_or_costs_rows_never_an_exception(
    tmp_path: Path, name: str, places: list[tuple[int, bytes, int]], encoding: str
) -> None:
    content = (
        (HEADER + "".join(f'X{number},"Größe, {number}",domestic\n' for number in range(12))).encode()
        if name.endswith("csv")
        else b"".join(
            b'{"kind":"exhibitor","id":"X%d","name_zh":"\xe5\xb9\xbf","domicile":"domestic"}\n' % n for n in range(8)
        )
    )
    for at, inserted, removed in places:
        content = content[:at] + inserted + content[at + removed :]
    try:
        items = read(tmp_path, content, name, encoding=encoding)
    except Refusal:
        return
    assert all(isinstance(item, Row | Damaged) for item in items)
    assert sorted({item.line for item in items}) == [item.line for item in items], "a line stands in one item"
