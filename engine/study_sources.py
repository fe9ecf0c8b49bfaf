"""Where a study's hypotheses come from: generators, and files in the catalogue's format."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from engine.errors import EngineError
from engine.generate import hypothesis_id
from engine.hypothesis import Hypothesis
from engine.request import Strategy

Thing = TypeVar("Thing")

NEEDED = ("title", "kind", "strategy", "code")
WORDS = ("id", "title", "kind", "strategy", "code", "claim", "rationale", "inspiration", "generator")
LONGEST_SHOWN = 60
MUTATION = "mutation"  # as the generator of a line: it was made from others, by no model


class SourceError(EngineError):
    """A source cannot be used at all. The message says which, why, and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Hypotheses of one origin: a generator by its name, or a file by its stem."""

    name: str
    hypotheses: tuple[Hypothesis, ...]
    faults: tuple[str, ...] = ()  # what could not be used of it, one sentence each
    seconds: float | None = None  # that generating took; None: it is not known, as for files
    prompt_tokens: int | None = None  # None: nobody counted
    completion_tokens: int | None = None
    language_models: tuple[str, ...] = ()  # that wrote any of it, as far as is known


def part_of(source: str, strategy: Strategy) -> str:
    """The name of the hypotheses of one strategy in a source."""
    return f"{source}/{strategy.replace(' ', '-')}"


def read_file(path: Path, kind: str, name: str, request_id: str) -> Source:
    """Every usable line of a file in the format of engine/catalogue/*.jsonl.

    A line is one JSON object with the texts title, kind, strategy and code, and may have id, claim, rationale,
    inspiration, and generator (the language model that wrote it, or MUTATION). A line that cannot be used is named in
    `faults` with its number; one of another kind is among these. Raises SourceError when the file cannot be read, or
    no line can be used.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from error
    hypotheses: dict[str, tuple[int, Hypothesis]] = {}
    faults: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        found = _hypothesis(line, kind, name, request_id)
        if isinstance(found, str):
            faults.append(f"{path.name}, line {number}: {found}")
        elif found.id in hypotheses:
            faults.append(f"{path.name}, line {number}: the same title and code as line {hypotheses[found.id][0]}.")
        else:
            hypotheses[found.id] = (number, found)
    if not hypotheses:
        why = "\n".join(faults) or "It is empty."
        raise SourceError(f"{path} holds no {kind} hypothesis that can be used.\n{why}")
    usable = tuple(hypothesis for _, hypothesis in hypotheses.values())
    models = tuple(dict.fromkeys(h.generator for h in usable if h.generator not in (name, MUTATION)))
    return Source(name=name, hypotheses=usable, faults=tuple(faults), language_models=models)


def _hypothesis(line: bytes, kind: str, name: str, request_id: str) -> Hypothesis | str:
    """Or what is wrong with the line."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"it is not JSON ({error}); expected one object a line."
    wrong = next(_wrong_with(entry, kind), None)
    if wrong is not None:
        return wrong
    source = entry["code"].encode("utf-8", "surrogatepass")
    title = entry["title"].strip()
    return Hypothesis(
        id=hypothesis_id(request_id, kind, title, source),
        request_id=request_id,
        kind=kind,
        title=title,
        claim=entry.get("claim") or "",
        rationale=entry.get("rationale") or "",
        inspiration=entry.get("inspiration") or "",
        source=source,
        strategy=Strategy(entry["strategy"]),
        generator=entry.get("generator") or name,
        origin=entry.get("id"),
    )


def _wrong_with(entry: Any, kind: str) -> Iterator[str]:
    if not isinstance(entry, Mapping):
        yield f"it is a JSON {_json_type(entry)}; expected an object with {', '.join(NEEDED)}."
        return
    for field in NEEDED:
        if field not in entry:
            yield f"it has no {field!r}; expected {', '.join(NEEDED)}."
    for field in WORDS:
        value = entry.get(field, "")
        if not isinstance(value, str) and not (value is None and field not in NEEDED):
            yield f"its {field!r} is {_shown(value)}; expected a text."
    for field in NEEDED:
        if not entry[field].strip():
            yield f"its {field!r} is empty."
    if entry["strategy"] not in list(Strategy):
        yield f"its strategy is {_shown(entry['strategy'])}; expected one of {', '.join(Strategy)}."
    if entry["kind"] != kind:
        yield f"it is of the kind {_shown(entry['kind'])}; this study is about {kind}."


def _json_type(value: Any) -> str:
    return {list: "list", str: "text", bool: "truth value", type(None): "null"}.get(type(value), "number")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"


def spread(found: Sequence[Thing], count: int | None) -> list[Thing]:
    """At most `count` of them, evenly over all, in their order; None: all."""
    if count is None or count >= len(found):
        return list(found)
    return [found[number * len(found) // count] for number in range(count)]
