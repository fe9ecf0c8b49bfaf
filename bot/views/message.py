"""What one message holds, and how foreign text gets into it without becoming markup.

Guests, models and people write titles, claims and reasons. In Slack's mrkdwn such a text could notify a channel, close
a code fence or turn half a message bold, so every view passes it through `escape` (prose) or `block_kit.code`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

Block = dict[str, Any]

TEXT_LIMIT = 11_000  # of the plain text of one message; Slack cuts silently at 40,000
WORD_JOINER = "\u2060"  # invisible and zero wide

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}  # the three that Slack asks to escape
_LOOKALIKES = {"*": "\u2217", "_": "\u02cd", "~": "\u223c"}
_OPENS_EMPHASIS = re.compile(r"(?<![^\W_])[*_~](?=\S)")  # `x*y` and `log_cosh` stay as they are
_CALLS_EVERYBODY = re.compile(r"@(?=(here|channel|everyone)\b)", re.IGNORECASE)
_CONTROLS = {"Cc", "Cs", "Cf"}  # control, lone surrogate, invisible format (bidirectional overrides)
_KEPT = {"\n", "\t", "\u200d", "\u200c", WORD_JOINER}  # joiners hold emoji and some scripts together
_HALF_ENTITY = re.compile(r"&[a-z]{0,4}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """`text` says everything that matters without the blocks: notifications, screen readers and terminals show it."""

    text: str  # mrkdwn, escaped, without emphasis
    blocks: tuple[Block, ...] = ()
    request_id: str | None = None  # named when nothing else of the message can be shown


def clean(text: str) -> str:
    """Without what cannot be sent (lone surrogates) and what changes how its neighbours look (control characters)."""
    return "".join(
        c if c in _KEPT or unicodedata.category(c) not in _CONTROLS else "\ufffd" if "\ud800" <= c <= "\udfff" else ""
        for c in text
    )


def one_line(text: str) -> str:
    return " ".join(clean(text).split())


def size(text: str) -> int:
    """Length in UTF-16 units, the largest of the ways in which a character may be counted."""
    return len(text) + sum(c > "\uffff" for c in text)


def entities(text: str) -> str:
    """Text of ours for mrkdwn, its markup kept."""
    return "".join(_ENTITIES.get(c, c) for c in text)


def cut(text: str, limit: int) -> str:
    """At most `limit` units (see `size`), ending in an ellipsis if anything is missing; no entity is cut in half."""
    if size(text) <= limit:
        return text
    kept, used = [], 1  # one for the ellipsis
    for c in text:
        used += size(c)
        if used > limit:
            break
        kept.append(c)
    return _HALF_ENTITY.sub("", "".join(kept)).rstrip() + "…"


def escape(text: str, limit: int = 600) -> str:
    """One line of foreign prose for mrkdwn: shown as written, never parsed; at most `limit` units with its entities."""
    text = one_line(text).replace("`", "'")
    text = _OPENS_EMPHASIS.sub(lambda match: _LOOKALIKES[match.group()], text)
    text = _CALLS_EVERYBODY.sub("@" + WORD_JOINER, text)
    return cut(entities(text), limit)


def unescape(text: str) -> str:
    """The text as people see it, for a terminal."""
    for plain, entity in reversed(_ENTITIES.items()):
        text = text.replace(entity, plain)
    return text.replace(WORD_JOINER, "")


def fence(source: str, limit: int = 2_900) -> str:
    """Source as a mrkdwn code fence that the source cannot close."""
    inside = entities(clean(source).replace("```", WORD_JOINER.join("```")))
    return "```\n" + cut(inside, limit - 8).rstrip("\n") + "\n```"
