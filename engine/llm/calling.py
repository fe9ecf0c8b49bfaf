"""Tools that a model may ask for, on the wire: the protocol's own calls, or JSON in the text where it has none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.llm.lenient import Malformed, read_value

_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_OBJECT = re.compile(r"\{\s*[\"'](?:tool|name|arguments)[\"']\s*:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    name: str
    description: str
    parameters: Mapping[str, Any]  # JSON schema of an object


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a model asked for. arguments: JSON as it wrote it, checked by nobody yet."""

    tool: str
    arguments: str
    id: str = ""

    @property
    def in_words(self) -> str:
        """What `read_call` reads back."""
        try:
            told = json.loads(self.arguments)
        except ValueError:
            told = self.arguments
        return json.dumps({"tool": self.tool, "arguments": told}, ensure_ascii=False)


def tools_sent(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    return [
        {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": t.parameters}}
        for t in tools
    ]


def call_schema(tools: Sequence[Tool]) -> dict[str, Any]:
    """Of a call as JSON in the text."""
    name = {"type": "string", "enum": [tool.name for tool in tools]}
    return {
        "type": "object",
        "properties": {"tool": name, "arguments": {"type": "object"}},
        "required": ["tool", "arguments"],
    }


def described(tools: Sequence[Tool]) -> str:
    """For a prompt: one tool a line, with the JSON schema of what it takes."""
    lines = [f"- {t.name}: {t.description} Arguments: {json.dumps(t.parameters['properties'])}" for t in tools]
    return "\n".join(["The tools:", *lines])


def messages_sent(
    messages: Iterable[tuple[str, str, Call | None]], tools: Sequence[Tool], native: bool
) -> list[dict[str, Any]]:
    """From role, content, and call: of an assistant what it asked for, of a tool what it answers.

    Without calls of its own a server knows no role "tool" either, and some chat templates insist that user and
    assistant take turns: neighbours of one role become one message, and the first one tells the tools.
    """
    sent: list[dict[str, Any]] = []
    for role, content, call in messages:
        if call is not None and native:
            sent.append(_native(role, content, call))
            continue
        role = "user" if role == "tool" else role
        text = "\n".join(part for part in (content, call.in_words if call and role == "assistant" else "") if part)
        if sent and sent[-1] == {"role": role, "content": sent[-1].get("content")}:
            sent[-1]["content"] += f"\n\n{text}"
        else:
            sent.append({"role": role, "content": text})
    if tools and sent and not native:
        sent[0]["content"] += f"\n\n{described(tools)}"
    return sent


def _native(role: str, content: str, call: Call) -> dict[str, Any]:
    if role == "tool":
        return {"role": "tool", "tool_call_id": call.id, "content": content}
    function = {"name": call.tool, "arguments": call.arguments}
    return {
        "role": "assistant",
        "content": content or None,
        "tool_calls": [{"id": call.id, "type": "function", "function": function}],
    }


def read_call(text: str) -> Call | None:
    """The first call that is written as JSON in a text, with the repairs of lenient.py; None when there is none."""
    text = _THOUGHT.sub("", text)
    for start in _OBJECT.finditer(text):
        try:
            value, _ = json.JSONDecoder(strict=False).raw_decode(text, start.start())
        except (ValueError, RecursionError):
            try:
                value, _ = read_value(text, start.start())
            except Malformed:
                continue
        tool = value.get("tool", value.get("name"))
        if isinstance(tool, str):
            told = value.get("arguments", {})
            return Call(tool=tool, arguments=told if isinstance(told, str) else json.dumps(told, ensure_ascii=False))
    return None
