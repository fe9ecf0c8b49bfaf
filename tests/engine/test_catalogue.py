"""The offline catalogue: what it chooses, and that it is asked like any model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from engine.errors import GeneratorError
from engine.llm.catalogue import NAME, CatalogueTransport, answer, entries, offline_catalogue
from engine.llm.client import Message

KINDS = ["activation", "initializer", "loss", "normalizer", "optimizer", "preprocessor", "regularizer", "schedule"]


def brief(
    kind: str = "activation",
    strategy: str = "novel",
    count: int = 3,
    purpose: str = "",
    request: str = "",
    avoid: Sequence[str] = (),
) -> dict[str, Any]:
    wanted = {"task": "hypotheses", "kind": kind, "strategy": strategy, "count": count}
    return wanted | {"request": request, "purpose": purpose, "avoid": list(avoid)}


def titles(of: dict[str, Any]) -> list[str]:
    return [item["title"] for item in answer(of)["hypotheses"]]


@pytest.mark.parametrize("kind", KINDS)
def test_every_entry_is_complete_and_named_once(kind: str) -> None:
    found = entries(kind)
    assert found
    assert all(entry.kind == kind and entry.strategy in ("incremental", "novel") for entry in found)
    assert all(entry.title and entry.claim and entry.rationale and "def build(" in entry.code for entry in found)
    assert len({entry.title.casefold() for entry in found}) == len({entry.id for entry in found}) == len(found)


def test_it_answers_with_the_kind_strategy_and_number_asked_for() -> None:
    chosen = titles(brief("regularizer", "incremental", 5))
    fitting = {entry.title for entry in entries("regularizer") if entry.strategy == "incremental"}
    assert len(chosen) == 5
    assert set(chosen) <= fitting


def test_the_same_brief_has_the_same_answer() -> None:
    assert titles(brief(purpose="deep nets", count=9)) == titles(brief(purpose="deep nets", count=9))


def test_what_is_closest_to_the_purpose_comes_first() -> None:
    oscillating = titles(brief(strategy="incremental", count=48, purpose="fitting oscillating targets with a sine"))
    assert oscillating[0] == "ReLU with a sine ripple"
    assert titles(brief(strategy="incremental", count=48, purpose="heavy-tailed outliers"))[0] != oscillating[0]


def test_a_purpose_of_no_known_word_leaves_the_order_of_the_file() -> None:
    assert titles(brief(purpose="zzxy", count=10)) == titles(brief(count=10))


def test_a_title_to_avoid_is_never_answered_however_it_is_spelled() -> None:
    first, second, third = titles(brief(count=3))
    rest = titles(brief(count=99, avoid=[first.upper(), f"  {second}!", third]))
    assert not {first, second, third} & set(rest)


def test_asking_again_and_again_uses_every_entry_once_and_then_says_that_nothing_is_left() -> None:
    used: list[str] = []
    for _ in range(100):
        answered = answer(brief(count=8, avoid=used))
        used += [item["title"] for item in answered["hypotheses"]]
        if answered.get("exhausted"):
            break
    assert sorted(used) == sorted(entry.title for entry in entries("activation") if entry.strategy == "novel")
    assert answer(brief(count=8, avoid=used)) == {"hypotheses": [], "exhausted": True}


def test_it_is_not_exhausted_while_it_can_answer_in_full() -> None:
    assert "exhausted" not in answer(brief(count=44))
    assert answer(brief(count=45))["exhausted"]


def test_a_kind_without_a_file_is_exhausted_at_once() -> None:
    assert answer(brief(kind="pooling")) == {"hypotheses": [], "exhausted": True}
    assert answer(brief(kind="../catalogue/activation")) == {"hypotheses": [], "exhausted": True}


def test_every_item_says_which_entry_it_is() -> None:
    ids = {entry.title: entry.id for entry in entries("activation")}
    assert all(item["catalogue_id"] == ids[item["title"]] for item in answer(brief())["hypotheses"])


def test_it_is_shown_as_the_offline_catalogue_and_lists_itself() -> None:
    llm = offline_catalogue()
    assert llm.name == NAME == "offline catalogue"
    assert llm.models() == ("offline-catalogue",)


@pytest.mark.parametrize("fences", [0, 2])
def test_a_prompt_needs_exactly_one_brief(fences: int) -> None:
    fence = f"```json\n{json.dumps(brief())}\n```\n"
    with pytest.raises(GeneratorError, match=f"found {fences}"):
        offline_catalogue().complete([Message(role="user", content="Hello.\n" + fences * fence)])


def test_a_brief_for_another_task_is_refused() -> None:
    fence = f"```json\n{json.dumps(brief() | {'task': 'poem'})}\n```\n"
    with pytest.raises(GeneratorError, match="other than hypotheses"):
        offline_catalogue().complete([Message(role="user", content=fence)])


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/chat/completions"), ("POST", "/v1/embeddings"), ("GET", "/")]
)
def test_any_other_call_is_not_found(method: str, path: str) -> None:
    with httpx.Client(transport=CatalogueTransport()) as client:
        assert client.request(method, f"http://catalogue.invalid{path}").status_code == 404


def test_neither_a_proxy_nor_a_key_of_the_environment_comes_between(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert offline_catalogue().models()
