"""Reads a method's arguments, which arrive as JSON or as a form in which everything is a string."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from bot.workspace.refusal import Refusal
from bot.workspace.seed import Json


def text(args: Json, name: str, default: str | None = None) -> str:
    """A string argument. Raises Refusal("invalid_arguments") when it is missing and has no default."""
    value = args.get(name)
    if value is None or value == "":
        if default is None:
            raise Refusal("invalid_arguments", [f"missing required field: {name} [json-pointer:/{name}]"])
        return default
    return str(value)


def flag(args: Json, name: str) -> bool:
    return args.get(name) in (True, 1, "1", "true", "True")


def number(args: Json, name: str, default: int, most: int) -> int:
    """A whole number from 1 to `most`. Raises Refusal("invalid_limit")."""
    value = args.get(name)
    if value is None or value == "":
        return default
    try:
        return max(1, min(int(value), most))
    except ValueError as error:
        raise Refusal("invalid_limit") from error


def structure(args: Json, name: str, refusal: str) -> Any:
    """A JSON argument, which may arrive as a string; None when it is absent. Raises Refusal(refusal)."""
    value = args.get(name)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value else None
    except json.JSONDecodeError as error:
        raise Refusal(refusal) from error


def page(args: Json, items: Sequence[Json], default: int = 100) -> tuple[list[Json], Json]:
    """One page of `items` by `cursor` and `limit`, and the `response_metadata` and `has_more` that go with it."""
    limit = number(args, "limit", default, 1000)
    try:
        start = int(base64.b64decode(args.get("cursor") or b"MA==", validate=True))
    except (binascii.Error, ValueError) as error:
        raise Refusal("invalid_cursor") from error
    end = start + limit
    more = end < len(items)
    cursor = base64.b64encode(str(end).encode()).decode() if more else ""
    return list(items[start:end]), {"has_more": more, "response_metadata": {"next_cursor": cursor}}
