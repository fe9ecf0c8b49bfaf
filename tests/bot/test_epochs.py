"""A new epoch of the suites in a running bot: begun as a job, and nothing that was measured before is lost by it."""

from __future__ import annotations

from pathlib import Path

import pytest
from live_bot import running, until

from bot.commands.try_ import measured
from bot.views.ranking_json import as_json

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
LEAKY = "from torch import nn\n\ndef build():\n    return nn.LeakyReLU({})\n"


def test_a_bot_that_starts_when_it_is_time_begins_an_epoch_and_keeps_what_was_ranked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONJECTURE_DIGEST_TIMEZONE", "Pacific/Pago_Pago")
    with running(tmp_path) as live:
        laboratory = live.bot.laboratory
        measured(laboratory, "activation", [(f"{n}.py", LEAKY.format(0.15 * n).encode()) for n in range(6)])
        old = laboratory.evaluator.identity("activation")
        (request_id,) = {past.hypothesis.request_id for past in laboratory.journal.past("activation")}
        before = list(map(as_json, laboratory.research.rankings(request_id)))
        assert laboratory.journal.epochs() == []
    monkeypatch.setenv("CONJECTURE_DIGEST_TIMEZONE", "Pacific/Kiritimati")  # where it is the next day already
    monkeypatch.setenv("CONJECTURE_EPOCH_HYPOTHESES", "1")
    with running(tmp_path) as live:
        laboratory = live.bot.laboratory
        (epoch,) = until(laboratory.journal.epochs, seconds=1500)
        assert (epoch.number, epoch.why) == (1, "6 hypotheses were measured in the last one")
        new = laboratory.evaluator.identity("activation")
        assert new != old
        assert list(map(as_json, laboratory.research.rankings(request_id))) == before
        assert [past.score and past.score.suite for past in laboratory.research.past("activation")] == [new] * 6
