"""Mentions, direct messages and replies become inquiries.

One mention reaches us twice (`app_mention` and `message`) and Slack redelivers what was not acknowledged: an inquiry's
id is made of channel and time, and receiving it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from slack_bolt import App

from bot.jobs import Jobs
from bot.papers import Papers
from engine.understand import understand
from engine.understanding import Stop, WhyRanked
from sandbox.guest.components.kinds import KINDS
from storage.inquiries import Enclosed, Inquiry, SqlInquiries, inquiry_id

WRITTEN_BY_PEOPLE = {None, "file_share", "thread_broadcast"}  # other subtypes are edits, joins, bots, ...


def register(app: App, *, jobs: Jobs, inquiries: SqlInquiries, papers: Papers, bot_user: str) -> None:
    def receive(event: Mapping[str, Any]) -> None:
        inquiry = as_inquiry(event, bot_user)
        if inquiry and (inquiry.addressed or about_our_work(inquiry, inquiries, papers)):
            jobs.receive(inquiry)

    app.event("app_mention")(receive)
    app.event("message")(receive)


def as_inquiry(event: Mapping[str, Any], bot_user: str) -> Inquiry | None:
    """None for what no person wrote."""
    if event.get("bot_id") or event.get("user") in (None, bot_user) or event.get("subtype") not in WRITTEN_BY_PEOPLE:
        return None
    text = str(event.get("text") or "")
    return Inquiry(
        id=inquiry_id(event["channel"], event["ts"]),
        channel=event["channel"],
        ts=event["ts"],
        thread_ts=event.get("thread_ts"),
        person=event["user"],
        text=text,
        addressed=event.get("channel_type") == "im" or f"<@{bot_user}" in text,
        files=tuple(enclosed(file) for file in event.get("files") or ()),
        received_at=datetime.now(UTC),
    )


def enclosed(file: Mapping[str, Any]) -> Enclosed:
    return Enclosed(
        id=file["id"],
        name=file.get("name") or "file",
        mimetype=file.get("mimetype") or "",
        url=file.get("url_private_download") or file.get("url_private") or "",
        size=file.get("size"),
    )


def about_our_work(inquiry: Inquiry, inquiries: SqlInquiries, papers: Papers) -> bool:
    """In a thread of ours "stop", "why was 2 ranked there", orders about ideas and to experiments, and answers to what
    we asked need no mention; all else that people say is theirs."""
    if inquiry.thread_ts is None:
        return False
    thread = inquiries.in_thread(inquiry.channel, inquiry.thread_ts)
    if not thread:
        return False
    return isinstance(understand(inquiry.text, KINDS), Stop | WhyRanked) or papers.expects(inquiry, thread)
