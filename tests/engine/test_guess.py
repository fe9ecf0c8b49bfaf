"""A person's module is taken for the kind that it is, or for several where that cannot be told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import guess
from engine.guess import guessed_kinds
from sandbox.guest.components.kinds import KINDS

CATALOGUE = Path(guess.__file__).parent / "catalogue"


def entries() -> list[tuple[str, str]]:
    files = [CATALOGUE / f"{name}.jsonl" for name in KINDS if (CATALOGUE / f"{name}.jsonl").exists()]
    return [(file.stem, json.loads(line)["code"]) for file in files for line in file.read_text().splitlines()]


def test_components_of_the_catalogue_are_recognised_and_hardly_ever_mistaken() -> None:
    found = [(kind, guessed_kinds(code.encode(), "mine.py", KINDS)) for kind, code in entries()]
    mistaken = [kind for kind, likely in found if kind not in likely]
    sure = [kind for kind, likely in found if likely == (kind,)]
    assert len(mistaken) <= 0.02 * len(found)
    assert len(sure) >= 0.9 * len(found)


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
