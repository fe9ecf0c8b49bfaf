"""Blocks of Slack's Block Kit that stay within Slack's limits by construction, and the plain text that says the same.

Limits: https://docs.slack.dev/reference/block-kit. Texts passed as mrkdwn were escaped by the caller where foreign;
plain texts (headers, table cells, buttons, code) are never parsed by Slack and need no escaping.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence

from bot.views.figures import NONE
from bot.views.message import TEXT_LIMIT, Block, Message, clean, cut, escape, fence, one_line

MESSAGE_BUDGET = 11_000  # Slack refuses a message at about 13,200 characters (bolt-js#2509), how it counts is not said
CODE_LIMIT = 2_900
_BOLD = re.compile(r"(?<!\w)\*(\S[^*\n]*?)\*")


def _shown(text: str, limit: int) -> str:
    """Plain text as Slack takes it: one line, not empty, within the limit."""
    return cut(one_line(text), limit) or NONE


def header(text: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": _shown(text, 150), "emoji": True}}


def section(mrkdwn: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(mrkdwn, 2_900)}}


def context(*mrkdwn: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": cut(text, 1_900)} for text in mrkdwn[:10]]}


def divider() -> Block:
    return {"type": "divider"}


def button(label: str, action_id: str, value: str, style: str | None = None) -> Block:
    element = {
        "type": "button",
        "text": {"type": "plain_text", "text": _shown(label, 75), "emoji": True},
        "action_id": action_id,
        "value": value,
    }
    return element | {"style": style} if style else element


def actions(*elements: Block) -> Block:
    return {"type": "actions", "elements": list(elements)}


def feedback(
    action_id: str, up: str, down: str, labels: tuple[str, str] = ("Worth pursuing", "Not interesting")
) -> Block:
    """Slack's own thumbs up and thumbs down. The clicked one's value arrives with the action."""

    def thumb(label: str, spoken: str, value: str) -> Block:
        return {"text": {"type": "plain_text", "text": label}, "accessibility_label": spoken, "value": value}

    buttons = {
        "type": "feedback_buttons",
        "action_id": action_id,
        "positive_button": thumb(labels[0], f"Thumbs up: {labels[0].lower()}", up),
        "negative_button": thumb(labels[1], f"Thumbs down: {labels[1].lower()}", down),
    }
    return {"type": "context_actions", "elements": [buttons]}


def code(source: str, limit: int = CODE_LIMIT) -> Block:
    """Preformatted rich text: Slack parses nothing in it, so no source can close it."""
    text = cut(clean(source).rstrip() or " ", limit)
    preformatted = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [preformatted]}


def table(
    rows: Sequence[Sequence[str]], *, right: Collection[int] = (), wrapped: Collection[int] = (), cell: int = 60
) -> Block:
    """`rows` with the header first, at most 100 x 20 cells; `right` and `wrapped` name columns.

    Slack refuses empty cells, more than one table a message, and more than 10,000 characters in a table.
    """
    return {
        "type": "table",
        "column_settings": [
            {"align": "right" if i in right else "left", "is_wrapped": i in wrapped} for i in range(len(rows[0]))
        ],
        "rows": [[{"type": "raw_text", "text": _shown(text, cell)} for text in row] for row in rows],
    }


def image(file_id: str, title: str, alt: str) -> Block:
    return {
        "type": "image",
        "slack_file": {"id": file_id},
        "title": {"type": "plain_text", "text": _shown(title, 200)},
        "alt_text": _shown(alt, 1_000),
    }


def weight(blocks: Sequence[Block]) -> int:
    """Characters of the blocks as sent: an upper bound of whatever Slack counts."""
    return len(json.dumps(list(blocks), ensure_ascii=False))


def message(*blocks: Block, request_id: str | None = None, text: str | None = None) -> Message:
    """A message whose plain text says what its blocks say, unless `text` says it better."""
    return Message(text=text or plain(blocks), blocks=blocks, request_id=request_id)


def plain(blocks: Iterable[Block]) -> str:
    """The blocks as plain text (escaped, no emphasis). Buttons are left out: they do nothing in a text."""
    parts = [part for part in map(_plain_block, blocks) if part]
    return cut("\n\n".join(parts), TEXT_LIMIT) or "(empty)"


def _plain_block(block: Block) -> str:
    match block["type"]:
        case "header":
            return escape(block["text"]["text"])
        case "section":
            return _BOLD.sub(r"\1", block["text"]["text"])
        case "context":
            return "\n".join(_BOLD.sub(r"\1", element["text"]) for element in block["elements"])
        case "table":
            return _plain_table([[cell["text"] for cell in row] for row in block["rows"]])
        case "rich_text":
            return fence(block["elements"][0]["elements"][0]["text"], CODE_LIMIT + 200)
        case "image":
            return f"[{escape(block['title']['text'])}: {escape(block['alt_text'], 1_000)}]"
        case _:
            return ""


def _plain_table(rows: list[list[str]]) -> str:
    """One line a row: what it is about (with its place, in a column `#`), then each cell after its column's name."""
    names = rows[0]
    about = 2 if names[0] == "#" else 1
    lines = []
    for row in rows[1:]:
        figures = [f"{name} {text}" for name, text in zip(names[about:], row[about:], strict=True) if text != NONE]
        lines.append(escape(" ".join(row[:about]) + (": " if figures else "") + ", ".join(figures)))
    return "\n".join(lines)
