"""Prompts. The words are files in engine/prompts; this renders them around one JSON brief.

The brief says in data what the prompt says in words. The offline catalogue reads it; a model may.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, Final

from engine.llm.client import Message
from engine.request import Strategy
from sandbox.guest.components.kind import Kind

FOLDER = Path(__file__).parents[1] / "prompts"
STRATEGY_FILES = {Strategy.INCREMENTAL: "incremental.md", Strategy.NOVEL: "novel.md"}
TASKS = ("hypotheses", "reading", "ideas")  # what a brief may ask for; the last two are of papers
TITLES_TO_AVOID = 400  # the newest; more would cost more than they prevent

_FENCED = re.compile(r"^```json\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
_FIELDS = ("title", "claim", "rationale", "inspiration", "code")

ANSWER_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "hypotheses": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {field: {"type": "string"} for field in _FIELDS},
                "required": list(_FIELDS),
                "additionalProperties": False,
            },
        }
    },
    "required": ["hypotheses"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    messages: tuple[Message, ...]
    digest: str  # of the files and the contract that it was rendered from; the same for every request


@cache
def words(file: str) -> str:
    return (FOLDER / file).read_text(encoding="utf-8")


def title_key(title: str) -> str:
    """Titles are the same when they differ in case, spacing or punctuation only."""
    return " ".join(re.findall(r"\w+", title.casefold())) or title.strip()


def render(
    *,
    kind: Kind,
    strategy: Strategy,
    request: str,
    purpose: str,
    count: int,
    avoid: Sequence[str] = (),
    wrong: Sequence[str] = (),
) -> Prompt:
    """The conversation that asks for `count` hypotheses. `wrong`: what could not be used of the previous answer."""
    brief = {
        "task": "hypotheses",
        "kind": kind.name,
        "strategy": strategy.value,
        "count": count,
        "request": _encodable(request),
        "purpose": _encodable(purpose),
        "known": [known.name for known in kind.baselines],
        "avoid": list(avoid[-TITLES_TO_AVOID:]),
    }
    template = words("hypotheses.md") + (words("again.md") if wrong else "")
    asked = Template(template).substitute(
        count=count,
        things=kind.title if count == 1 else kind.plural,
        article="an" if kind.title[0] in "aeiou" else "a",
        title=kind.title,
        strategy=words(STRATEGY_FILES[strategy]),
        entry=kind.entry,
        contract=kind.contract.strip(),
        brief=json.dumps(brief, indent=2, ensure_ascii=False),
        wrong="\n".join(f"- {fault}" for fault in wrong),
    )
    messages = (Message(role="system", content=words("system.md")), Message(role="user", content=asked))
    return Prompt(messages=messages, digest=prompt_digest(kind, strategy))


def _encodable(text: str) -> str:
    return text.encode("utf-8", errors="replace").decode()


def prompt_digest(kind: Kind, strategy: Strategy) -> str:
    """Changes when the words change, not when the request does."""
    parts = [words(file) for file in ("system.md", "hypotheses.md", "again.md", STRATEGY_FILES[strategy])]
    return hashlib.sha256("\0".join([*parts, kind.contract]).encode()).hexdigest()[:12]


def find_brief(prompt: str) -> dict[str, Any]:
    """The one JSON brief of a rendered prompt. Raises ValueError when there is none, or more than one."""
    # Inside JSON a line break is written \n, so nothing that a person wrote can end the fence or open another one.
    briefs = _FENCED.findall(prompt)
    if len(briefs) != 1:
        raise ValueError(f"expected one JSON brief in a fenced block, found {len(briefs)}")
    brief = json.loads(briefs[0])
    if not isinstance(brief, dict) or brief.get("task") not in TASKS:
        raise ValueError(f"the brief asks for something other than {', '.join(TASKS)}")
    return brief
