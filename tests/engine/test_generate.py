"""Asking until there are enough: batches, what is asked again, and what is reported."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import GeneratorError
from engine.generate import BATCH, Generated, from_file, generate, hypothesis_id
from engine.llm.catalogue import entries, offline_catalogue
from engine.llm.client import LLM, OpenAIModel
from engine.llm.prompt import find_brief, prompt_digest
from engine.request import Request, Strategy
from sandbox.guest.components.kinds import KINDS

REQUEST = Request(
    id="q-1",
    text="propose activation functions for small image classifiers",
    kinds=("activation",),
    count=8,
    counts=(8,),
    strategies=(Strategy.NOVEL,),
    purpose="small image classifiers",
    asked_by="U1",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def item(title: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "claim": "c", "rationale": "r", "inspiration": "i", "code": f"# {title}\n"} | more


def fresh(brief: dict[str, Any]) -> list[dict[str, Any]]:
    """As many items as were asked for, with titles that are not to be avoided."""
    numbers = (n for n in range(10_000) if f"Idea {n}" not in brief["avoid"])
    return [item(f"Idea {next(numbers)}") for _ in range(brief["count"])]


class Scripted:
    """A model whose answers are a function of the brief and the number of the call; below the real client."""

    def __init__(self, answer: Callable[[dict[str, Any], int], str | httpx.Response]) -> None:
        self.prompts: list[str] = []
        self._answer = answer
        self.llm: LLM = OpenAIModel(
            model="tiny-1",
            api_key="k",
            base_url="http://scripted.invalid/v1",
            max_retries=0,
            transport=httpx.MockTransport(self._respond),
        )

    @property
    def briefs(self) -> list[dict[str, Any]]:
        return [find_brief(prompt) for prompt in self.prompts]

    def _respond(self, request: httpx.Request) -> httpx.Response:
        self.prompts.append(json.loads(request.content)["messages"][-1]["content"])
        text = self._answer(self.briefs[-1], len(self.prompts))
        if isinstance(text, httpx.Response):
            return text
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
        body = {"id": "c", "object": "chat.completion", "created": 0, "model": "tiny-1", "usage": usage}
        return httpx.Response(200, json=body | {"choices": [choice]})


def run(model: Scripted, count: int, avoid: list[str] | None = None, **more: Any) -> Generated:
    return generate(REQUEST, "activation", Strategy.NOVEL, count, model.llm, avoid or [], **more)


def obedient(brief: dict[str, Any], call: int) -> str:
    return json.dumps({"hypotheses": fresh(brief)})


def failure(status: int) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": "no"}})


@pytest.mark.parametrize("count", [1, 7, 8, 9, 24, 50])
def test_the_number_asked_for_comes_in_batches(count: int) -> None:
    model = Scripted(obedient)
    made = run(model, count)
    assert len({h.title for h in made.hypotheses}) == len(made.hypotheses) == count
    assert [brief["count"] for brief in model.briefs] == [BATCH] * (count // BATCH) + [count % BATCH] * (
        count % BATCH > 0
    )
    assert (made.faults, made.exhausted) == ((), False)


def test_a_hypothesis_carries_where_it_comes_from() -> None:
    (hypothesis,) = run(Scripted(obedient), 1).hypotheses
    assert hypothesis.request_id == "q-1"
    assert (hypothesis.kind, hypothesis.strategy, hypothesis.generator) == ("activation", Strategy.NOVEL, "tiny-1")
    assert hypothesis.prompt_digest == prompt_digest(KINDS["activation"], Strategy.NOVEL)
    assert (hypothesis.source, hypothesis.origin) == (b"# Idea 0\n", None)


def test_the_model_is_told_the_request_and_what_to_avoid() -> None:
    model = Scripted(obedient)
    run(model, 9, ["Idea 0", "Old"])
    first, second = model.briefs
    assert (first["request"], first["purpose"]) == (REQUEST.text, REQUEST.purpose)
    assert first["avoid"] == ["Idea 0", "Old"]
    assert second["avoid"] == ["Idea 0", "Old", *(f"Idea {n}" for n in range(1, 9))]


def test_tokens_and_time_are_added_up() -> None:
    made = run(Scripted(obedient), 20)
    assert (made.prompt_tokens, made.completion_tokens) == (30, 6)
    assert made.seconds > 0


def test_what_is_missing_is_asked_for_again_with_what_was_wrong() -> None:
    def answer(brief: dict[str, Any], call: int) -> str:
        items = fresh(brief)
        return json.dumps([items[0], item("Broken", code="")] if call == 1 else items)

    model = Scripted(answer)
    made = run(model, 4)
    assert [brief["count"] for brief in model.briefs] == [4, 3]
    assert "“Broken” had no code" in model.prompts[1]
    assert model.briefs[1]["avoid"] == ["Idea 0"]
    assert len(made.hypotheses) == 4
    assert made.faults == ()


def test_prose_is_asked_again_at_most_twice_and_then_reported() -> None:
    model = Scripted(lambda brief, call: "I would rather talk about the weather.")
    made = run(model, 24)
    assert len(model.prompts) == 3
    assert made.hypotheses == ()
    assert len(made.faults) == 1
    assert "tiny-1" in made.faults[0]
    assert "24 novel activation functions" in made.faults[0]
    assert "prose" in made.faults[0]
    assert not made.exhausted


def test_a_model_that_gives_too_few_costs_only_what_it_did_not_give() -> None:
    def answer(brief: dict[str, Any], call: int) -> str:
        return json.dumps(fresh(brief)[:2] if call <= 3 else fresh(brief))

    model = Scripted(answer)
    made = run(model, 16)
    assert len(made.hypotheses) == 6 + 8
    assert len(made.faults) == 1
    assert "gave 14" in made.faults[0]


def test_more_than_was_asked_for_is_left() -> None:
    made = run(Scripted(lambda brief, call: json.dumps([item(f"Idea {n}") for n in range(20)])), 3)
    assert len(made.hypotheses) == 3


def test_a_title_to_avoid_is_dropped_and_asked_for_again() -> None:
    model = Scripted(lambda brief, call: json.dumps([item("Old!")]) if call == 1 else obedient(brief, call))
    made = run(model, 1, ["old"])
    assert [h.title for h in made.hypotheses] == ["Idea 0"]
    assert "“Old!” was proposed before" in model.prompts[1]


def test_a_model_that_cannot_be_asked_is_a_fault() -> None:
    with pytest.raises(GeneratorError, match="tiny-1"):
        run(Scripted(lambda brief, call: failure(401)), 8)


def test_a_model_that_fails_later_costs_nothing_of_what_it_answered() -> None:
    made = run(Scripted(lambda brief, call: obedient(brief, call) if call == 1 else failure(401)), 24)
    assert len(made.hypotheses) == 8
    assert len(made.faults) == 1
    assert "stopped answering" in made.faults[0]


def test_a_model_that_fails_when_asked_again_costs_nothing_of_what_it_answered() -> None:
    made = run(
        Scripted(lambda brief, call: json.dumps(fresh(brief)[:3]) if call == 1 else failure(401)),
        8,
    )
    assert len(made.hypotheses) == 3
    assert "stopped answering" in made.faults[0]


def test_stopping_ends_the_asking_and_keeps_what_is_there() -> None:
    model = Scripted(obedient)
    made = run(model, 80, stopped=lambda: len(model.prompts) >= 2)
    assert len(made.hypotheses) == 16
    assert made.faults == ()
    assert run(model, 8, stopped=lambda: True).hypotheses == ()


# --- the offline catalogue takes the same way


@pytest.mark.parametrize("kind", ["activation", "regularizer"])
@pytest.mark.parametrize("strategy", [Strategy.INCREMENTAL, Strategy.NOVEL])
def test_the_catalogue_gives_all_that_it_has_and_says_that_it_ends(kind: str, strategy: Strategy) -> None:
    made = generate(REQUEST, kind, strategy, 100, offline_catalogue(), [])
    fitting = {entry.id: entry for entry in entries(kind) if entry.strategy == strategy}
    assert {h.origin for h in made.hypotheses} == set(fitting)
    assert all(h.code == fitting[h.origin or ""].code for h in made.hypotheses)
    assert all(h.generator == "offline catalogue" for h in made.hypotheses)
    assert made.exhausted
    assert len(made.faults) == 1
    assert f"only {len(fitting)} left" in made.faults[0]


def test_the_catalogue_never_gives_the_same_twice() -> None:
    used: list[str] = []
    for _ in range(3):
        made = generate(REQUEST, "activation", Strategy.NOVEL, 12, offline_catalogue(), used)
        assert not made.exhausted
        used += [h.title for h in made.hypotheses]
    assert len(set(used)) == 36


def test_a_catalogue_that_was_used_up_gives_nothing_and_says_so() -> None:
    used = [entry.title for entry in entries("activation")]
    made = generate(REQUEST, "activation", Strategy.NOVEL, 8, offline_catalogue(), used)
    assert made.hypotheses == ()
    assert made.exhausted
    assert "none left" in made.faults[0]


def test_the_same_request_has_the_same_hypotheses() -> None:
    one, other = (generate(REQUEST, "activation", Strategy.NOVEL, 12, offline_catalogue(), []) for _ in range(2))
    assert one.hypotheses == other.hypotheses


# --- a person's own


def test_a_persons_component_is_kept_byte_by_byte() -> None:
    source = b"# \xff not utf-8\r\ndef build(): ...\r\n"
    hypothesis = from_file("my/own.py", source, "activation", "q-1", "Ada")
    assert hypothesis.source == source
    assert (hypothesis.title, hypothesis.generator, hypothesis.strategy) == ("own.py", "Ada", Strategy.BY_HAND)
    assert (hypothesis.claim, hypothesis.prompt_digest, hypothesis.origin) == ("", None, None)


def test_files_of_one_name_in_two_folders_are_two_hypotheses() -> None:
    one = from_file("a/f.py", b"x", "activation", "q-1", "Ada")
    other = from_file("b/f.py", b"x", "activation", "q-1", "Ada")
    assert one.id != other.id


PARTS = st.tuples(st.text(), st.text(), st.text(), st.binary())


@given(PARTS, PARTS)
def test_an_id_is_short_and_names_what_it_is_made_of(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    made = hypothesis_id(*one)
    assert len(made) == 12
    assert made.startswith("h-")
    assert made == hypothesis_id(*one)
    assert (made == hypothesis_id(*other)) == (one == other)


# --- properties


def texts() -> Iterator[st.SearchStrategy[str]]:
    items = st.lists(st.sampled_from([item("A"), item("B"), item("C", code=""), {"title": "D"}, 7, None]))
    yield items.map(json.dumps)
    yield items.map(lambda found: json.dumps(found)[:-30])
    yield st.text()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(*texts()), min_size=1, max_size=6), st.integers(1, 12))
def test_whatever_a_model_answers_hypotheses_are_complete_and_the_asking_ends(answers: list[str], count: int) -> None:
    model = Scripted(lambda brief, call: answers[call % len(answers)])
    made = run(model, count, ["A"])
    assert len(made.hypotheses) <= count
    assert len(model.prompts) <= 3 * 2
    assert len({h.id for h in made.hypotheses}) == len(made.hypotheses)
    assert all(h.title and h.claim and h.rationale and h.source and h.title != "A" for h in made.hypotheses)
    assert len(made.hypotheses) == count or made.faults
