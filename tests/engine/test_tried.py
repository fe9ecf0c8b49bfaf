"""What was tried is found again by its words or by what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.journal import Past
from engine.tried import by_behaviour, by_words
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS

MakePast = Callable[..., list[Past]]


def titled(past: Past, title: str, claim: str = "") -> Past:
    return replace(past, hypothesis=replace(past.hypothesis, title=title, claim=claim, rationale=""))


def test_words_find_the_hypothesis_that_they_describe(curves: Kind, make_past: MakePast) -> None:
    sine, leak, gate = make_past(3)
    past = [
        titled(leak, "Leaky ramp with a fixed slope"),
        titled(sine, "Sinusoidal unit", "A sine whose frequency is learned keeps periodic structure."),
        titled(gate, "Gaussian gate"),
    ]
    found = by_words("a sine with a learnable frequency", past, [curves])
    assert found.past[0].past.hypothesis.title == "Sinusoidal unit"
    assert found.searched == 3


def test_words_find_a_published_function_by_what_its_code_does() -> None:
    found = by_words("a periodic sine activation", [], [KINDS["activation"]])
    assert any("sin" in next(k.code for k in KINDS["activation"].known if k.name == one.name) for one in found.known)
    assert all(one.source for one in found.known)


def test_nothing_is_said_to_be_alike_when_nothing_is(curves: Kind, make_past: MakePast) -> None:
    assert by_words("zebra umbrella", make_past(3), [curves]).past == ()


def test_code_finds_the_same_function_whatever_it_is_called(curves: Kind, make_past: MakePast) -> None:
    past = [titled(one, f"name {i}") for i, one in enumerate(make_past(shapes=[(1, 0.3, 0), (1, -0.6, 0.4)]))]
    found = by_behaviour(curves, past[1].verdict.behaviour, past)
    assert found.past[0].same
    assert found.past[0].past.hypothesis.title == "name 1"
    assert not any(one.same for one in found.past[1:])


def test_code_finds_the_published_function_that_it_is(curves: Kind, make_past: MakePast) -> None:
    (leaky,) = make_past(shapes=[(1, 0.1, 0)])
    best = by_behaviour(curves, leaky.verdict.behaviour, []).known[0]
    assert (best.name, best.same, best.source) == ("leaky ramp", True, "A paper, 2000")
