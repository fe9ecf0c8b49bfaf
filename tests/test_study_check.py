"""What the study's check is made of can be read by the study."""

from __future__ import annotations

import json
from pathlib import Path

from generate_small import entry
from study_check import write_mutants

from engine.study_sources import read_file


def test_mutants_are_a_source_without_faults_that_no_language_model_wrote(tmp_path: Path) -> None:
    path = tmp_path / "mutants.jsonl"
    assert write_mutants(path, "activation", [], 30) == 30
    source = read_file(path, "activation", "mutants", "r")
    assert (len(source.hypotheses), source.faults, source.language_models) == (30, (), ())


def test_a_small_model_is_named_as_the_generator_and_its_formulas_have_mutants_too(tmp_path: Path) -> None:
    path = tmp_path / "activation-small.jsonl"
    path.write_text(json.dumps(entry("SmolLM2-135M", "novel", "1.3 * x * torch.sigmoid(0.7 * x)", "music")))
    source = read_file(path, "activation", "activation-small", "r")
    assert source.language_models == ("SmolLM2-135M",)
    assert write_mutants(tmp_path / "mutants.jsonl", "activation", [path], 300) == 300
    assert "(activation-small): 1.3 -> " in (tmp_path / "mutants.jsonl").read_text()
