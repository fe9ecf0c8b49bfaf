"""Answers to questions about the past: was it tried, and why did it come out there."""

from __future__ import annotations

from collections.abc import Sequence

from bot.views.have_we_tried import have_we_tried, nothing_asked
from bot.views.message import Message
from bot.views.why import no_ranking, no_such_place, why
from engine.generate import from_file
from engine.guess import guessed_kinds
from engine.journal import Journal
from engine.research import Research
from engine.tried import Found, by_behaviour, by_words
from engine.understanding import HaveWeTried, WhyRanked
from engine.validate import validate
from sandbox.execution import Sandbox
from sandbox.guest.components.kinds import KINDS

POINTING = frozenset({"", "this", "it", "that", "this one", "this code", "the following", "something like this"})


class Questions:
    def __init__(self, *, journal: Journal, research: Research, sandbox: Sandbox) -> None:
        self._journal = journal
        self._research = research
        self._sandbox = sandbox

    def have_we_tried(self, meant: HaveWeTried, modules: Sequence[tuple[str, bytes]], tag: str) -> Message:
        """By what the code does when some came with the question and runs, else by words."""
        refused = ""
        if modules:
            found, refused = self._by_code(meant, *modules[0], tag)
            if found is not None:
                return have_we_tried(found, what="")
        what = "" if meant.what.lower().rstrip(" :?.!") in POINTING else meant.what
        if not what and not modules:
            return nothing_asked()
        kinds = [KINDS[meant.kind]] if meant.kind else list(KINDS.values())
        past = [one for kind in kinds for one in self._research.past(kind.name)]
        words = what or modules[0][1].decode("utf-8", errors="replace")
        return have_we_tried(by_words(words, past, kinds), what=what, refused=refused)

    def _by_code(self, meant: HaveWeTried, name: str, source: bytes, tag: str) -> tuple[Found | None, str]:
        """What is alike, or why the code cannot be run."""
        kind = KINDS[meant.kind or guessed_kinds(source, name, KINDS)[0]]
        verdict = validate(from_file(name, source, kind.name, tag, ""), self._sandbox, tag=tag)
        if not verdict.accepted:
            return None, verdict.reason or "no reason was given"
        return by_behaviour(kind, verdict.behaviour, self._research.past(kind.name)), ""

    def why(self, meant: WhyRanked, requests: Sequence[str]) -> Message:
        """`requests`: of the thread, oldest first; the newest one that has a ranking is meant."""
        for request_id in reversed(requests):
            kinds = self._journal.request(request_id).kinds
            wanted = [r for r in self._research.rankings(request_id) if meant.kind in (None, r.kind) or len(kinds) == 1]
            ranked = next((r for r in wanted if r.places), None)
            if ranked is None:
                continue
            if meant.place > len(ranked.places):
                return no_such_place(meant.place, len(ranked.places))
            chosen = self._journal.choices(request_id).get(ranked.places[meant.place - 1].hypothesis.id)
            return why(ranked, meant.place, chosen)
        return no_ranking()
