"""From a paper to the end, in one thread: its own claim measured again, and a component that becomes a request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from live_bot import Running, blocks_of, running, texts, until
from paper_threads import PAGES, TITLE, ideas_of, pdf, read

from bot.steering import REQUEST_PREFIX
from engine.experiment.tasks.essays.task import PAPER, vader_file
from storage.inquiries import UNFINISHED, SqlInquiries
from storage.notebook import SqlNotebook

pytestmark = pytest.mark.long

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


def test_an_idea_that_is_a_component_is_measured_against_the_baselines_and_ranked_in_its_thread(
    live: Running, tmp_path: Path
) -> None:
    path = tmp_path / "gaps.pdf"
    path.write_bytes(pdf(TITLE, *PAGES))
    ts = live.say("@conjecture have a look", files=[path])
    read(live, ts)
    kept = next(one for one in ideas_of(live, ts) if one.idea.kind)
    live.ask(f"approve {kept.number}", thread=ts)
    inquiries = SqlInquiries(live.bot.laboratory.database)
    asked = until(lambda: inquiries.get(kept.id))
    until(lambda: inquiries.get(kept.id).state not in UNFINISHED, PATIENCE_SECONDS)
    assert asked.request_id is not None
    assert asked.request_id.startswith(REQUEST_PREFIX)
    (ranked,) = live.bot.laboratory.research.rankings(asked.request_id)
    assert [place.hypothesis.code for place in ranked.places] == [kept.idea.code]
    assert not [one for one in SqlNotebook(live.bot.laboratory.database).experiments() if kept.id[2:] in one.id]
    until(lambda: [m for m in live.replies(ts) if kept.idea.title in m["text"] and "B-WR" in m["text"]])
