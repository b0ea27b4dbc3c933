"""The catalogue is refused when it is configured, with all its faults, and never when something is to be sent (N7)."""

from __future__ import annotations

from importlib.resources import files

import pytest

from fairwire_server.notices.segment_rules import segments
from fairwire_server.notices.sms_catalogue import LONGEST, VARIABLES, CatalogueError, default_catalogue, read_catalogue

SHIPPED = files("fairwire_server.notices").joinpath("sms_templates.toml").read_text("utf-8")
URL = "https://fair.example"
OFFERED = {"time": "11月25日14:30", "room": "123456789", "code": "123456", "minutes": "10"}
LATIN = OFFERED | {"time": "25 Nov 14:30"}


def faults(text: str, provider: str = "") -> tuple[str, ...]:
    with pytest.raises(CatalogueError) as caught:
        read_catalogue(text, URL, provider)
    return caught.value.faults


def test_the_shipped_one_has_each_kind_in_both_languages_within_its_segments_n7() -> None:
    catalogue = default_catalogue(URL)
    assert set(catalogue.templates) == {(kind, language) for kind in VARIABLES for language in ("zh", "en")}
    for (_, language), template in catalogue.templates.items():
        text = template.filled(LATIN if language == "en" else OFFERED)
        assert text.startswith("【Fairwire】" if language == "zh" else "[Fairwire] ")
        assert segments(text).count <= 2
        assert "{" not in text
        assert "://" not in text


def test_short_messages_carry_time_room_and_the_fixed_address_and_no_link_n7() -> None:
    text = default_catalogue(URL).find("reminder_soon", "zh-CN").filled(OFFERED)
    assert text == "【Fairwire】您的预约洽谈即将开始：11月25日14:30，会议号123456789。请登录fair.example进入。"


def test_languages_that_are_not_there_read_english_n7() -> None:
    catalogue = default_catalogue(URL)
    assert catalogue.find("code", "es").language == catalogue.find("code", "en-GB").language == "en"
    assert catalogue.find("code", "zh-Hant").language == "zh"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "{time}，会议号{room}。请登录{platform}进入",
            "{time}，{company}",
            "kinds.assigned.zh: Unknown variable company",
        ),
        ("进入。", "进入https://fair.example/m/1", "kinds.assigned.zh: An address in the text"),
        ("请登录{platform}", "请登录{platform}/{room}", "kinds.assigned.zh: A variable beside {platform}"),
        ("请登录{platform}进入。", "您好" * 70, "kinds.assigned.zh: May take 3 segments, 2 are allowed."),
        ("会议号{room}", "会议号{room", "kinds.assigned.zh: The braces of the text do not fit."),
        ("会议号{room}", "会议号{room.__class__}", "kinds.assigned.zh: The braces of the text do not fit."),
        ("会议号{room}", "会议号【{room}】", "kinds.assigned.zh: Control characters or 【】"),
        ("room {room}. Sign in at", "room {room} — sign in at", "kinds.assigned.en: A character outside the GSM"),
        ("[kinds.assigned]", "[kinds.assinged]", "kinds.assinged: There is no such kind"),
        ("zh.text", "fr.text", "kinds.assigned.fr: There is no such language"),
        ('zh = "Fairwire"', 'zh = "F"', "signature.zh: Expected 2 to 18 characters"),
        ("zh = 2", "zh = 0", "segments.zh: Expected 1 to 8."),
        ('version = "1"', 'version = "1"\ncolour = "red"', "Object contains unknown field `colour`"),
    ],
)
def test_each_fault_is_found_when_it_is_read_n7(old: str, new: str, fault: str) -> None:
    assert any(one.startswith(fault) for one in faults(SHIPPED.replace(old, new, 1)))


def test_all_faults_are_told_together_n7() -> None:
    broken = SHIPPED.replace("{time}", "{when}").replace("en = 2", "en = 99")
    assert len(faults(broken)) >= 11


def test_a_provider_of_templates_needs_an_id_for_each_n7() -> None:
    assert len(faults(SHIPPED, "aliyun")) == 2 * len(VARIABLES)
    read_catalogue(SHIPPED, URL, "twilio")  # takes texts


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize(
    "value", ["", "1" * (LONGEST["room"] + 1), "https://a.b", "www.a.b", "a.cn/x", "line\nend"], ids=str
)
def test_no_value_makes_a_message_that_was_not_counted_or_carries_a_link_n7(language: str, value: str) -> None:
    template = default_catalogue(URL).find("assigned", language)
    with pytest.raises(ValueError, match=r"^room$"):
        template.filled({"time": "14:30", "room": value})


def test_a_value_does_not_change_the_encoding_that_was_counted_n7() -> None:
    with pytest.raises(ValueError, match=r"^time$"):
        default_catalogue(URL).find("cancelled", "en").filled({"time": "11月25日"})
