"""Writes the golden files of test_prompt.py anew: `python tests/engine/golden/write.py`, then read the diff."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[2])]

if __name__ == "__main__":
    from test_prompt import CASES, rendered

    for case in CASES:
        (HERE / case).write_text(rendered(case), encoding="utf-8")
        print(f"wrote {HERE / case}")
