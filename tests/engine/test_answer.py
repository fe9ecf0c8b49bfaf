"""What can be read of a model's answer, however it is malformed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.llm.answer import Answer, read_answer

CODE = 'import torch\n\n\ndef build():\n    return torch.nn.Tanh()  # "quoted" \\d\n'


def item(title: str = "Soft step", **more: Any) -> dict[str, Any]:
    return {"title": title, "claim": "c", "rationale": "r", "inspiration": "i", "code": CODE} | more


def hypotheses(*items: Any) -> str:
    return json.dumps({"hypotheses": list(items)})


TWO = hypotheses(item("One"), item("Two"))


def titles(answer: Answer) -> list[str]:
    return [proposal.title for proposal in answer.proposals]


@pytest.mark.parametrize(
    "text",
    [
        TWO,
        json.dumps(json.loads(TWO), indent=2),
        json.dumps([item("One"), item("Two")]),
        json.dumps({"result": {"hypotheses": {"1": item("One"), "2": item("Two")}}}),
        f"Sure! Here you are:\n\n{TWO}\n\nTell me if you need more.",
        f"```json\n{TWO}\n```",
        f"```\n{TWO}\n```",
        f"Here:\n```json\n{TWO}\n```\nDone.",
        f"<think>maybe {{'title': 1}} or so</think>\n{TWO}",
        TWO.replace("}]", "},]"),
        TWO.replace('"}', '",}'),
        repr(json.loads(TWO)),
        TWO.replace("\\n", "\n"),
        TWO.replace('"title"', '"Title"'),
        f"{json.dumps(item('One'))}\n{json.dumps(item('Two'))}",
        f"1. {json.dumps(item('One'))}\n2. {json.dumps(item('Two'))}",
        hypotheses(item("One", code=CODE.split("\n")), item("Two")),
        hypotheses(item("One", code=f"```python\n{CODE}```"), item("Two")),
        hypotheses(item("One", inspiration=None), item("Two", extra={"a": [1, None, True]})),
    ],
)
def test_an_answer_with_one_possible_reading_is_read(text: str) -> None:
    answer = read_answer(text)
    assert titles(answer) == ["One", "Two"]
    assert {proposal.code for proposal in answer.proposals} <= {CODE, CODE.replace("\\d", "\\\\d")}


def test_a_single_object_is_one_hypothesis() -> None:
    assert titles(read_answer(json.dumps(item("One")))) == ["One"]


def test_code_in_triple_quotes_is_read_as_it_looks() -> None:
    text = '{"hypotheses": [{"title": "One", "claim": "c", "rationale": "r", "code": """' + CODE + '"""}]}'
    (proposal,) = read_answer(text).proposals
    assert proposal.code == CODE


def test_code_whose_line_breaks_were_escaped_twice_is_put_right() -> None:
    (proposal,) = read_answer(
        hypotheses(item(code="import torch\\n\\ndef build():\\n    return torch.nn.Tanh()"))
    ).proposals
    assert proposal.code == "import torch\n\ndef build():\n    return torch.nn.Tanh()"


def test_an_escaped_line_break_inside_code_stays() -> None:
    code = 'def build():\n    raise ValueError("a\\nb")\n'
    assert read_answer(hypotheses(item(code=code))).proposals[0].code == code


@pytest.mark.parametrize("keep", range(1, 10))
def test_of_a_truncated_answer_the_complete_items_are_kept(keep: int) -> None:
    text = hypotheses(*(item(f"Title {n}") for n in range(3)))
    cut = text[: len(text) * keep // 10]
    complete = [n for n in range(3) if json.dumps(item(f"Title {n}")) in cut]
    answer = read_answer(cut, cut=True)
    assert titles(answer) == [f"Title {n}" for n in complete]
    assert any("cut off" in fault for fault in answer.faults)


def test_one_broken_item_does_not_cost_the_others() -> None:
    broken = json.dumps(item("Two")).replace('"rationale": "r"', '"rationale": "say "x" now"')
    text = f'{{"hypotheses": [{json.dumps(item("One"))}, {broken}, {json.dumps(item("Three"))}]}}'
    answer = read_answer(text)
    assert titles(answer) == ["One", "Three"]
    assert answer.faults == ("the answer was not valid JSON throughout",)


@pytest.mark.parametrize("field", ["title", "claim", "rationale", "code"])
@pytest.mark.parametrize("value", [None, "", "  \n", 7, {"a": "b"}, "absent"])
def test_a_missing_field_is_named_and_never_made_up(field: str, value: Any) -> None:
    incomplete = item("Two") | {field: value}
    if value == "absent":
        del incomplete[field]
    answer = read_answer(hypotheses(item("One"), incomplete))
    assert titles(answer) == ["One"]
    assert len(answer.faults) == 1
    assert f"no {field}" in answer.faults[0]


def test_a_title_that_comes_twice_is_kept_once() -> None:
    same = read_answer(hypotheses(item("One"), item("one!")))
    assert (titles(same), same.faults) == (["One"], ())
    different = read_answer(hypotheses(item("One"), item("One", code=CODE + "#")))
    assert titles(different) == ["One"]
    assert "two different hypotheses had the title “One”" in different.faults[0]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty"),
        ("I am sorry, I cannot do that.", "prose"),
        ("{}", "no hypothesis"),
        ('{"hypotheses": []}', "no hypothesis"),
        ("def build(): return {1: 2}", "no hypothesis"),
    ],
)
def test_an_answer_without_hypotheses_says_what_it_was(text: str, fault: str) -> None:
    answer = read_answer(text)
    assert answer.proposals == ()
    assert fault in answer.faults[0]


def test_only_an_answer_as_a_whole_can_say_that_there_is_no_more() -> None:
    assert read_answer('{"hypotheses": [], "exhausted": true}').exhausted
    assert not read_answer('{"hypotheses": [], "exhausted": "yes"}').exhausted
    assert not read_answer(hypotheses(item(claim='"exhausted": true'))).exhausted


def test_long_texts_are_cut_and_endless_code_is_refused() -> None:
    answer = read_answer(hypotheses(item("T" * 1000, claim="c" * 10_000), item("Two", code="x" * 60_000)))
    (proposal,) = answer.proposals
    assert len(proposal.title) <= 160
    assert len(proposal.claim) <= 2_000
    assert "longer than" in answer.faults[0]


# --- properties

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["title", "claim", "rationale", "code", "x"]), inner, max_size=5)
    ),
    max_leaves=12,
)
PIECES = st.one_of(
    st.sampled_from(["{", "}", "[", "]", '"', "'", '"""', ",", ":", "\\", "\\u", "\\ud83d", "```", "\n", "<think>"]),
    st.sampled_from(["title", '"title": "t"', '"claim": "c"', '"rationale": "r"', "'code': 'x'", '"code": "y"']),
    st.sampled_from(["null", "True", "1e5", '{"title": "t", "claim": "c", "rationale": "r", "code": "x"}']),
)


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(), st.lists(PIECES).map("".join), VALUES.map(json.dumps), VALUES.map(repr)), st.booleans())
@example("[" * 100_000, False)
@example('{"title":' * 20_000, False)
@example('{"title": "' * 20_000, True)
@example('{"a":' * 5_000 + "1" + "}" * 5_000, False)
@example('"' * 50_001, False)
@example(hypotheses(item("\ud800 lone")), False)
@example(hypotheses(item(code="\x00def build(): ...")), False)
@example("{" + " " * 200_000, False)
def test_any_text_is_read_without_an_error_and_no_hypothesis_is_incomplete(text: str, cut: bool) -> None:
    answer = read_answer(text, cut=cut)
    for proposal in answer.proposals:
        assert proposal.title.strip()
        assert proposal.claim.strip()
        assert proposal.rationale.strip()
        assert proposal.code.strip()
        assert "\x00" not in proposal.title + proposal.code
        (proposal.title + proposal.claim + proposal.rationale + proposal.inspiration + proposal.code).encode()
    assert answer.proposals or answer.faults or answer.exhausted


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(TWO)), st.integers(0, len(TWO)), st.text(max_size=3))
def test_a_damaged_answer_yields_only_what_was_in_it(start: int, length: int, inserted: str) -> None:
    answer = read_answer(TWO[:start] + inserted + TWO[start + length % 40 :])
    assert len(answer.proposals) <= 2
