"""What the pages for guests say, in Chinese and English; and how they write a time (M9, M12)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

__all__ = ["WORDS", "Language", "language_of", "left", "offset", "when"]

Language = Literal["zh", "en"]

WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "skip": "Skip to content",
        "title": "Meeting",
        "with": "Meeting with {exhibitor}",
        "fair_time": "Fair time",
        "own_time": "Your time",
        "opens": "You can come in from",
        "starts_in": "Starts in",
        "opens_in": "The door opens in",
        "begun": "It has begun.",
        "early": "It is too early to come in",
        "early_more": "Keep this page or come back: the link stays as it is, also if the meeting is moved.",
        "late": "This meeting is over",
        "late_more": "It ended at the time below. Ask whoever invited you if there is another one.",
        "off": "This meeting does not take place now",
        "off_more": "It was called off or is being arranged anew. Whoever invited you knows more; the link works again once it is on.",
        "revoked": "This link was taken back",
        "revoked_more": "Ask whoever invited you for a new one.",
        "unknown": "There is no such link",
        "unknown_more": "Check that the whole address was copied, or ask whoever invited you to send it again.",
        "join": "Come in",
        "join_more": "Say who you are. Somebody of the side that invited you lets you in. Is the meeting your own? Then sign in to the "
        "platform and enter there, without waiting.",
        "name": "Your name, and your company",
        "ask": "Ask to be let in",
        "waiting": "You are in the lobby",
        "waiting_more": "Those you are visiting have been told that you are here. This page goes on by itself.",
        "admitted": "You have been let in",
        "enter": "Enter the meeting",
        "refused": "You were not let in",
        "refused_more": "If that is a mistake, tell whoever invited you: they can still let you in. This page goes on by itself.",
        "room": "Enter by room number",
        "room_more": "The number has nine digits and stands in your invitation.",
        "number": "Room number",
        "invited_by": "Who has invited you?",
        "by_buyer": "The buyer",
        "by_team": "The exhibitor",
        "no_number": "This number lets nobody in now.",
        "no_number_more": "Check it. Numbers work from 24 hours before the meeting until 2 hours after it, while its lobby has room.",
        "bad_number": "A room number has nine digits.",
        "bad_name": "Please say a name of at most 60 characters.",
        "full": "This invitation is full",
        "full_more": "Ask whoever invited you for another link.",
        "slow_down": "Too many tries; please wait a moment.",
        "inside": "You have entered the meeting",
        "inside_more": "This installation has no video room set up yet. Those you are meeting can see that you are here.",
        "busy": "The server is busy. Please try again in a moment.",
    },
    "zh": {
        "skip": "跳到正文",
        "title": "洽谈",
        "with": "与{exhibitor}的洽谈",
        "fair_time": "展会时间",
        "own_time": "您的当地时间",
        "opens": "可进入时间",
        "starts_in": "距离开始",
        "opens_in": "距离可以进入",
        "begun": "洽谈已开始。",
        "early": "现在还不能进入",
        "early_more": "请保留本页或稍后再来：即使洽谈改期，链接也不变。",
        "late": "洽谈已结束",
        "late_more": "结束时间见下。如有下一场，请向邀请您的人询问。",
        "off": "洽谈目前不进行",
        "off_more": "洽谈已取消或正在重新安排，请向邀请您的人了解；恢复后本链接仍可使用。",
        "revoked": "此链接已被收回",
        "revoked_more": "请向邀请您的人索取新链接。",
        "unknown": "没有这个链接",
        "unknown_more": "请检查地址是否复制完整，或请邀请您的人重新发送。",
        "join": "进入洽谈",
        "join_more": "请告知您是谁，邀请方的人会让您进入。如果您是洽谈的采购商或接待人本人，请登录平台直接进入，无需等候。",
        "name": "您的姓名和公司",
        "ask": "请求进入",
        "waiting": "您已在等候室",
        "waiting_more": "已通知对方您到了。本页会自动继续。",
        "admitted": "您可以进入了",
        "enter": "进入洽谈",
        "refused": "对方没有让您进入",
        "refused_more": "如有误会，请联系邀请您的人，对方仍可让您进入。本页会自动继续。",
        "room": "用会议号进入",
        "room_more": "会议号为九位数字，见您的邀请。",
        "number": "会议号",
        "invited_by": "谁邀请了您？",
        "by_buyer": "采购商",
        "by_team": "参展商",
        "no_number": "此会议号现在不能进入。",
        "no_number_more": "请核对。会议号自洽谈开始前 24 小时起至结束后 2 小时止、等候室未满时有效。",
        "bad_number": "会议号为九位数字。",
        "bad_name": "请填写姓名，最多 60 个字符。",
        "full": "此邀请的访客已满",
        "full_more": "请向邀请您的人索取另一个链接。",
        "slow_down": "尝试次数过多，请稍候。",
        "inside": "您已进入洽谈",
        "inside_more": "本系统尚未配置视频会议室。对方可以看到您已到。",
        "busy": "服务器繁忙，请稍后再试。",
    },
}
_DAYS: Final = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "zh": ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"),
}
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def language_of(accept: str) -> Language:
    """Chinese or English, whichever the browser likes better; English if it names neither."""
    best: tuple[float, Language] = (0.0, "en")
    for part in accept[:1000].split(","):
        tag, *parameters = (piece.strip() for piece in part.lower().split(";"))
        primary = tag.partition("-")[0]
        quality = next((one[2:] for one in parameters if one.startswith("q=")), "")
        try:
            weight = float(quality or 1)
        except ValueError:
            continue
        if primary in {"zh", "en"} and weight > best[0]:
            best = weight, "zh" if primary == "zh" else "en"
    return best[1]


def when(language: Language, zone: str, starts_at: datetime, ends_at: datetime | None = None) -> str:
    """A time, or a span, as the zone's clocks show it."""
    local = starts_at.astimezone(ZoneInfo(zone))
    day = _DAYS[language][local.weekday()]
    if language == "zh":
        date = f"{local.year}年{local.month}月{local.day}日（{day}）"
    else:
        date = f"{day}, {local.day} {_MONTHS[local.month - 1]} {local.year}, "
    # U+2060: on a telephone the hours of a span stay on one line
    span = f"{local:%H:%M}" + (f"–\u2060{ends_at.astimezone(ZoneInfo(zone)):%H:%M}" if ends_at else "")
    return date + span


def offset(zone: str, at: datetime) -> str:
    """How the zone stands to UTC at that moment."""
    shift = at.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    minutes = int(shift.total_seconds() // 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"GMT{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "")


def left(language: Language, span: timedelta) -> str:
    """How long something is off, by minutes; a script counts on by seconds."""
    minutes = max(0, int(span.total_seconds() // 60))
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if language == "zh":
        return f"{days}天{hours}小时{minutes}分钟" if days else f"{hours}小时{minutes}分钟"
    return f"{days} d {hours} h {minutes} min" if days else f"{hours} h {minutes} min"
