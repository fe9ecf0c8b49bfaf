"""A person's module is taken for the kind that it is, or for several where that cannot be told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.guess import guessed_kinds
from engine.llm.catalogue import entries
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS


def half(kind: Kind, odd: int) -> tuple[str, ...]:
    return tuple(entry.code for number, entry in enumerate(entries(kind.name)) if number % 2 == odd)


def test_of_components_that_it_has_not_seen_hardly_one_is_mistaken_and_few_are_asked_about() -> None:
    def seen(kind: Kind) -> tuple[str, ...]:
        return (*(known.code for known in kind.known), *half(kind, 0))

    found = [
        (kind.name, guessed_kinds(code.encode(), "mine.py", KINDS, seen))
        for kind in KINDS.values()
        for code in half(kind, 1)
    ]
    mistaken = [kind for kind, likely in found if kind not in likely]
    sure = [kind for kind, likely in found if likely == (kind,)]
    assert len(mistaken) <= 0.02 * len(found)
    assert len(sure) >= 0.95 * len(found)


@pytest.mark.parametrize("kind", KINDS)
def test_every_known_component_is_recognised(kind: str) -> None:
    assert all(guessed_kinds(known.code.encode(), "mine.py", KINDS)[0] == kind for known in KINDS[kind].known)


def test_the_name_of_the_file_decides_where_it_names_a_kind() -> None:
    bare = b"def build():\n    return Thing()\n"
    assert guessed_kinds(bare, "my_regularizer.py", KINDS) == ("regularizer",)
    assert len(guessed_kinds(bare, "mine.py", KINDS)) > 1


@given(st.binary(max_size=200) | st.sampled_from([b"", b"def build(", b"x = 1", b"(" * 5_000, b"# coding: nonsense\n"]))
def test_what_cannot_be_read_may_be_anything(source: bytes) -> None:
    assert set(guessed_kinds(source, "mine.py", KINDS)) == set(KINDS) or b"build" in source
