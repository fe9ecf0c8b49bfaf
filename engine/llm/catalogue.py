"""The offline catalogue: answers chat-completions calls from files, so that no key and no network is needed.

It sits below the openai client, as its transport. Prompts, parsing, retries and ranking are thus the ones that a real
model goes through. It reads the one JSON brief of the prompt (see prompt.py) and looks entries up; it makes nothing up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from sklearn.feature_extraction.text import TfidfVectorizer

from engine.llm.client import OpenAIModel
from engine.llm.prompt import find_brief, title_key
from engine.papers.offline import ANSWERS

FOLDER = Path(__file__).parents[1] / "catalogue"
NAME = "offline catalogue"
MODEL = "offline-catalogue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    id: str
    kind: str
    strategy: str
    title: str
    claim: str
    rationale: str
    inspiration: str
    code: str


@cache
def entries(kind: str, folder: Path = FOLDER) -> tuple[Entry, ...]:
    """Every entry of a kind, in the order of its file; none for a kind without a file."""
    path = folder / f"{kind}.jsonl"
    if not kind.isidentifier() or not path.is_file():
        return ()
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(Entry(**json.loads(line)) for line in lines if line.strip())


def closest_first(found: Sequence[Entry], words: str) -> list[Entry]:
    """By the cosine of TF-IDF vectors over title, claim and rationale; equally close ones keep their order."""
    if not found or not words.strip():
        return list(found)
    vectorizer = TfidfVectorizer(stop_words="english", sublinear_tf=True, token_pattern=r"(?u)[^\W\d_]{2,}")
    texts = vectorizer.fit_transform([f"{entry.title} {entry.claim} {entry.rationale}" for entry in found])
    closeness = (texts @ vectorizer.transform([words]).T).toarray().ravel()
    return [found[i] for i in sorted(range(len(found)), key=lambda i: (-round(float(closeness[i]), 9), i))]


def answer(brief: Mapping[str, Any], folder: Path = FOLDER) -> dict[str, Any]:
    """What the catalogue has for a brief: never a title that is to be avoided; `exhausted` when that leaves too few."""
    used = {title_key(str(title)) for title in brief.get("avoid", ())}
    fitting = [entry for entry in entries(brief["kind"], folder) if entry.strategy == brief["strategy"]]
    unused = [entry for entry in fitting if title_key(entry.title) not in used]
    words = f"{brief.get('purpose', '')} {brief.get('request', '')}"
    chosen = closest_first(unused, words)[: brief["count"]]
    found = [
        {
            "title": entry.title,
            "claim": entry.claim,
            "rationale": entry.rationale,
            "inspiration": entry.inspiration,
            "code": entry.code,
            "catalogue_id": entry.id,
        }
        for entry in chosen
    ]
    return {"hypotheses": found, "exhausted": True} if len(chosen) < brief["count"] else {"hypotheses": found}


class CatalogueTransport(httpx.BaseTransport):
    """The two calls of the chat-completions protocol that the product makes; any other is a 404."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.rstrip("/")
        if request.method == "GET" and path.endswith("/models"):
            model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "conjecture"}
            return httpx.Response(200, json={"object": "list", "data": [model]})
        if request.method == "POST" and path.endswith("/chat/completions"):
            return self._complete(json.loads(request.read()))
        return _refusal(404, f"{NAME}: no such call: {request.method} {path}")

    def _complete(self, body: Mapping[str, Any]) -> httpx.Response:
        prompt = "\n".join(message["content"] for message in body["messages"])
        try:
            brief = find_brief(prompt)
        except ValueError as error:
            return _refusal(400, f"{NAME}: {error}")
        told = ANSWERS[brief["task"]](brief) if brief["task"] in ANSWERS else answer(brief, self._folder)
        text = json.dumps(told, ensure_ascii=False)
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        answered = {
            "id": "chatcmpl-offline",
            "object": "chat.completion",
            "created": 0,
            "model": MODEL,
            "choices": [choice],
            # Nothing was read or written by a model, so nothing is counted.
            "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        }
        return httpx.Response(200, json=answered)


def _refusal(status: int, message: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": message, "type": "invalid_request_error"}})


def offline_catalogue(folder: Path = FOLDER) -> OpenAIModel:
    """The catalogue behind the openai client. Its address is reserved never to exist (RFC 2606)."""
    return OpenAIModel(
        model=MODEL,
        name=NAME,
        api_key="none-needed",
        base_url="http://catalogue.invalid/v1",
        transport=CatalogueTransport(folder),
    )
