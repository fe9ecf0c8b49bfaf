"""What a paper says, by a model or picked out without one. Nothing is taken over that the paper does not bear out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Template
from typing import Any, Final

from engine.errors import GeneratorError
from engine.llm.catalogue import NAME as OFFLINE
from engine.llm.client import LLM, Message
from engine.llm.lenient import Malformed, read_value
from engine.llm.prompt import words
from engine.papers.extract import extracted, figures
from engine.papers.paper import Paper, Sentence
from engine.papers.passages import Passage, passages_of

CHARACTERS = 48_000  # of the paper that a prompt holds, about 12,000 tokens; the whole of most conference papers
TRIES = 2
MOST_TOKENS = 4_000
SYSTEM = "You read machine-learning papers closely and say only what they say. You answer with one JSON object."
_IMPORTANT = re.compile(
    r"abstract|introduction|result|experiment|evaluation|discussion|conclusion|limitation|data", re.I
)

_TEXT: Final = {"type": "string"}
_QUOTED: Final = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"text": _TEXT, "quote": _TEXT},
        "required": ["text", "quote"],
        "additionalProperties": False,
    },
}
_LIST: Final = {"type": "array", "items": _TEXT}
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "task": _TEXT,
        "method": _TEXT,
        "data_sets": _LIST,
        "keywords": _LIST,
        "claims": _QUOTED,
        "gaps": _QUOTED,
    },
    "required": ["task", "method", "data_sets", "keywords", "claims", "gaps"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    text: str
    page: int  # from 1: where the paper says it


@dataclass(frozen=True, slots=True, kw_only=True)
class Understanding:
    paper_id: str
    title: str
    authors: tuple[str, ...]
    task: Quote
    method: Quote
    data_sets: tuple[Quote, ...]
    keywords: tuple[Quote, ...]
    claims: tuple[Quote, ...]
    gaps: tuple[Quote, ...]
    generator: str  # the model's name, or "offline catalogue"
    notes: tuple[str, ...] = ()  # what people should know of how it came about, one sentence each


def understand(paper: Paper, model: LLM) -> Understanding:
    """Never fails on a model's account: where it cannot be asked or answers nothing usable, sentences are picked out
    without it, and `notes` says so."""
    brief = {"task": "reading", "title": paper.title, "pages": _selected(passages_of(paper))}
    try:
        answer, generator = ask(model, "paper_reading.md", brief, SCHEMA, {"brief": brief}, _faults), model.name
        notes: list[str] = []
    except GeneratorError as error:
        answer, generator = extracted(brief), OFFLINE
        notes = [f"{error} What follows was picked out of the paper without a model."]
    return _checked(paper, answer, generator, notes)


def ask(
    model: LLM,
    file: str,
    brief: Mapping[str, Any],
    schema: Mapping[str, Any],
    values: Mapping[str, Any],
    faults: Any,
) -> dict[str, Any]:
    """The JSON object that a model answers, asked again once with what was wrong. Raises GeneratorError.

    file: the prompt in engine/prompts; values: what it names besides the brief; faults: answer -> sentences.
    """
    wrong: list[str] = []
    for _ in range(TRIES):
        template = words(file) + (words("paper_again.md") if wrong else "")
        text = Template(template).substitute(
            {**values, "brief": json.dumps(brief, indent=1, ensure_ascii=False), "wrong": "\n".join(wrong)}
        )
        messages = [Message(role="system", content=SYSTEM), Message(role="user", content=text)]
        completion = model.complete(messages, schema=schema, max_tokens=MOST_TOKENS, temperature=0.3)
        answer = read_object(completion.text)
        wrong = [f"- {fault}" for fault in (["it was no JSON object"] if answer is None else faults(answer))]
        if answer is not None and not wrong:
            return answer
    raise GeneratorError(f"{model.name} answered nothing usable in {TRIES} tries ({wrong[0].removeprefix('- ')}).")


def prompt_digest(file: str) -> str:
    """Changes when the prompt's words change."""
    parts = [SYSTEM, words(file), words("paper_again.md")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def read_object(text: str) -> dict[str, Any] | None:
    """The first JSON object in an answer, whatever is around it, with the repairs of lenient.py."""
    text = re.sub(r"\A\s*<think>.*?</think>", "", text, flags=re.DOTALL)
    start = text.find("{")
    if start < 0:
        return None
    try:
        value, _ = json.JSONDecoder(strict=False).raw_decode(text, start)
    except (ValueError, RecursionError):
        try:
            value, _ = read_value(text, start)
        except Malformed:
            return None
    return value if isinstance(value, dict) else None


def _selected(passages: Sequence[Passage]) -> list[dict[str, Any]]:
    """The paper in its order, as much as fits; what says most about results and limits goes first."""
    order = sorted(passages, key=lambda one: (not _IMPORTANT.search(one.section), -len(figures(one.text)), one.number))
    room, kept = CHARACTERS, []
    for one in order:
        room -= len(one.text)
        if room >= 0:
            kept.append(one)
    return [
        {"page": one.page, "section": one.section, "text": one.text} for one in sorted(kept, key=lambda one: one.number)
    ]


def _faults(answer: Mapping[str, Any]) -> list[str]:
    found = [f'"{name}" is no text' for name in ("task", "method") if not _text(answer.get(name))]
    if not isinstance(answer.get("claims"), list):
        found.append('"claims" is no list')
    return found


def _checked(paper: Paper, answer: Mapping[str, Any], generator: str, notes: list[str]) -> Understanding:
    claims, lost = _quotes(paper, answer.get("claims"))
    gaps, lost_gaps = _quotes(paper, answer.get("gaps"))
    if lost + lost_gaps:
        notes.append(f"{lost + lost_gaps} of {generator}'s statements are left out: their quotes are not in the paper.")
    if not claims:
        notes.append("No sentence was found in which the paper states a result of its own.")
    task, method = _text(answer.get("task")), _text(answer.get("method"))
    return Understanding(
        paper_id=paper.id,
        title=paper.title,
        authors=paper.authors,
        task=Quote(text=task or paper.title, page=_nearest(paper, task)),
        method=Quote(text=method, page=_nearest(paper, method)),
        data_sets=_terms(paper, answer.get("data_sets")),
        keywords=_terms(paper, answer.get("keywords")),
        claims=claims,
        gaps=gaps,
        generator=generator,
        notes=tuple(notes),
    )


def _quotes(paper: Paper, told: object) -> tuple[tuple[Quote, ...], int]:
    """Those whose quote is in the paper, and how many are not. A text with a figure that is not in its quote becomes
    the quote."""
    found: dict[str, Quote] = {}
    lost = 0
    for item in told if isinstance(told, list) else ():
        quote, text = (_text(item.get(name)) for name in ("quote", "text")) if isinstance(item, dict) else ("", "")
        place = located(paper, quote)
        if place is None:
            lost += 1
            continue
        invented = set(re.findall(r"\d+(?:\.\d+)?", text)) - set(re.findall(r"\d+(?:\.\d+)?", quote))
        said = quote if invented or not text else text
        found.setdefault(said, Quote(text=said, page=place.page))
    return tuple(found.values()), lost


def located(paper: Paper, quote: str) -> Sentence | None:
    """The sentence of the paper in which a quotation begins; None when the paper does not say it."""
    wanted = letters(quote)
    if len(wanted) < 12:
        return None
    for index, sentence in enumerate(paper.sentences):
        here = letters(sentence.text)
        if wanted in here:
            return sentence
        if here and wanted.startswith(here[:12]) and wanted.startswith(here):
            following = "".join(letters(one.text) for one in paper.sentences[index : index + 4])
            if following.startswith(wanted):
                return sentence
    return None


def _terms(paper: Paper, told: object) -> tuple[Quote, ...]:
    """Words that the paper uses, each with the page where it does so first."""
    found: dict[str, Quote] = {}
    for item in told if isinstance(told, list) else ():
        term = _text(item)
        wanted = letters(term)
        page = next((one.page for one in paper.sentences if wanted in letters(one.text)), None) if wanted else None
        if page is None and wanted and wanted in letters(paper.title):
            page = 1
        if page is not None:
            found.setdefault(wanted, Quote(text=term, page=page))
    return tuple(found.values())


def _nearest(paper: Paper, text: str) -> int:
    """The page of the sentence that a text quotes or shares most words with; 1 for what is in the title."""
    asked = set(re.findall(r"\w{4,}", text.lower()))
    if not asked or asked <= set(re.findall(r"\w{4,}", paper.title.lower())):
        return 1
    shared = [len(asked & set(re.findall(r"\w{4,}", one.text.lower()))) for one in paper.sentences]
    return paper.sentences[shared.index(max(shared))].page if shared else 1


def letters(text: str) -> str:
    """Without spaces, hyphens and quotation marks: what a copy may change."""
    return re.sub(r"[\W_]+", "", text.lower())


def _text(value: object) -> str:
    return " ".join(value.split())[:2_000] if isinstance(value, str) else ""
