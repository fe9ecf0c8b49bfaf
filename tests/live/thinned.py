"""Long lists of cases, of which the default suite takes some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

EVERY = 8


def thinned(cases: Sequence[Any], every: int = EVERY) -> list[Any]:
    """cases: of pytest.param. All of them; all but the first of every `every` are long tests."""
    long = [pytest.param(*case.values, id=case.id, marks=[*case.marks, pytest.mark.long]) for case in cases]
    return [long[i] if i % every else case for i, case in enumerate(cases)]
