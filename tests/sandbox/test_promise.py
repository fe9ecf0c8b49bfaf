"""Every clause of what docs/security.md promises names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECURITY = (ROOT / "docs" / "security.md").read_text()
ROWS = [
    line for line in SECURITY.splitlines() if line.startswith("| ") and not line.startswith(("| promise", "| level"))
]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", SECURITY)


@pytest.mark.parametrize(("path", "test"), NAMED)
def test_a_named_test_is_there(path: str, test: str) -> None:
    assert f"def {test}(" in (ROOT / path).read_text()


def test_every_clause_names_a_test() -> None:
    assert len(ROWS) > 20
    assert [row for row in ROWS if "`tests/" not in row] == []


def test_the_files_that_are_named_are_there() -> None:
    files = re.findall(r"`((?:sandbox|engine|tests|benchmarks)/[\w/.]+\.(?:py|json))`", SECURITY)
    assert files
    assert [name for name in files if not (ROOT / name).exists()] == []
