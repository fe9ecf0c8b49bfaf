"""A request that fails through no fault of its own says where."""

from __future__ import annotations

from pathlib import Path

import pytest
from live_bot import running, until


def test_the_progress_message_of_a_failed_request_shows_where_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")  # where nothing answers
    with running(tmp_path) as live:
        ts = live.say("@conjecture propose 2 schedules")
        assert live.finished(ts).state == "failed"
        (shown,) = until(lambda: [m["text"] for m in live.replies(ts) if m["text"].startswith("Failed after")])
    assert [line[0] for line in shown.splitlines() if line[2:].startswith(("Gen", "Val", "Eval", "Rank"))] == [*"✗···"]
    assert "cannot be reached" in shown
