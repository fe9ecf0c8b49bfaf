"""Checks a message's blocks, or a view, against Slack's limits, and fills in the ids that Slack fills in."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from bot.workspace.blocks import (
    CONTAINER_CHARACTERS,
    INTERACTIVE,
    MARKDOWN_CHARACTERS,
    MESSAGE_BLOCKS,
    MESSAGE_CHARACTERS,
    MESSAGE_KINDS,
    TABLE_CHARACTERS,
    VIEWS,
)
from bot.workspace.refusal import Refusal
from bot.workspace.seed import Json
from bot.workspace.structure import Many, Typed, at, faults


def check_message(blocks: Any, ready: Callable[[str], bool]) -> list[Json]:
    """The blocks, with the ids that Slack fills in.

    `ready(reference)` says whether a Slack file (its id or its private URL) may be shown. Raises Refusal with
    `invalid_blocks_format`, `invalid_blocks`, `invalid_attachments` or `msg_blocks_too_long`.
    """
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise Refusal("invalid_blocks_format")
    rule = Many(each=Typed(kinds=MESSAGE_KINDS), most=MESSAGE_BLOCKS, least=0)
    found = list(faults(blocks, rule, "/blocks"))
    if not found:
        found = [*_whole(blocks, "/blocks"), *_files(blocks, "/blocks", ready), *_tables(blocks)]
    if found:
        raise Refusal("invalid_blocks", found)
    if sum(block["type"] == "table" for block in blocks) > 1:
        raise Refusal("invalid_attachments", ["only_one_table_allowed"])
    if sum(map(_weight, blocks)) > MESSAGE_CHARACTERS:
        raise Refusal("msg_blocks_too_long")
    return [_with_ids(block) for block in blocks]


def check_view(view: Any, ready: Callable[[str], bool]) -> Json:
    """The view, with the ids that Slack fills in. Raises Refusal("invalid_arguments")."""
    found = list(faults(view, VIEWS, "/view"))
    if not found:
        blocks = view["blocks"]
        found = [*_whole(blocks, "/view/blocks"), *_files(blocks, "/view/blocks", ready)]
        if view["type"] == "modal" and "submit" not in view and any(b["type"] == "input" for b in blocks):
            found.append(at("missing required field: submit", "/view"))
    if found:
        raise Refusal("invalid_arguments", found)
    return {**view, "blocks": [_with_ids(block) for block in view["blocks"]]}


def elements(block: Json) -> list[Json]:
    """The interactive elements of a block."""
    found = [*block.get("elements", []), block.get("accessory"), block.get("element")]
    return [element for element in found if element and element["type"] in INTERACTIVE]


def _whole(blocks: list[Json], pointer: str) -> Iterator[str]:
    """Limits that concern several blocks at once."""
    ids = Counter(block["block_id"] for block in blocks if block.get("block_id"))
    for index, block in enumerate(blocks):
        if ids[block.get("block_id")] > 1:
            yield at(f"`block_id` {block['block_id']} already exists", f"{pointer}/{index}/block_id")
        actions = Counter(element["action_id"] for element in elements(block) if "action_id" in element)
        for action_id in (name for name, count in actions.items() if count > 1):
            yield at(f"`action_id` {action_id} already exists for another action", f"{pointer}/{index}/elements")
    markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
    if markdown > MARKDOWN_CHARACTERS:
        yield at(f"markdown text must be less than {MARKDOWN_CHARACTERS + 1} characters in total", pointer)


def _tables(blocks: list[Json]) -> Iterator[str]:
    for index, block in enumerate(blocks):
        if block["type"] == "data_table":
            widths = {len(row) for row in block["rows"]}
            if len(widths) > 1:
                yield at("all rows must have the same number of cells", f"/blocks/{index}/rows")
            if any(cell["type"] == "rich_text" for cell in block["rows"][0]):
                yield at("header cells must not be rich_text", f"/blocks/{index}/rows/0")
    for kind, most in TABLE_CHARACTERS.items():
        if sum(_characters(block) for block in blocks if block["type"] == kind) > most:
            yield at(f"{kind} text must be less than {most + 1} characters in total", "/blocks")


def _files(value: Any, pointer: str, ready: Callable[[str], bool]) -> Iterator[str]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _files(item, f"{pointer}/{index}", ready)
    elif isinstance(value, dict):
        if value.get("type") == "image" and "slack_file" in value:
            file = value["slack_file"]
            if not ready(file.get("id") or file.get("url")):
                yield at("invalid slack file", f"{pointer}/slack_file")
        elif value.get("type") == "image" and not value["image_url"].startswith(("http://", "https://")):
            yield at("downloading image failed", f"{pointer}/image_url")
        for name in ("elements", "accessory"):
            yield from _files(value.get(name), f"{pointer}/{name}", ready)


def _weight(block: Json) -> int:
    """How much of MESSAGE_CHARACTERS a block takes."""
    return CONTAINER_CHARACTERS if block["type"] in TABLE_CHARACTERS else _characters(block, CONTAINER_CHARACTERS)


def _characters(value: Any, per_object: int = 0) -> int:
    """The characters that a reader sees in `value`, and `per_object` more for each object with a type."""
    if isinstance(value, list):
        return sum(_characters(item, per_object) for item in value)
    if not isinstance(value, dict):
        return 0
    own = value.get("text")
    total = len(own) if isinstance(own, str) else 0
    inner = sum(_characters(item, per_object) for item in value.values())
    return total + inner + (per_object if "type" in value else 0)


def _with_ids(block: Json) -> Json:
    filled = {**block, "block_id": block.get("block_id") or secrets.token_urlsafe(4)[:5]}
    for name in ("elements", "accessory", "element"):
        if name in filled:
            inner = filled[name]
            filled[name] = [_named(item) for item in inner] if isinstance(inner, list) else _named(inner)
    return filled


def _named(element: Json) -> Json:
    if element["type"] in INTERACTIVE and "action_id" not in element:
        return {**element, "action_id": secrets.token_urlsafe(4)[:5]}
    return element
