"""What notices say: one subject and one sentence for each kind, side and language (N8), and the words around them.

Texts are chosen here and laid out by the templates; what stands in braces is filled from a notice's facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from fairwire_protocol.events import NoticeKind

__all__ = ["SMS_TEMPLATES", "WORDS", "Language", "Saying", "sentence", "subject"]

Language = Literal["zh", "en"]
Saying = NoticeKind | Literal["taken_away", "receiver_open", "transfer_asked"]
"""Kinds, and what some say else: to whom a meeting is taken from; to a buyer whom nobody receives as yet; of an ask-first transfer."""
Texts = Mapping[Saying, tuple[str, str]]

_ZH: Final[Texts] = {
    "assigned": ("洽谈已确认：{when}，{with_}", "您与{with_}的洽谈已确认。"),
    "reassigned": ("接待人变更：{when}，{with_}", "您与{with_}的洽谈已更换接待人。"),
    "taken_away": ("洽谈已转交同事：{when}，{with_}", "您与{with_}的洽谈已转交其他同事接待，您无需参加。"),
    "changed": ("洽谈有变更：{when}，{with_}", "您与{with_}的洽谈有变更，现在的安排如下。"),
    "receiver_open": ("洽谈有变更：{when}，{with_}", "您与{with_}的洽谈有变更，接待人待参展商安排。"),
    "rejected": ("预约未通过：{when}，{with_}", "您与{with_}的预约未获通过。"),
    "cancelled": ("洽谈已取消：{when}，{with_}", "您与{with_}的洽谈已取消。"),
    "reminder_day": ("提醒：{when} 与{with_}洽谈", "您与{with_}的洽谈将在 24 小时内开始。"),
    "reminder_soon": ("即将开始：{when} 与{with_}洽谈", "您与{with_}的洽谈即将开始。"),
    "requested": ("新的预约：{when}，{with_}", "{with_}预约了洽谈，请分配业务员。"),
    "pending_day": ("预约仍待分配：{when}，{with_}", "与{with_}的洽谈将在 24 小时内开始，尚未分配业务员。"),
    "proposed": ("提议改期：{when}，{with_}", "{with_}提议更改洽谈时间，请答复。"),
    "place_offered": ("候补有空位：{when}，{with_}", "您候补的时段有了空位，已为您保留，请在截止时间前确认。"),
    "guest_waiting": ("访客等候：{guest}", "{guest}在您与{with_}洽谈的等候室等待准入。"),
    "time_up": ("洽谈时间已到：{with_}", "您与{with_}的洽谈时间已到。"),
    "did_it_happen": ("洽谈是否已进行？{when}，{with_}", "您与{with_}的洽谈进行了吗？请登录平台确认。"),
    "unreached": ("洽谈通知未送达：{receiver}", "与{with_}洽谈的通知未能送达{receiver}，请代为转告。"),
    "waiting": ("有对话等待答复：{with_}", "与{with_}的对话超时未答复，请尽快处理。"),
    "transfer_offline": ("有对话转接给您：{with_}", "您离线时，{by}将与{with_}的对话转接给您。"),
    "transfer_asked": ("请求转接：{with_}", "{by}希望将与{with_}的对话转接给您，请答复是否接受。"),
    "report": ("新的举报：{by}", "{by}举报了对话中的消息，请处理。"),
}
_EN: Final[Texts] = {
    "assigned": ("Meeting confirmed: {when}, {with_}", "Your meeting with {with_} is confirmed."),
    "reassigned": ("Meeting, new contact: {when}, {with_}", "Somebody else will receive you at your meeting with {with_}."),
    "taken_away": ("No longer yours: {when}, {with_}", "A colleague now receives your meeting with {with_}. You need not attend."),
    "changed": ("Meeting changed: {when}, {with_}", "Your meeting with {with_} has changed. This is how it stands now."),
    "receiver_open": ("Meeting changed: {when}, {with_}", "Your meeting with {with_} has changed. Who receives you is still open."),
    "rejected": ("Booking declined: {when}, {with_}", "Your booking with {with_} was declined."),
    "cancelled": ("Meeting cancelled: {when}, {with_}", "Your meeting with {with_} is cancelled."),
    "reminder_day": ("Reminder: {when}, meeting with {with_}", "Your meeting with {with_} begins within 24 hours."),
    "reminder_soon": ("Starting soon: {when}, meeting with {with_}", "Your meeting with {with_} begins soon."),
    "requested": ("New booking: {when}, {with_}", "{with_} asks for a meeting. Please assign a colleague."),
    "pending_day": ("Booking still pending: {when}, {with_}", "The meeting with {with_} begins within 24 hours, and nobody is assigned."),
    "proposed": ("Another time proposed: {when}, {with_}", "{with_} proposes another time for your meeting. Please answer."),
    "place_offered": ("A seat is free: {when}, {with_}", "A seat is free in the slot you wait for. Please confirm in time."),
    "guest_waiting": ("A guest is waiting: {guest}", "{guest} waits in the lobby of your meeting with {with_} to be let in."),
    "time_up": ("Time is up: {with_}", "The time of your meeting with {with_} is up."),
    "did_it_happen": ("Did it take place? {when}, {with_}", "Did your meeting with {with_} take place? Please sign in and say so."),
    "unreached": ("{receiver} could not be told", "A notice of the meeting with {with_} did not reach {receiver}. Please pass it on."),
    "waiting": ("A chat waits for an answer: {with_}", "The chat with {with_} has gone unanswered for too long."),
    "transfer_offline": ("A chat was transferred to you: {with_}", "While you were away, {by} transferred the chat with {with_} to you."),
    "transfer_asked": ("Will you take this chat? {with_}", "{by} asks you to take over the chat with {with_}."),
    "report": ("New report: {by}", "{by} has reported messages of a chat. Please look at them."),
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
        "fair_time": "展会时间", "own_time": "您的时间", "moves_from": "原定时间", "proposed": "提议时间", "next": "下一场洽谈",
        "answer_by": "答复截止", "exhibitor": "参展商", "buyer": "采购商", "receiver": "接待人", "guest": "访客", "topic": "主题",
        "reason": "原因", "note": "留言", "room": "会议号", "enter": "登录平台进入洽谈",
        "forward": "以下内容可转发给本方同事，他们在等候室由您准入：",
        "calendar": "附件为日历邀请。", "unsubscribe": "不再接收提醒邮件", "link": "链接", "sign_in": "登录平台", "colon": "：",
    },
    "en": {
        "fair_time": "Fair time", "own_time": "Your time", "moves_from": "Time so far", "proposed": "Proposed time", "next": "Next meeting",
        "answer_by": "Answer by", "exhibitor": "Exhibitor", "buyer": "Buyer", "receiver": "Received by", "guest": "Guest", "topic": "Topic",
        "reason": "Reason", "note": "Note", "room": "Room number", "enter": "Sign in and enter",
        "forward": "To forward to colleagues of your side, whom you let in from the lobby:",
        "calendar": "A calendar invitation is attached.",
        "unsubscribe": "No more reminders by mail", "link": "Link", "sign_in": "Sign in", "colon": ": ",
    },
}  # fmt: skip


def subject(saying: Saying, language: Language, values: Mapping[str, str]) -> str:
    """A mail's subject, on one line whatever names hold."""
    return " ".join(_TEXTS[language][saying][0].format_map(values).split())


def sentence(saying: Saying, language: Language, values: Mapping[str, str]) -> str:
    """The sentence that says what has happened."""
    return _TEXTS[language][saying][1].format_map(values)
