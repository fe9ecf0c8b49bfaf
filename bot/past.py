"""What this team has tried, as notes that a search for related work reads: "have we tried this?"."""

from __future__ import annotations

from engine.journal import Journal
from engine.papers.literature import Note
from sandbox.guest.components.kinds import KINDS


def tried_here(journal: Journal) -> list[Note]:
    """Every hypothesis of the past that has a verdict, with what came of it in words."""
    notes = []
    for kind in KINDS:
        for past in journal.past(kind):
            hypothesis, score = past.hypothesis, past.score
            outcome = f"B-WR {score.b_wr.value:.2f}" if score else f"not measured: {past.verdict.reason}"
            text = f"{hypothesis.claim} Outcome here ({KINDS[kind].title}, request {hypothesis.request_id}): {outcome}"
            notes.append(Note(title=hypothesis.title, text=text))
    return notes
