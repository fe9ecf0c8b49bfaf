"""Reading what a model answered: JSON when it is, and what can be saved unambiguously when it is not.

Small models wrap JSON in prose and fences, quote like Python, leave trailing commas, and are cut off in the middle.
Each of these has one possible reading, so it is repaired. What is missing is never made up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from engine.llm.lenient import Malformed, read_value
from engine.llm.prompt import title_key

LONGEST_ANSWER = 400_000  # characters; what is beyond is not read
LONGEST_TITLE, LONGEST_TEXT, LONGEST_CODE = 160, 2_000, 50_000
MOST_PIECES = 400
DEEPEST = 6  # how far down in other objects a hypothesis is looked for

_FIELDS = ("title", "claim", "rationale", "inspiration", "code", "catalogue_id")
_NEEDED = ("title", "claim", "rationale", "code")
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_FENCED = re.compile(r"\A\s*```[\w+-]*[ \t]*\n(.*?)\n?[ \t]*```\s*\Z", re.DOTALL)
_PIECE = re.compile(rf"\{{\s*[\"']\s*(?:{'|'.join(_FIELDS)})\s*[\"']\s*:", re.IGNORECASE)
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a model proposed. Everything but the inspiration is there and is not blank."""

    title: str
    claim: str
    rationale: str
    inspiration: str
    code: str
    catalogue_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    proposals: tuple[Proposal, ...]
    faults: tuple[str, ...]  # what could not be used: for the next prompt and for people
    exhausted: bool = False  # the catalogue said that it has no more


def read_answer(text: str, *, cut: bool = False) -> Answer:
    """Every complete proposal in `text`, whatever surrounds it. Never raises. `cut`: it ended at the length limit."""
    text = _THOUGHT.sub("", text[:LONGEST_ANSWER])
    values = _values(text)
    found = list(_pieces(text) if values is None else _objects(values))
    faults: list[str] = []
    proposals: dict[str, Proposal] = {}
    for number, item in enumerate(found, start=1):
        proposal = _proposal(item, number)
        if isinstance(proposal, str):
            faults.append(proposal)
        elif proposals.setdefault(title_key(proposal.title), proposal).code != proposal.code:
            faults.append(f"two different hypotheses had the title “{proposal.title}”; the first was kept")
    if cut:
        faults.append(f"the answer was cut off at the length limit, after {len(proposals)} complete hypotheses")
    elif not found:
        faults.append(_what_it_was(text))
    elif values is None:
        faults.append("the answer was not valid JSON throughout")
    exhausted = any(isinstance(value, dict) and value.get("exhausted") is True for value in values or ())
    return Answer(proposals=tuple(proposals.values()), faults=tuple(dict.fromkeys(faults)), exhausted=exhausted)


def _values(text: str) -> list[Any] | None:
    """The JSON values in an answer, whatever prose or fence is around them; None when they cannot all be read."""
    values: list[Any] = []
    opening = re.compile(r"[\[{]")
    start = opening.search(text)
    last = max((piece.start() for piece in _PIECE.finditer(text)), default=-1)
    while start:
        try:
            value, position = json.JSONDecoder(strict=False).raw_decode(text, start.start())
        except (ValueError, RecursionError):
            try:
                value, position = read_value(text, start.start())
            except Malformed:
                return None
        values.append(value)
        # What follows is prose, unless another hypothesis is in it.
        start = opening.search(text, position) if position <= last else None
    return values


def _objects(value: object, depth: int = 0) -> Iterator[dict[str, Any]]:
    """The outermost objects that look like a hypothesis, in order, however they are wrapped."""
    if isinstance(value, dict):
        named = {key.strip().lower(): field for key, field in value.items() if isinstance(key, str)}
        if "title" in named or "code" in named:
            yield {field: named[field] for field in _FIELDS if field in named}
            return
    if depth < DEEPEST and isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _objects(inner, depth + 1)


def _pieces(text: str) -> Iterator[dict[str, Any]]:
    """The hypotheses that can be read one by one where the answer as a whole cannot."""
    position = 0
    for _ in range(MOST_PIECES):
        start = _PIECE.search(text, position)
        if start is None:
            return
        try:
            value, position = read_value(text, start.start())
            yield from _objects(value)
        except Malformed:
            position = start.end()


def _proposal(item: dict[str, Any], number: int) -> Proposal | str:
    """The proposal, or what is wrong with it."""
    fields = {name: _text(item.get(name)) for name in _FIELDS}
    fields["code"] = _unwrapped(fields["code"])
    missing = [name for name in _NEEDED if not fields[name].strip()]
    called = f"“{_shown(fields['title'], 60)}”" if fields["title"].strip() else f"hypothesis {number}"
    if missing:
        return f"{called} had no {' and no '.join(missing)}"
    if len(fields["code"]) > LONGEST_CODE:
        return f"the code of {called} was longer than {LONGEST_CODE:,} characters"
    return Proposal(
        title=_shown(fields["title"], LONGEST_TITLE),
        claim=_shown(fields["claim"], LONGEST_TEXT),
        rationale=_shown(fields["rationale"], LONGEST_TEXT),
        inspiration=_shown(fields["inspiration"], LONGEST_TEXT),
        code=fields["code"],
        catalogue_id=fields["catalogue_id"] or None,
    )


def _text(value: object) -> str:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        value = "\n".join(value)  # code as a list of lines
    return _NOT_TEXT.sub("\ufffd", value) if isinstance(value, str) else ""


def _shown(text: str, longest: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _unwrapped(code: str) -> str:
    """Code without the fence around it, and with real line breaks where they were escaped twice."""
    fenced = _FENCED.match(code)
    if fenced:
        code = fenced[1] + "\n"
    if "\n" not in code and re.search(r"\\n\s*(?:def|class|import|from|return)\b", code):
        code = code.replace("\\n", "\n").replace("\\t", "\t").replace('\\"', '"')
    return code


def _what_it_was(text: str) -> str:
    if not text.strip():
        return "the answer was empty"
    if "{" not in text:
        return "the answer was prose, not JSON"
    return "the answer held no hypothesis in the form that was asked for"
