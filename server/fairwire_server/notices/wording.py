"""What notices say: one subject and one sentence for each kind, side and language (N8), and the words around them.

Texts are chosen here and laid out by the templates; what stands in braces is filled from a notice's facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from fairwire_protocol.events import NoticeKind

__all__ = ["SMS_TEMPLATES", "WORDS", "Language", "sentence", "subject"]

Language = Literal["zh", "en"]
Texts = Mapping[NoticeKind, tuple[str, str]]

_ZH: Final[Texts] = {
    "assigned": ("洽谈已确认：{when}，{with_}", "您与{with_}的洽谈已确认。"),
    "reassigned": ("洽谈接待人变更：{when}，{with_}", "您与{with_}的洽谈已更换接待业务员。"),
    "changed": ("洽谈有变更：{when}，{with_}", "您与{with_}的洽谈有变更，现在的安排如下。"),
    "rejected": ("预约未通过：{when}，{with_}", "您与{with_}的预约未获通过。"),
    "cancelled": ("洽谈已取消：{when}，{with_}", "您与{with_}的洽谈已取消。"),
    "reminder_day": ("提醒：{when} 与{with_}洽谈", "您与{with_}的洽谈将在 24 小时内开始。"),
    "reminder_soon": ("即将开始：{when} 与{with_}洽谈", "您与{with_}的洽谈即将开始。"),
    "requested": ("新的预约：{when}，{with_}", "{with_}预约了洽谈，请分配业务员。"),
    "pending_day": ("预约仍待分配：{when}，{with_}", "{with_}的预约将在 24 小时内开始，仍未分配业务员。"),
    "proposed": ("提议改期：{with_}", "{with_}提议更改洽谈时间，请答复。"),
    "place_offered": ("有空位：{when}，{with_}", "您候补的时段有了空位，请尽快确认。"),
    "guest_waiting": ("有访客等候：{when}", "有访客在等候室等待您的准入。"),
    "time_up": ("洽谈时间已到", "本次洽谈时间已到。"),
    "did_it_happen": ("洽谈是否已进行？", "您与{with_}的洽谈进行了吗？"),
    "unreached": ("有人未能收到通知", "{receiver}没有可用的手机号或邮箱，未能收到洽谈通知。"),
    "waiting": ("有对话等待答复", "有一个对话已超时未答复。"),
    "transfer_offline": ("有对话转接给您", "您离线时有对话转接给您。"),
    "report": ("新的举报", "有新的举报需要处理。"),
}
_EN: Final[Texts] = {
    "assigned": ("Meeting confirmed: {when}, {with_}", "Your meeting with {with_} is confirmed."),
    "reassigned": ("Meeting, other colleague: {when}, {with_}", "Your meeting with {with_} has another receiving colleague now."),
    "changed": ("Meeting changed: {when}, {with_}", "Your meeting with {with_} has changed. This is how it stands now."),
    "rejected": ("Booking declined: {when}, {with_}", "Your booking with {with_} was declined."),
    "cancelled": ("Meeting cancelled: {when}, {with_}", "Your meeting with {with_} is cancelled."),
    "reminder_day": ("Reminder: {when}, meeting with {with_}", "Your meeting with {with_} begins within 24 hours."),
    "reminder_soon": ("Starting soon: {when}, meeting with {with_}", "Your meeting with {with_} begins soon."),
    "requested": ("New booking: {when}, {with_}", "{with_} asks for a meeting. Please assign a colleague."),
    "pending_day": ("Booking still pending: {when}, {with_}", "The booking of {with_} begins within 24 hours and nobody is assigned."),
    "proposed": ("Another time proposed: {with_}", "{with_} proposes another time. Please answer."),
    "place_offered": ("A seat is free: {when}, {with_}", "A seat is free in the slot that you wait for. Please confirm it soon."),
    "guest_waiting": ("A guest waits: {when}", "A guest waits in the lobby to be admitted."),
    "time_up": ("Time is up", "The time of this meeting is up."),
    "did_it_happen": ("Did the meeting happen?", "Did your meeting with {with_} take place?"),
    "unreached": ("Somebody could not be told", "{receiver} has no usable number or email and was not told of a meeting."),
    "waiting": ("A chat waits for an answer", "A chat has waited for an answer for too long."),
    "transfer_offline": ("A chat was transferred to you", "A chat was transferred to you while you were away."),
    "report": ("A new report", "A new report is to be looked at."),
}  # fmt: skip
_TEXTS: Final[Mapping[Language, Texts]] = {"zh": _ZH, "en": _EN}

SMS_TEMPLATES: Final[Mapping[NoticeKind, str]] = {
    "assigned": "assigned",
    "reminder_day": "reminder_day",
    "reminder_soon": "reminder_soon",
    "changed": "changed",
    "cancelled": "cancelled",
    "rejected": "cancelled",
}
"""Kinds to the templates that carriers have approved. A reassignment is a cancellation to whom it takes the meeting from, and a
change to the buyer."""

WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "zh": {
        "fair_time": "展会时间", "own_time": "您的时间", "exhibitor": "参展商", "buyer": "采购商", "receiver": "接待人", "topic": "主题",
        "reason": "原因", "room": "会议号", "enter": "进入洽谈", "forward": "以下内容可转发给本方同事：",
        "calendar": "附件为日历邀请。", "unsubscribe": "不再接收提醒邮件", "link": "链接",
    },
    "en": {
        "fair_time": "Fair time", "own_time": "Your time", "exhibitor": "Exhibitor", "buyer": "Buyer", "receiver": "With", "topic": "Topic",
        "reason": "Reason", "room": "Room number", "enter": "Enter the meeting", "forward": "To forward to colleagues of your side:",
        "calendar": "A calendar invitation is attached.", "unsubscribe": "No more reminders by mail", "link": "Link",
    },
}  # fmt: skip


def subject(kind: NoticeKind, language: Language, values: Mapping[str, str]) -> str:
    """A mail's subject, on one line whatever names hold."""
    return " ".join(_TEXTS[language][kind][0].format_map(values).split())


def sentence(kind: NoticeKind, language: Language, values: Mapping[str, str]) -> str:
    """The sentence that says what has happened."""
    return _TEXTS[language][kind][1].format_map(values)
