"""What we ask Slack for: the manifest that a person pastes, and that the local workspace holds us to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "manifest.json"


def manifest() -> Mapping[str, Any] | None:
    """None where the program was installed without its checkout: there is nothing to paste either."""
    if not FILE.is_file():
        return None
    read: Mapping[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return read
