"""A new epoch of the suites in a running bot: begun as a job, and nothing that was asked before is lost by it."""

from __future__ import annotations

from pathlib import Path

import pytest
from live_bot import running, texts, until

pytestmark = pytest.mark.long


def test_a_bot_that_starts_when_it_is_time_begins_an_epoch_and_keeps_what_was_ranked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONJECTURE_DIGEST_TIMEZONE", "Pacific/Pago_Pago")
    with running(tmp_path) as live:
        ts = live.say("@conjecture propose 6 activation functions")
        request_id = live.finished(ts).request_id
        assert request_id
        (before,) = live.bot.laboratory.research.rankings(request_id)
        old = live.bot.laboratory.evaluator.identity("activation")
    monkeypatch.setenv("CONJECTURE_DIGEST_TIMEZONE", "Pacific/Kiritimati")  # where it is the next day already
    monkeypatch.setenv("CONJECTURE_EPOCH_HYPOTHESES", "1")
    with running(tmp_path) as live:
        laboratory = live.bot.laboratory
        until(laboratory.journal.epochs)
        assert laboratory.evaluator.identity("activation") != old
        assert laboratory.research.rankings(request_id) == [before]
        assert all(
            past.score for past in laboratory.research.past("activation") if past.verdict.accepted and past.score
        )
        again = live.ask("propose 2 activation functions")
        assert "measured" in texts(again)
