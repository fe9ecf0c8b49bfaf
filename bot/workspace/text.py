"""What a person types -> what Slack stores: escaped text with real mentions and links, and the same as rich text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from bot.workspace.seed import Json

# Code first: nothing inside it is a mention or a link.
TOKEN = re.compile(
    r"```\n?(?P<fence>.+?)\n?```|`(?P<code>[^`\n]+)`"
    r"|(?P<link>https?://[^\s<>]*[^\s<>.,;:!?)\]'\"])"
    r"|(?<![\w@])@(?P<user>[\w-]+(?:\.[\w-]+)*)"
    r"|(?<![\w#&])#(?P<channel>[\w-]+)",
    re.DOTALL,
)


def escape(text: str) -> str:
    """The three characters that mean something in Slack's text, written so that they mean themselves."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def parts(text: str, users: Mapping[str, str], channels: Mapping[str, str]) -> Iterator[Json]:
    """The rich-text elements of `text`; a fence is `{"type": "fence", "text"}`. `users` and `channels`: name -> id."""
    done = 0
    for match in TOKEN.finditer(text):
        kind, value = match.lastgroup or "", match.group(match.lastgroup or 0)
        part: Json | None
        if kind == "fence":
            part = {"type": "fence", "text": value}
        elif kind == "code":
            part = {"type": "text", "text": value, "style": {"code": True}}
        elif kind == "link":
            part = {"type": "link", "url": value}
        elif kind == "user":
            known = users.get(value.lower())
            part = {"type": "user", "user_id": known} if known else None
        else:
            known = channels.get(value.lower())
            part = {"type": "channel", "channel_id": known} if known else None
        if part is None:
            continue
        if before := text[done : match.start()]:
            yield {"type": "text", "text": before}
        yield part
        done = match.end()
    if rest := text[done:]:
        yield {"type": "text", "text": rest}


def typed(text: str, users: Mapping[str, str], channels: Mapping[str, str]) -> tuple[str, list[Json]]:
    """The stored text of what was typed, and its blocks (none for empty text)."""
    found = list(parts(text, users, channels))
    names = {channel_id: name for name, channel_id in channels.items()}
    stored = "".join(_stored(part, names) for part in found)
    elements: list[Json] = []
    for part in found:
        if part["type"] == "fence":
            inner = [{"type": "text", "text": part["text"]}]
            elements.append({"type": "rich_text_preformatted", "elements": inner})
        elif elements and elements[-1]["type"] == "rich_text_section":
            elements[-1]["elements"].append(part)
        else:
            elements.append({"type": "rich_text_section", "elements": [part]})
    return stored, [{"type": "rich_text", "block_id": "typed", "elements": elements}] if elements else []


def _stored(part: Json, channel_names: Mapping[str, str]) -> str:
    match part["type"]:
        case "user":
            return f"<@{part['user_id']}>"
        case "channel":
            return f"<#{part['channel_id']}|{channel_names[part['channel_id']]}>"
        case "link":
            return f"<{escape(part['url'])}>"
        case "fence":
            return f"```{escape(part['text'])}```"
        case _ if "style" in part:
            return f"`{escape(part['text'])}`"
        case _:
            return escape(part["text"])
