"""Files in the catalogue's format: every usable line is used, every other one named with its number and its fault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.llm.catalogue import FOLDER
from engine.study_sources import MUTATION, SourceError, part_of, read_file, spread

GOOD = {"title": "A", "kind": "activation", "strategy": "novel", "code": "def build(): ..."}


def written(folder: Path, *lines: object) -> Path:
    path = folder / "mine.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def test_the_catalogue_itself_is_such_a_file() -> None:
    source = read_file(FOLDER / "activation.jsonl", "activation", "catalogue", "r")
    assert len(source.hypotheses) > 80
    assert source.faults == ()


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{not json", "not JSON"),
        (["a", "list"], "a JSON list"),
        ({**GOOD, "code": None}, "'code' is null"),
        ({k: v for k, v in GOOD.items() if k != "title"}, "no 'title'"),
        ({**GOOD, "code": "  "}, "'code' is empty"),
        ({**GOOD, "strategy": "bold"}, 'strategy is "bold"; expected one of incremental, novel, by hand'),
        ({**GOOD, "kind": "loss"}, 'of the kind "loss"; this study is about activation'),
        ({**GOOD, "claim": 5}, "'claim' is 5; expected a text"),
        (GOOD, "the same title and code as line 1"),
    ],
)
def test_a_bad_line_is_named_with_its_number_and_the_others_are_used(tmp_path: Path, line: object, fault: str) -> None:
    source = read_file(written(tmp_path, GOOD, "", line), "activation", "mine", "r")
    assert [h.title for h in source.hypotheses] == ["A"]
    assert len(source.faults) == 1
    assert source.faults[0].startswith("mine.jsonl, line 3: ")
    assert fault in source.faults[0]


def test_a_file_without_a_usable_line_is_refused_with_every_fault(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"(?s)no activation hypothesis.*line 1: .*line 2: "):
        read_file(written(tmp_path, "{", "["), "activation", "mine", "r")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.jsonl cannot be read: No such file"):
        read_file(tmp_path / "none.jsonl", "activation", "none", "r")


def test_models_are_those_that_lines_name_and_mutations_are_none(tmp_path: Path) -> None:
    lines = [
        {**GOOD, "title": name, "generator": by} for name, by in (("B", "SmolLM2"), ("C", MUTATION), ("D", "SmolLM2"))
    ]
    source = read_file(written(tmp_path, GOOD, *lines), "activation", "mine", "r")
    assert source.language_models == ("SmolLM2",)


def test_a_part_is_named_after_source_and_strategy() -> None:
    source = read_file(FOLDER / "activation.jsonl", "activation", "catalogue", "r")
    names = {part_of(source.name, h.strategy) for h in source.hypotheses}
    assert names == {"catalogue/incremental", "catalogue/novel"}


def test_a_smaller_count_is_spread_over_the_whole_file() -> None:
    assert spread(range(100), 4) == [0, 25, 50, 75]
    assert spread([1, 2], None) == [1, 2]
