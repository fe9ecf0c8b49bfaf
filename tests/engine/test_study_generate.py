"""Generators as sources: all of the catalogue, a model's share of each strategy, and nothing asked for twice."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from engine.llm.catalogue import entries, offline_catalogue
from engine.llm.client import OpenAIModel
from engine.memory import MemoryJournal
from engine.request import Strategy
from engine.study_generate import CATALOGUE, generated
from engine.study_sources import Source
from sandbox.guest.components.kinds import KINDS


class Endpoint:
    """Answers eight proposals a call, with titles that are new each time, and counts tokens."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        proposals = [
            {"title": f"Idea {self.calls} {n}", "claim": "c", "rationale": "r", "inspiration": "i", "code": f"# {n}"}
            for n in range(8)
        ]
        message = {"role": "assistant", "content": json.dumps({"hypotheses": proposals})}
        answer = {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }
        return httpx.Response(200, json=answer)


def asked(journal: MemoryJournal, model: OpenAIModel, name: str, count: int | None, folder: Path) -> Source:
    return generated(
        KINDS["activation"],
        model,
        name,
        count,
        journal=journal,
        costs=folder / "costs.jsonl",
        watch=lambda title, done, total: None,
        stopped=lambda: False,
    )


def test_the_catalogue_is_taken_whole_whatever_is_tested_of_it(tmp_path: Path) -> None:
    source = asked(MemoryJournal(), offline_catalogue(), CATALOGUE, 5, tmp_path)
    assert len(source.hypotheses) == len(entries("activation"))
    assert source.language_models == ()
    assert source.faults == ()


def test_a_model_is_asked_for_half_of_each_strategy_and_its_tokens_are_counted(tmp_path: Path) -> None:
    endpoint = Endpoint()
    model = OpenAIModel(model="m", api_key="k", transport=httpx.MockTransport(endpoint))
    source = asked(MemoryJournal(), model, "m", 20, tmp_path)
    strategies = [h.strategy for h in source.hypotheses]
    assert (strategies.count(Strategy.INCREMENTAL), strategies.count(Strategy.NOVEL)) == (10, 10)
    assert (source.prompt_tokens, source.completion_tokens) == (100 * endpoint.calls, 10 * endpoint.calls)
    assert source.language_models == ("m",)


def test_what_was_answered_is_not_asked_for_again(tmp_path: Path) -> None:
    endpoint, journal = Endpoint(), MemoryJournal()
    model = OpenAIModel(model="m", api_key="k", transport=httpx.MockTransport(endpoint))
    first = asked(journal, model, "m", 20, tmp_path)
    calls = endpoint.calls
    again = asked(journal, model, "m", 20, tmp_path)
    assert endpoint.calls == calls
    assert again == first
