"""The VADER paper in one thread, from its PDF to its own claim measured again; paper, data and code are one package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from live_bot import Running, blocks_of, running, texts, until
from paper_threads import read

from engine.experiment.tasks.essays.task import PAPER, vader_file

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]

PATIENCE_SECONDS = 1200.0


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONJECTURE_LITERATURE", "own")
        with running(tmp_path_factory.mktemp("home")) as bot:
            yield bot


def test_the_vader_paper_s_correlation_is_measured_again_and_reported_beside_the_paper_s(
    live: Running, tmp_path: Path
) -> None:
    path = tmp_path / "vader.pdf"
    path.write_bytes(vader_file(tmp_path, PAPER))
    ts = live.say("@conjecture what do you make of this?", files=[path])
    read(live, ts)
    assert "VADER (r = 0.881)" in texts(live.replies(ts))
    live.ask("idea 1: use 3 seeds", thread=ts)
    live.ask("approve 1", thread=ts)
    (report,) = until(
        lambda: [m for m in live.replies(ts) if blocks_of([m], "table") and "fixed before" in m["text"]],
        PATIENCE_SECONDS,
    )
    rows = [[cell["text"] for cell in row] for block in blocks_of([report], "table") for row in block["rows"]]
    found = {row[0]: row[1] for row in rows}
    assert float(found["Experiment"]) == pytest.approx(0.872, abs=0.01)
    assert found["Reported, paper p. 7"] == "0.881"
    assert report["text"].startswith("The hypothesis held")
