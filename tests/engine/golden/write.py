"""Writes the golden files of test_prompt.py and experiment/test_conversation.py anew.

`python tests/engine/golden/write.py`, then read the diff.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "experiment"), str(HERE.parents[2])]

if __name__ == "__main__":
    import test_conversation
    from test_prompt import CASES, rendered

    texts = {case: rendered(case) for case in CASES} | {test_conversation.GOLDEN.name: test_conversation.rendered()}
    for case, text in texts.items():
        (HERE / case).write_text(text, encoding="utf-8")
        print(f"wrote {HERE / case}")
