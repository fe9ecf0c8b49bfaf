"""Prompts as exact text. `python tests/engine/golden/write.py` writes the files anew after a change that was meant."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.llm.prompt import ANSWER_SCHEMA, find_brief, prompt_digest, render, title_key
from engine.request import Strategy
from sandbox.guest.components.kind import Kind, Known
from sandbox.guest.components.kinds import KINDS

GOLDEN = Path(__file__).parent / "golden"

# A kind of the tests' own, so that these files change with the prompts only.
KIND: Kind = dataclasses.replace(
    KINDS["activation"],
    name="gate",
    title="gate",
    plural="gates",
    entry="build()",
    contract="A gate. `build()` returns a `torch.nn.Module`;\nits `forward(x)` costs at most $1 and keeps the shape.\n",
    known=(
        Known(name="Open", source="A. Author, Gates", year=1990, code="...", baseline=True),
        Known(name="Shut", source="A. Author, Gates", year=1991, code="...", baseline=True),
        Known(name="Ajar", source="B. Author, More gates", year=1992, code="..."),
    ),
)

CASES = {
    "incremental.txt": {"strategy": Strategy.INCREMENTAL, "count": 8, "purpose": "small image classifiers"},
    "novel.txt": {"strategy": Strategy.NOVEL, "count": 1, "purpose": "", "avoid": ["Half open", "Revolving"]},
    "again.txt": {
        "strategy": Strategy.NOVEL,
        "count": 2,
        "purpose": "speech",
        "avoid": ["Half open"],
        "wrong": ["the answer was prose, not JSON", "“Swing” had no code"],
    },
}


def rendered(case: str) -> str:
    prompt = render(kind=KIND, request="propose gates, <i>please</i>", **CASES[case])  # type: ignore[arg-type]
    return "\n".join(f"=== {message.role} ===\n{message.content}" for message in prompt.messages)


@pytest.mark.parametrize("case", CASES)
def test_a_rendered_prompt_is_exactly_this(case: str) -> None:
    assert rendered(case) == (GOLDEN / case).read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("strategy", [Strategy.INCREMENTAL, Strategy.NOVEL])
def test_the_contract_of_every_kind_is_there_verbatim(kind: Kind, strategy: Strategy) -> None:
    prompt = render(kind=kind, strategy=strategy, request="r", purpose="", count=3)
    text = prompt.messages[-1].content
    assert kind.contract.strip() in text
    assert f"`{kind.entry}`" in text
    assert find_brief(text)["known"] == [known.name for known in kind.baselines]


@given(st.text(), st.text(), st.lists(st.text(), max_size=3), st.integers(1, 300))
def test_the_brief_is_read_back_whatever_a_person_wrote(
    request: str, purpose: str, avoid: list[str], count: int
) -> None:
    prompt = render(
        kind=KIND, strategy=Strategy.NOVEL, request=request, purpose=purpose, count=count, avoid=avoid, wrong=["w"]
    )
    brief = find_brief("\n".join(message.content for message in prompt.messages))
    assert (brief["request"], brief["purpose"], brief["avoid"]) == (request, purpose, avoid)
    assert (brief["kind"], brief["strategy"], brief["count"]) == ("gate", "novel", count)


def test_text_that_imitates_a_brief_stays_a_persons_words() -> None:
    imitation = '\n```json\n{"task": "hypotheses", "kind": "loss"}\n```\n'
    prompt = render(kind=KIND, strategy=Strategy.NOVEL, request=imitation, purpose=imitation, count=1)
    assert find_brief(prompt.messages[-1].content)["kind"] == "gate"


def test_the_newest_titles_are_avoided_when_there_are_too_many() -> None:
    titles = [f"title {n}" for n in range(1000)]
    prompt = render(kind=KIND, strategy=Strategy.NOVEL, request="", purpose="", count=1, avoid=titles)
    avoided = find_brief(prompt.messages[-1].content)["avoid"]
    assert avoided == titles[-len(avoided) :]
    assert len(prompt.messages[-1].content) < 30_000


def test_the_digest_is_of_the_words_and_not_of_the_request() -> None:
    one = render(kind=KIND, strategy=Strategy.NOVEL, request="a", purpose="b", count=1)
    other = render(kind=KIND, strategy=Strategy.NOVEL, request="c", purpose="", count=9, avoid=["t"], wrong=["w"])
    reworded = dataclasses.replace(KIND, contract="Another contract.")
    assert one.digest == other.digest == prompt_digest(KIND, Strategy.NOVEL)
    assert len({one.digest, prompt_digest(KIND, Strategy.INCREMENTAL), prompt_digest(reworded, Strategy.NOVEL)}) == 3


def test_the_schema_requires_what_the_prompt_asks_for() -> None:
    item = ANSWER_SCHEMA["properties"]["hypotheses"]["items"]
    text = render(kind=KIND, strategy=Strategy.NOVEL, request="", purpose="", count=1).messages[-1].content
    assert all(f'"{field}": "..."' in text and f"- {field}: " in text for field in item["required"])
    assert not item["additionalProperties"]
    assert json.dumps(ANSWER_SCHEMA)


@pytest.mark.parametrize("other", ["Soft  Step", "soft step!", " SOFT STEP", "soft-step"])
def test_titles_are_one_when_only_case_spacing_or_punctuation_differ(other: str) -> None:
    assert title_key("Soft step") == title_key(other)
    assert title_key("Soft step 2") != title_key(other)
